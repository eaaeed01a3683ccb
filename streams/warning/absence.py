"""Rules: chronic absence, and absence that rises against the student's own past.

A day is missed when at least half of what was recorded of it is absence, whatever the reason. Days without a record,
days that are no school days, and days on which most of the school is recorded absent are left out of the count.

Sources: chronic absence is 10 % of the days missed (Balfanz & Byrnes 2012, The Importance of Being in School); sixth
graders at or below 80 % attendance rarely graduate (Balfanz, Herzog & Mac Iver 2007, Educational Psychologist 42(4),
223-235). The rise against the own past: trajectories tell more than single cuts (Bowers, Sprott & Taff 2013).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from streams.warning.facts import StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import Rate, differs, sums

CHRONIC = "chronic_absence"
RISING = "rising_absence"
LEAST_DAYS = 20
"""Recorded days of the year before which a share of them tells nothing."""
LEAST_MISSED_OF_YEAR = 3
"""Missed days below which a share of few days tells nothing."""
YEAR_DAYS = 180
CLEAR_AT = 0.8
"""Share of the line of raising below which chronic absence clears."""
RECENT_DAYS = 20
PAST_DAYS = 60
LEAST_MISSED = 5
LINES = Lines(clear_days=5, cool_down=10)


class _Record(NamedTuple):
    """Recorded school days in order, how many of them were missed up to each, and the place of a school day there."""

    days: list[int]
    missed: list[int]
    place: dict[int, int]


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes of both rules, each in order; places are school days."""
    missed = {day.day for day in facts.days if day.missed}
    if len(missed) < LEAST_MISSED_OF_YEAR:
        return []
    told = {day.day for day in facts.days if day.attended or day.absent}
    days = [day for day in frame.held if day in told and day not in frame.known.astray]
    record = _Record(days, sums([day in missed for day in days]), {day: place for place, day in enumerate(days)})
    return [*_chronic(record, frame), *_rising(record, frame)]


def _chronic(record: _Record, frame: Frame) -> list[Episode]:
    line, severe = frame.thresholds.absence_share, frame.thresholds.severe_absence_share

    def judge(at: int, _raised: Reading | None) -> Reading | None:
        day = frame.held[at]
        if (place := record.place.get(day)) is None:
            return None
        first = max(bisect_left(record.days, frame.year_of(day)), place + 1 - YEAR_DAYS)
        rate = Rate(record.missed[place + 1] - record.missed[first], place + 1 - first)
        if rate.of < LEAST_DAYS:
            return None
        level = RAISE if rate.share >= line else CLEAR if rate.share < CLEAR_AT * line else HOLD
        if level == RAISE and rate.hits < LEAST_MISSED_OF_YEAR:
            level = HOLD
        from_day = record.days[first]
        told = rate.of / (at + 1 - bisect_left(frame.held, from_day))
        return Reading(day, level, rate.share, line, from_day, day, rate, frame.known.recorders, "", told)

    def words(reading: Reading) -> str:
        absent, of = reading.figures
        rest = f", at or below {1 - severe:.0%} attendance" if reading.value >= severe else ""
        return f"Absent {absent:.0f} of {of:.0f} school days this year ({reading.value:.0%}{rest}).".replace("%", " %")

    def threshold(reading: Reading) -> float:
        return severe if reading.value >= severe else line

    return fold(CHRONIC, frame, LINES, len(frame.held), judge, words, threshold, ends=frame.turns)


def _rising(record: _Record, frame: Frame) -> list[Episode]:
    rise = frame.thresholds.absence_rise

    def judge(place: int, raised: Reading | None) -> Reading | None:
        start = place + 1 - RECENT_DAYS
        first = max(start - PAST_DAYS, 0)
        if start - first < LEAST_DAYS:
            return None
        recent = Rate(record.missed[place + 1] - record.missed[start], RECENT_DAYS)
        if raised is None:
            past = Rate(record.missed[start] - record.missed[first], start - first)
            if recent.hits < LEAST_MISSED or recent.share - past.share < rise or not differs(recent, past):
                return None
            level = RAISE
        else:
            past = Rate(int(raised.figures[1]), int(raised.figures[2]))
            level = HOLD if recent.share - past.share >= rise / 2 else CLEAR
        days = record.days
        held = bisect_right(frame.held, days[place]) - bisect_left(frame.held, days[start])
        return Reading(
            days[place], level, recent.share, past.share, days[start], days[place], (recent.hits, *past),
            frame.known.recorders, "", RECENT_DAYS / held,
        )  # fmt: skip

    def words(reading: Reading) -> str:
        now, then, of = reading.figures
        return f"Absent {now:.0f} of the last {RECENT_DAYS} school days; {then:.0f} of {of:.0f} before that."

    return fold(RISING, frame, LINES, len(record.days), judge, words, rise)
