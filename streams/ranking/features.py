"""A student beside the own course on the same day: the numbers that the score weighs.

Most are differences to the course's mean or ranks within it, because those mean the same in another course and another
year; raw marks and dates do not. Nothing here knows who a student is: no name, no group.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, log1p, sqrt
from typing import Final

from streams.ranking.own import Own

WORK: Final = (
    "lead_rank",
    "score",
    "missing_share",
    "late",
    "early_rank",
    "early",
    "early_last_rank",
    "since",
    "mark_mean",
    "marks",
)
"""From registration, expected work and marks."""
SCHOOL: Final = ("missed_days", "incidents")
"""From attendance and behaviour."""
LEFT: Final = "course_left"
"""How many have left the course already: what is said of a course as a whole, where that is known."""
ACTIVITY: Final = (
    "activity_3",
    "activity_7",
    "activity_21",
    "activity_rank",
    "inactive",
    "active_days",
    "change",
    "before_start",
    "forum",
    "quiz",
)
"""From clicks."""
NAMES: Final = (*WORK, *ACTIVITY, *SCHOOL, LEFT)

_LEAST_SPREAD: Final = 0.05
"""Marks of an item are at least this far apart (standard deviation), so that a tie of all blows nothing up."""


class _Scale:
    """Values of one fact over a course: its mean, and a student's rank."""

    def __init__(self, values: Iterable[float | None]) -> None:
        self._sorted = sorted(value for value in values if value is not None)
        self.mean = sum(self._sorted) / len(self._sorted) if self._sorted else 0.0

    def ahead(self, value: float | None) -> float:
        """Difference to the mean; 0 of nothing."""
        return 0.0 if value is None else value - self.mean

    def rank(self, value: float | None) -> float:
        """−0.5 (lowest) … 0.5, equal values in the middle of their places; 0 of nothing."""
        if value is None:
            return 0.0
        places = bisect_left(self._sorted, value) + bisect_right(self._sorted, value)
        return places / 2.0 / len(self._sorted) - 0.5


@dataclass(frozen=True, slots=True)
class Marks:
    """Visible marks of one item: mean and spread."""

    mean: float
    spread: float


class Peers:
    """What the active students of a course are like on a day; made once a day, O(n log n) in their number."""

    def __init__(self, students: Sequence[Own], left: int = 0) -> None:
        """``left``: how many left the course since its start."""
        self.left = left / (left + len(students)) if students else 0.0
        self.left_odds = log((left + 0.5) / (len(students) + 0.5))
        self.lead = _Scale(one.lead for one in students)
        self.score = _Scale(one.score for one in students)
        self.early = _Scale(one.early for one in students)
        self.early_last = _Scale(one.early_last for one in students)
        self.marked = _Scale(float(len(one.marks)) for one in students)
        self.since = _Scale(float(one.since) for one in students)
        self.decayed = [_Scale(values) for values in zip(*(one.decayed for one in students), strict=True)]
        self.inactive = _Scale(one.inactive for one in students)
        self.active_days = _Scale(one.active_days for one in students)
        self.change = _Scale(one.change for one in students)
        self.before_start = _Scale(one.before_start for one in students)
        self.forum = _Scale(one.forum for one in students)
        self.quiz = _Scale(one.quiz for one in students)
        self.missed_days = _Scale(one.missed_days for one in students)
        self.incidents = _Scale(log1p(one.incidents) for one in students)
        marks: dict[str, list[float]] = defaultdict(list)
        for one in students:
            for item, mark in one.marks:
                marks[item].append(mark)
        self.marks = {item: _marks(sorted(values)) for item, values in marks.items()}

    def distances(self, one: Own) -> list[float]:
        """A student's marks as distances to the course's on the same work, in standard deviations."""
        return [(mark - self.marks[item].mean) / self.marks[item].spread for item, mark in one.marks]


def features(one: Own, peers: Peers) -> dict[str, float]:
    """All numbers by name, ``NAMES``; ``one`` is among the peers."""
    marks = peers.distances(one)
    return {
        "lead_rank": peers.lead.rank(one.lead),
        "score": peers.score.ahead(one.score),
        "missing_share": one.missing_share,
        "late": float(one.late),
        "early_rank": peers.early.rank(one.early),
        "early": peers.early.ahead(one.early),
        "early_last_rank": peers.early_last.rank(one.early_last),
        "since": peers.since.ahead(float(one.since)),
        "mark_mean": sum(marks) / len(marks) if marks else 0.0,
        "marks": peers.marked.ahead(float(len(marks))),
        "activity_3": peers.decayed[0].ahead(one.decayed[0]),
        "activity_7": peers.decayed[1].ahead(one.decayed[1]),
        "activity_21": peers.decayed[2].ahead(one.decayed[2]),
        "activity_rank": peers.decayed[1].rank(one.decayed[1]),
        "inactive": peers.inactive.ahead(one.inactive),
        "active_days": peers.active_days.ahead(one.active_days),
        "change": peers.change.ahead(one.change),
        "before_start": peers.before_start.ahead(one.before_start),
        "forum": peers.forum.ahead(one.forum),
        "quiz": peers.quiz.ahead(one.quiz),
        "missed_days": peers.missed_days.ahead(one.missed_days),
        "incidents": peers.incidents.ahead(log1p(one.incidents)),
        LEFT: peers.left_odds,
    }


def _marks(values: list[float]) -> Marks:
    mean = sum(values) / len(values)
    return Marks(mean, max(_LEAST_SPREAD, sqrt(sum((value - mean) ** 2 for value in values) / len(values))))
