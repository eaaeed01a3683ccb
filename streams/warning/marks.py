"""Rules on marks: a failing mark in a core course, and an average that falls against the student's own past.

Of a line item the last mark told by a day counts on that day.

Sources: a failing mark in mathematics or English in sixth grade (Balfanz, Herzog & Mac Iver 2007, Educational
Psychologist 42(4), 223-235), core courses in ninth grade (Allensworth & Easton 2007, What Matters for Staying On-Track
and Graduating); falling marks (Bowers, Sprott & Taff 2013, The High School Journal 96(2), 77-100).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from streams.warning.facts import Mark, StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold

FAILING = "failing_core"
FALLING = "falling_marks"
CURRENT_DAYS = 60
"""School days for which a mark is current: a quarter, and some."""
CLEAR_ABOVE = 0.03
"""Above the failing mark, where the line of clearing stands."""
LEAST_COURSES = 2
LONGEST_YEAR = 365
LINES = Lines(clear_days=5, cool_down=10)


class Told:
    """Marks in the order in which they were told."""

    def __init__(self, marks: Iterable[Mark], today: int) -> None:
        self._marks = sorted((mark for mark in marks if mark.day < today), key=lambda mark: (mark.day, mark))
        self._days = [mark.day for mark in self._marks]
        self._kept: tuple[tuple[int, int], list[Mark]] = ((0, 0), [])

    def between(self, since: int, day: int) -> list[Mark]:
        """The last mark of each line item, told from ``since`` to ``day``, sorted by item."""
        some = bisect_left(self._days, since), bisect_right(self._days, day)
        if some != self._kept[0]:
            self._kept = some, sorted({mark.item: mark for mark in self._marks[slice(*some)]}.values())
        return self._kept[1]


def failing_core(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days. Of a course the mark of its newest term counts."""
    line, held = frame.thresholds.failing_mark, frame.held
    core = [mark for mark in facts.marks if mark.core]
    if not any(mark.share < line for mark in core):
        return []
    told = Told(core, frame.today)

    def judge(place: int, raised: Reading | None) -> Reading | None:
        day = held[place]
        marks = told.between(max(frame.year_of(day), held[max(place - CURRENT_DAYS, 0)]), day)
        newest = {mark.section: mark for mark in sorted(marks, key=lambda mark: (mark.ends, mark.day))}
        failing = sorted((mark for mark in newest.values() if mark.share < line), key=_lowest_first)
        if failing:
            return _reading(day, RAISE, failing, line, _failing(failing, len(newest)))
        if raised is None:
            return None
        near = sorted((mark for mark in newest.values() if mark.share < line + CLEAR_ABOVE), key=_lowest_first)
        if near:
            return _reading(day, HOLD, near, line, f"No core course is failed any more: {_listed(near)}.")
        return Reading(day, CLEAR, line, line, day, day)

    return fold(FAILING, frame, LINES, len(held), judge, None, line, ends=frame.turns)


def falling_marks(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days. The newest term stands against the student's terms before it."""
    told, held, drop = Told(facts.marks, frame.today), frame.held, frame.thresholds.marks_drop
    if len({mark.ends for mark in facts.marks}) < 2:
        return []

    def judge(place: int, raised: Reading | None) -> Reading | None:
        day = held[place]
        marks = told.between(day - LONGEST_YEAR, day)
        ends = max((mark.ends for mark in marks), default=0)
        recent = [mark for mark in marks if mark.ends == ends]
        past = [mark for mark in marks if mark.ends < ends]
        if len(recent) < LEAST_COURSES or (raised is None and len(past) < LEAST_COURSES):
            return None
        now, usual = _mean(recent), _mean(past) if raised is None else raised.baseline
        if raised is None and usual - now < drop:
            return None
        level = CLEAR if usual - now < drop / 2 else HOLD if usual - now < drop else RAISE
        says = f"Average mark {now:.0%} in {recent[0].term or 'the last term'}; {usual:.0%} in the terms before that."
        return _reading(day, level, recent, usual, says, now)

    return fold(FALLING, frame, LINES, len(held), judge, None, drop, ends=frame.turns)


def _reading(
    day: int, level: int, marks: Sequence[Mark], baseline: float, says: str, value: float | None = None
) -> Reading:
    days = [mark.day for mark in marks]
    backing = tuple(sorted({mark.provider for mark in marks}))
    shown = marks[0].share if value is None else value
    return Reading(day, level, shown, baseline, min(days), max(days), (), backing, says.replace("%", " %"))


def _failing(failing: Sequence[Mark], courses: int) -> str:
    return f"Failing mark in {len(failing)} of {courses} core courses: {_listed(failing)}."


def _listed(marks: Sequence[Mark]) -> str:
    return ", ".join(f"{mark.share:.0%} in {mark.course or mark.section}" for mark in marks)


def _lowest_first(mark: Mark) -> tuple[float, str]:
    return mark.share, mark.section


def _mean(marks: Sequence[Mark]) -> float:
    return math.fsum(mark.share for mark in marks) / len(marks)
