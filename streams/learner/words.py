"""Mastery in words that do not flap: not started, emerging, nearly, mastered, needs refresh.

A word does not follow the estimate itself but a *held* value that moves only as far as it must to stay within the
interval of the estimate (the play operator of hysteresis, Brokate and Sprekels 1996, chapter 2). So a line is crossed
upwards when the whole interval lies above it, downwards when the whole interval lies below: two lines as far apart as
the estimate is uncertain. The held value is a fold over the answers and hence a pure function of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Word(StrEnum):
    """Where a student stands in a skill, from the least to the most; ``REFRESH`` was mastered and has faded."""

    NOT_STARTED = "not started"
    EMERGING = "emerging"
    NEARLY = "nearly"
    REFRESH = "needs refresh"
    MASTERED = "mastered"


ONCE_MASTERED = frozenset({Word.MASTERED, Word.REFRESH})
"""What a skill that builds on it may count on."""


class Lines(NamedTuple):
    """Where words begin.

    Attributes:
        nearly: chance of a right answer on an item of median difficulty from which on a skill is nearly mastered.
        mastered: the chance from which on it is mastered.
        refresh_days: days without practice after which what was mastered needs a refresh.
        answers: answers below which nothing is called mastered, whatever other skills let expect.
    """

    nearly: float = 0.5
    mastered: float = 0.7
    refresh_days: float = 60.0
    answers: int = 5


def settle(held: float | None, low: float, high: float) -> float:
    """The held value after the interval became ``low`` to ``high``; None before the first answer.

    It begins at the lower end: nothing is called mastered before it is sure.
    """
    if held is None:
        return low
    return min(max(held, low), high)


def level(held: float, answers: int, lines: Lines) -> Word:
    """The word of a held value after so many answers, as of the last one."""
    if held >= lines.mastered and answers >= lines.answers:
        return Word.MASTERED
    return Word.NEARLY if held >= lines.nearly else Word.EMERGING


def word(held: float | None, low: float, high: float, answers: int, days: float, lines: Lines) -> Word:
    """The word now.

    Args:
        held: the held value after the last answer; None when there was none.
        low: lower end of the interval now, faded by the time since practice.
        high: its upper end.
        answers: how many there were.
        days: days since the last answer.
        lines: where words begin.

    Time alone takes nothing back that was once mastered: it then needs a refresh.
    """
    if held is None:
        return Word.NOT_STARTED
    then, now = level(held, answers, lines), level(settle(held, low, high), answers, lines)
    if then is Word.MASTERED and (now is not Word.MASTERED or days >= lines.refresh_days):
        return Word.REFRESH
    return now if now is not Word.MASTERED else then
