"""Rule: a suspension, or n behaviour incidents, within forty school days.

Source: a suspension or a poor behaviour mark in sixth grade foretells leaving school (Balfanz, Herzog & Mac Iver 2007,
Educational Psychologist 42(4), 223-235); two or more is the usual line of the ABC indicators.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from streams.rows.days import as_date
from streams.warning.facts import StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import sums

RULE = "incidents"
WINDOW = 40
QUIET_DAYS = 20
"""School days without an incident, on which the line of clearing stands."""
LINES = Lines(clear_days=1, cool_down=10)


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days. What happened on another day counts on the next school day."""
    reported = sorted(
        (day.day, day.incidents, day.suspensions) for day in facts.days if day.incidents and day.day < frame.today
    )
    days, counts = [day for day, *_ in reported], sums([count for _, count, _ in reported])
    suspended = sums([count for *_, count in reported])
    least, held = frame.thresholds.incidents, frame.held
    if counts[-1] < least and not suspended[-1]:
        return []

    def between(after: int, last: int, of: Sequence[int] = counts) -> int:
        return of[bisect_right(days, last)] - of[bisect_right(days, after)]

    def judge(place: int, raised: Reading | None) -> Reading | None:
        day = held[place]
        start = held[place - WINDOW] if place >= WINDOW else 0
        recent = between(start, day)
        suspensions = between(start, day, suspended)
        reached = recent >= least or suspensions > 0
        if raised is None and not reached:
            return None
        quiet = not between(held[place - QUIET_DAYS] if place >= QUIET_DAYS else 0, day)
        level = CLEAR if quiet else RAISE if reached else HOLD
        past = between(held[place - 2 * WINDOW] if place >= 2 * WINDOW else 0, start)
        to = bisect_right(days, day) - 1
        first = days[min(bisect_right(days, start), to)]
        return Reading(day, level, recent, past, first, days[to], (recent, past, suspensions), frame.known.recorders)

    def words(reading: Reading) -> str:
        now, then, suspensions = reading.figures
        last = as_date(reading.last)
        led = f", {suspensions:.0f} with a suspension," if suspensions else ""
        return (
            f"{now:.0f} behaviour incident{'' if now == 1 else 's'}{led} in {WINDOW} school days, the last on"
            f" {last.day} {last:%b}; {then:.0f} in the {WINDOW} before that."
        )

    return fold(RULE, frame, LINES, len(held), judge, words, float(least))
