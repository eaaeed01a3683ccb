"""Rule: off track in grade 9: too few credits, or more than one failed core course.

On track is who has at least five credits and at most one semester F in a core course at the end of the year. During
the year five credits are asked for in proportion to the school days that are over, of 180, at the end of the last term
that the student has marks of.

Source: Allensworth & Easton 2005, The On-Track Indicator as a Predictor of High School Graduation; 2007, What Matters
for Staying On-Track and Graduating: who is on track is over 3.5 times likelier to graduate.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from streams.warning.absence import YEAR_DAYS
from streams.warning.facts import Mark, StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.marks import Told

RULE = "off_track"
GRADE = 9
CREDITS = 5.0
MOST_FAILED = 1
LINES = Lines(clear_days=5, cool_down=10)
_EXACT = 1e-9


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days of the student's year in grade 9."""
    counted = [mark for mark in facts.marks if mark.credits > 0]
    held, line = frame.held, frame.thresholds.failing_mark
    if not counted or GRADE not in {frame.grade_on(day) for day in frame.years}:
        return []
    told = Told(counted, frame.today)

    def judge(place: int, _raised: Reading | None) -> Reading | None:
        day = held[place]
        year = frame.year_of(day)
        if frame.grade_on(day) != GRADE:
            return None
        marks = [mark for mark in told.between(year, day) if year <= mark.ends < day]
        if not marks:
            return None
        ended = max(mark.ends for mark in marks)
        over = bisect_right(held, ended) - bisect_left(held, year)
        needed = min(CREDITS, CREDITS * over / YEAR_DAYS)
        earned = math.fsum(mark.credits for mark in marks if mark.share >= line)
        failed = [mark for mark in marks if mark.core and mark.share < line]
        level = RAISE if earned < needed - _EXACT or len(failed) > MOST_FAILED else CLEAR
        says = _words(earned, needed, failed, over)
        days = [mark.day for mark in marks]
        backing = tuple(sorted({mark.provider for mark in marks}))
        return Reading(day, level, earned, needed, min(days), max(days), (), backing, says)

    return fold(RULE, frame, LINES, len(held), judge, None, CREDITS, ends=frame.turns)


def _words(earned: float, needed: float, failed: Sequence[Mark], over: int) -> str:
    courses = ", ".join(sorted(mark.course or mark.section for mark in failed))
    also = f"; failed {len(failed)} core course{'' if len(failed) == 1 else 's'} ({courses})" if failed else ""
    when = "at the end of the year" if needed == CREDITS else f"after {over} of {YEAR_DAYS} school days"
    return f"{earned:.3g} credit{'' if earned == 1 else 's'} earned {when}, {needed:.2g} are on track{also}."
