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

_TERMS: Final = {
    "student": "all answers so far, in every skill",
    "skill": "answers in this skill so far",
    "difficulty": "how hard the item is",
}
"""What each term of the model looks at. One that is new to this table is called by its own name."""


def badge(word: Word) -> str:
    """The word with its symbol, as HTML."""
    symbol, colour = SYMBOLS[word]
    return f'<span class="rt-nowrap">{ui.icon(symbol, colour)} {word}</span>'


def span(known: Known) -> str:
    """The interval of the chance in percent, as in 50–74%."""
    return f"{100 * known.low:.0f}–{100 * known.high:.0f}%"


def band(known: Known, *, width: int = 110) -> str:
    """The chance on a line from 0 to 1 with its interval, as HTML."""
    says = f"{words.percent(known.chance)}, surely between {span(known)}"
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
    return _TERMS.get(one.name, one.name.replace("_", " "))


def contribution(one: Term) -> str:
    """A term with what it added, as in "the last five answers: +0.4"."""
    return f"{term(one)}: {one.contribution:+.1f}".replace("-", "−")


def strongest(terms: tuple[Term, ...], most: int = 3) -> list[Term]:
    """The terms that moved the expectation most, of those that moved it at all."""
    moved = [one for one in terms if abs(one.contribution) >= 0.05]
    return sorted(moved, key=lambda one: (-abs(one.contribution), one.name))[:most]
