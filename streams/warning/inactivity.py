"""Rule: no activity on n of the student's usual days in a row.

A student's usual days are the weekdays on which the student was active at least half of the time, over the twenty
school days that end with the last active one. So a student who comes on Tuesdays only is not missed on Wednesdays. A
day on which none of the student's providers was heard of at the school is not held against the student.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from streams.rows.days import as_date
from streams.warning.coverage import Coverage
from streams.warning.facts import DayFacts
from streams.warning.history import Episode, Thresholds, providers_of, weekday

RULE = "inactivity"
WINDOW = 20
LEAST_HISTORY = 10


def episodes(days: Sequence[DayFacts], known: Coverage, today: int, thresholds: Thresholds) -> list[Episode]:
    """Episodes in order. A silent day counts when it is over, activity counts at once."""
    school_days = known.days
    active = sorted(day.day for day in days if day.activity and day.day <= today)
    found = []
    for place, last_active in enumerate(active):
        again = active[place + 1] if place + 1 < len(active) else None
        end = today if again is None else again
        after = bisect_right(school_days, last_active)
        silent = school_days[after : bisect_left(school_days, end)]
        if len(silent) < thresholds.inactivity_days:
            continue
        window = school_days[max(bisect_left(school_days, active[0]), after - WINDOW) : after]
        if len(window) < LEAST_HISTORY:
            continue
        usual = _usual_weekdays(window, set(active))
        evidence = [day for day in days if window[0] <= day.day <= last_active]
        providers = providers_of(evidence)
        missed = [day for day in silent if weekday(day) in usual and known.tells_of(day, providers)]
        if len(missed) >= thresholds.inactivity_days:
            found.append(_episode(missed, window, evidence, again, thresholds.inactivity_days))
    return found


def _usual_weekdays(window: Sequence[int], active: set[int]) -> set[int]:
    held = [0] * 7
    came = [0] * 7
    for day in window:
        held[weekday(day)] += 1
        came[weekday(day)] += day in active
    return {w for w in range(7) if held[w] and 2 * came[w] >= held[w]}


def _episode(
    missed: Sequence[int], window: Sequence[int], evidence: Sequence[DayFacts], again: int | None, threshold: int
) -> Episode:
    came = len({day.day for day in evidence if day.activity} & set(window))
    since = as_date(missed[0])
    return Episode(
        rule=RULE,
        raised_on=missed[threshold - 1],
        cleared_on=again,
        reason=(
            f"No activity on {'the last ' if again is None else ''}{len(missed)} of the usual school days"
            f" (since {since.day} {since:%b}); before that active on {came} of {len(window)}."
        ),
        value=float(len(missed)),
        baseline=came / len(window),
        threshold=float(threshold),
        evidence_from=missed[0],
        evidence_to=missed[-1],
        providers=providers_of(evidence),
    )
