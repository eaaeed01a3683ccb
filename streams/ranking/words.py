"""What a score is made of, in words with the student's own numbers: for people who act on a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from streams.ranking.course import Standing
from streams.ranking.features import LEFT
from streams.ranking.scoring import BASE, COURSE, Term

NAMED: Final[Mapping[str, str]] = {
    "lead_rank": "registered early, rank in the course",
    "score": "share of what could be had so far, beside the course",
    "missing_share": "share of due work not handed in",
    "late": "pieces of work handed in late",
    "early_rank": "days early, rank in the course",
    "early": "days early, beside the course",
    "early_last_rank": "days early with the last piece, rank in the course",
    "since": "days since the last submission, beside the course",
    "mark_mean": "marks beside the course's on the same work",
    "marks": "number of marks, beside the course",
    "activity_3": "activity of the last days, beside the course",
    "activity_7": "activity of the last week, beside the course",
    "activity_21": "activity of the last weeks, beside the course",
    "activity_rank": "activity, rank in the course",
    "inactive": "days without activity, beside the course",
    "active_days": "active days of the last fourteen, beside the course",
    "change": "activity this week against the last",
    "before_start": "activity before the start",
    "forum": "activity in forums",
    "quiz": "activity in quizzes",
    "missed_days": "school days missed, beside the course",
    "incidents": "reports of behaviour, beside the course",
    LEFT: "share of the course that has left already",
    COURSE: "how the course ended before",
    BASE: "everybody",
}
"""Names of all terms."""


_SHARED: Final = (BASE, COURSE, LEFT)


class Reason(NamedTuple):
    """Why a student stands where the list has them. ``contribution`` in logits: above 0 raises."""

    name: str
    words: str
    contribution: float


def reasons(terms: Sequence[Term], standing: Standing) -> list[Reason]:
    """Every term in words, what raises most first; together they are the logit. What all of a course share is last."""
    said = [Reason(term.name, _words(term, standing), term.contribution) for term in terms]
    return sorted(said, key=lambda reason: (reason.name in _SHARED, -reason.contribution))


def _words(term: Term, standing: Standing) -> str:
    telling = _TELLING.get(term.name)
    return NAMED[term.name].capitalize() if telling is None else telling(standing)


def _score(standing: Standing) -> str:
    if standing.own.score is None:
        return "Nothing marked or missed yet"
    return (
        f"{standing.own.score:.0%} of what could be had so far, the course {standing.peers.score.mean:.0%}"
    ).replace("%", " %")


def _marks(standing: Standing) -> str:
    number = len(standing.own.marks)
    if not number:
        return "No mark yet"
    return f"{_many(number, 'mark')}, {_beside(standing.features['mark_mean'])} on the same work"


def _beside(deviations: float) -> str:
    if abs(deviations) < 0.25:
        return "like the course's"
    return f"{'above' if deviations > 0 else 'below'} the course's by {abs(deviations):.1f} standard deviations"


def _early(value: float | None, mean: float, what: str) -> str:
    if value is None:
        return "Nothing handed in yet that fell due"
    side = "early" if value >= 0 else "late"
    return (
        f"{what} handed in {abs(value):.0f} days {side}, the course {abs(mean):.0f} {'early' if mean >= 0 else 'late'}"
    )


def _rank(value: float, what: str) -> str:
    return f"{what} than {value + 0.5:.0%} of the course".replace("%", " %")


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _missing(standing: Standing) -> str:
    own = standing.own
    return f"{own.missing} of {_many(own.due, 'piece')} of due work not handed in" if own.due else "Nothing was due yet"


_TELLING: Final[Mapping[str, Callable[[Standing], str]]] = {
    "lead_rank": lambda at: _rank(at.features["lead_rank"], "Registered earlier"),
    "score": _score,
    "missing_share": _missing,
    "late": lambda at: f"{_many(at.own.late, 'piece')} of work handed in late",
    "early_rank": lambda at: (
        "Nothing handed in yet that fell due"
        if at.own.early is None
        else _rank(at.features["early_rank"], "Hands work in earlier")
    ),
    "early": lambda at: _early(at.own.early, at.peers.early.mean, "Work"),
    "early_last_rank": lambda at: _early(at.own.early_last, at.peers.early_last.mean, "The last piece"),
    "since": lambda at: (
        f"{_many(at.own.since, 'day')} since anything was handed in, the course {at.peers.since.mean:.0f}"
    ),
    "mark_mean": _marks,
    "marks": lambda at: f"{_many(len(at.own.marks), 'mark')} so far, the course {at.peers.marked.mean:.1f}",
    "missed_days": lambda at: (
        f"{at.own.missed_days:.0%} of {at.own.days_told} school days missed, the others {at.peers.missed_days.mean:.0%}"
    ).replace("%", " %"),
    "incidents": lambda at: _many(at.own.incidents, "report") + " of behaviour",
    LEFT: lambda at: f"{at.peers.left:.0%} of the course have left so far".replace("%", " %"),
    "activity_rank": lambda at: _rank(at.features["activity_rank"], "More active"),
    "inactive": lambda at: f"{at.own.inactive:.0f} days without activity, the course {at.peers.inactive.mean:.0f}",
    "active_days": lambda at: (
        f"Active on {at.own.active_days:.0f} of the last 14 days, the course on {at.peers.active_days.mean:.0f}"
    ),
}
