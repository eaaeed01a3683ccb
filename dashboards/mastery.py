"""Mastery as people read it: a word with its symbol, the chance with its interval, how much is known, how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from dashboards import charts, words
from dashboards import components as ui
from dashboards.learning import Known, Term, Word

SYMBOLS: Final = {
    Word.MASTERED: ("verified", "rt-good"),
    Word.REFRESH: ("history", "rt-warn"),
    Word.NEARLY: ("trending_up", "rt-accent"),
    Word.EMERGING: ("radio_button_unchecked", "rt-accent"),
    Word.NOT_STARTED: ("remove", "rt-soft"),
}
"""Shape and colour of each word, in the order in which words are listed."""

TERMS: Final = {
    "level": "where everyone starts",
    "item": "how hard the item is",
    "skills": "how hard the skill is",
    "student rating": "the level over all answers",
    "student right": "right answers so far",
    "student wrong": "wrong answers so far",
    "student recent 2": "the last two answers",
    "student recent 5": "the last five answers",
    "student recent 20": "the last twenty answers",
    "student against expectation": "lately better or worse than expected",
    "student attempts": "how many answers are known",
    "last answer": "the answer just before",
    "student's own": "what is particular to the student",
    "skill rating": "the level in this skill",
    "skill right": "right answers in this skill",
    "skill wrong": "wrong answers in this skill",
    "skill recent 2": "the last two answers in this skill",
    "skill recent 5": "the last five answers in this skill",
    "skill recent 20": "the last twenty answers in this skill",
    "skill against expectation": "lately better or worse than expected in this skill",
    "skill practised": "the skill was practised before",
    "skill attempts": "how many answers in this skill are known",
    "skill's own": "what is particular to the student in this skill",
    "answers since practice": "how many answers ago the skill was practised",
    "answers since practice x balance": "how many answers ago, by how well the skill went",
    "item right before": "the item was right before",
    "item wrong before": "the item was wrong before",
    "same skills again": "the same skill just before",
    "same skills again x last answer": "the same skill just before, and how it went",
    "hours since practice": "time since the skill was practised",
    "hours since practice x balance": "time since practice, by how well the skill went",
    "practice over a week ago": "no practice of the skill for over a week",
    "pause": "the pause before the answer",
    "skills together": "these skills in one item",
    "skills x last three": "the last three answers in the skill, in their order",
    "item x last item": "which item came just before",
    "skills x last skills": "which skill came just before",
    "item x ability": "how students of this level do on the item",
}
"""What each term of the model looks at; a test holds the table complete. Recency fades by half over so many answers."""


FAMILIES: Final = {
    "where everyone starts": ("level",),
    "how hard it is": ("item", "skills", "skills together", "item x ability"),
    "all answers so far": ("student rating", "student right", "student wrong", "student attempts", "student's own"),
    "the last answers": (
        "student recent 2", "student recent 5", "student recent 20", "student against expectation", "last answer",
    ),
    "answers in this skill so far": (
        "skill rating", "skill right", "skill wrong", "skill attempts", "skill practised", "skill's own",
    ),
    "the last answers in this skill": (
        "skill recent 2", "skill recent 5", "skill recent 20", "skill against expectation", "skills x last three",
    ),
    "this item before": ("item right before", "item wrong before"),
    "time since practice": (
        "hours since practice", "hours since practice x balance", "practice over a week ago", "answers since practice",
        "answers since practice x balance",
    ),
    "what came just before": (
        "same skills again", "same skills again x last answer", "item x last item", "skills x last skills", "pause",
    ),
}  # fmt: skip
"""Kinds of terms: those of a kind are fitted together and balance each other, so that their sum says more than each."""

_KIND: Final = {name: family for family, names in FAMILIES.items() for name in names}


def families(terms: tuple[Term, ...]) -> list[tuple[str, float, list[Term]]]:
    """Kinds of terms with their sums and terms, the largest first; what moved nothing is left out."""
    found: dict[str, list[Term]] = {}
    for one in terms:
        found.setdefault(_KIND[one.name], []).append(one)
    summed = [
        (family, sum(one.contribution for one in own), sorted(own, key=lambda one: (-abs(one.contribution), one.name)))
        for family, own in found.items()
    ]
    return sorted((one for one in summed if abs(one[1]) >= 0.005), key=lambda one: -abs(one[1]))


def badge(word: Word) -> str:
    """The word with its symbol, as HTML."""
    symbol, colour = SYMBOLS[word]
    return f'<span class="rt-nowrap">{ui.icon(symbol, colour)} {word}</span>'


def span(known: Known) -> str:
    """The 90% interval of the chance, as in 50–74%."""
    return f"{100 * known.low:.0f}–{100 * known.high:.0f}%"


def band(known: Known, *, width: int = 110) -> str:
    """The chance on a line from 0 to 1 with its interval, as HTML."""
    says = f"{words.percent(known.chance)}, 90% interval {span(known)}"
    return charts.interval(known.low, known.high, known.chance, width=width, says=says)


def practised(known: Known, now: datetime) -> str:
    """How long ago the skill was practised, in whole days."""
    days = max(0, (now - known.last_at).days)
    return "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"


def age(known: Known, now: datetime) -> str:
    """How long ago in two or three characters: 3d, 5w."""
    days = max(0, (now - known.last_at).days)
    return f"{days}d" if days < 14 else f"{days // 7}w"


def term(one: Term) -> str:
    """What a term looks at, in words."""
    return TERMS[one.name]


def contribution(one: Term) -> str:
    """A term with what it added, as in "the last five answers: +0.4"."""
    return f"{term(one)}: {one.contribution:+.1f}".replace("-", "−")


def strongest(terms: tuple[Term, ...], most: int = 3) -> list[Term]:
    """The terms that moved the expectation most, of those that moved it at all."""
    moved = [one for one in terms if abs(one.contribution) >= 0.05]
    return sorted(moved, key=lambda one: (-abs(one.contribution), one.name))[:most]
