"""Rule: fewer right answers than in the student's own past, by more than chance explains.

The last five days with attempts stand against the twenty before them. While a warning is open it is measured
against the past as it was when it was raised; else a lasting fall would soon become the new past.

Source: trajectories tell more than single cuts (Bowers, Sprott & Taff 2013, The High School Journal 96(2), 77-100).
"""

from __future__ import annotations

from streams.warning.facts import StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode, before, providers_of
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import STRICT_Z, Rate, differs, sums

RULE = "falling_success"
RECENT_DAYS = 5
PAST_DAYS = 20
LEAST_RECENT_ATTEMPTS = 20
LEAST_PAST_ATTEMPTS = 40
LINES = Lines(clear_days=3, cool_down=5)


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order, by the days that are over; places are days with attempts."""
    practised = [day for day in before(facts.days, frame.today) if day.attempts]
    attempts, successes = sums([day.attempts for day in practised]), sums([day.successes for day in practised])
    drop = frame.thresholds.success_drop

    def rate(start: int, end: int) -> Rate:
        return Rate(successes[end] - successes[start], attempts[end] - attempts[start])

    def judge(place: int, raised: Reading | None) -> Reading | None:
        start = place + 1 - RECENT_DAYS
        if start < 0:
            return None
        recent = rate(start, place + 1)
        if raised is None:
            past = rate(max(start - PAST_DAYS, 0), start)
            if not has_fallen(recent, past, drop):
                return None
            level = RAISE
        else:
            past = Rate(int(raised.figures[2]), int(raised.figures[3]))
            level = HOLD if past.share - recent.share >= drop / 2 else CLEAR
        days = practised[start : place + 1]
        return Reading(
            days[-1].day, level, recent.share, past.share, days[0].day, days[-1].day, (*recent, *past),
            providers_of(days),
        )  # fmt: skip

    return fold(RULE, frame, LINES, len(practised), judge, _words, drop)


def has_fallen(recent: Rate, past: Rate, drop: float) -> bool:
    """Whether the fall is large enough, and larger than chance."""
    if recent.of < LEAST_RECENT_ATTEMPTS or past.of < LEAST_PAST_ATTEMPTS or past.share - recent.share < drop:
        return False
    return differs(past, recent, STRICT_Z)


def _words(reading: Reading) -> str:
    right, attempts, _, before_that = reading.figures
    return (
        f"{right:.0f} of {attempts:.0f} right in the last {RECENT_DAYS} active days"
        f" ({reading.value:.0%}); {reading.baseline:.0%} of {before_that:.0f} before."
    ).replace("%", " %")
