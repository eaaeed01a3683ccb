"""Rule: no activity on n of the student's usual days in a row.

A student's usual days are the weekdays on which the student was active at least half of the time, over the twenty
school days that end with the last active one. So a student who comes on Tuesdays only is not missed on Wednesdays. A
day on which none of the student's providers was heard of at the school is not held against the student. A warning
clears on the second active day: one visit is no return, and whoever misses n usual days again after it was never back.
The n days that it takes to raise are the cool-down.

Source: behavioural engagement (Fredricks, Blumenfeld & Paris 2004, Review of Educational Research 74(1), 59-109),
against the student's own pattern: trajectories tell more than single cuts (Bowers, Sprott & Taff 2013).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from streams.rows.days import as_date
from streams.warning.facts import DayFacts, StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode, providers_of, weekday

RULE = "inactivity"
WINDOW = 20
LEAST_HISTORY = 10
RETURNS = 2
"""Active days, without a long silence between them, that clear a warning."""


class _Own(NamedTuple):
    """A student's own pattern, as it was when the silence began."""

    window: Sequence[int]
    evidence: Sequence[DayFacts]
    usual: frozenset[int]
    providers: tuple[str, ...]
    came: int


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order. A silent day counts when it is over, activity counts at once."""
    needed = frame.thresholds.inactivity_days
    days = sorted(day for day in facts.days if day.activity and day.day <= frame.today)
    active = [day.day for day in days]
    found: list[Episode] = []
    own: _Own | None = None
    raised_on, missed, returns = 0, list[int](), 0
    for place, last_active in enumerate(active):
        again = active[place + 1] if place + 1 < len(active) else None
        end = frame.today if again is None else again
        silent = _silent(frame.known.days, last_active, end)
        if own is None:
            if len(silent) < needed or (pattern := _pattern(days, active, place, frame)) is None:
                continue
            some = _missed(silent, pattern, frame)
            if len(some) >= needed and some[needed - 1] >= frame.raises_from:
                own, raised_on, missed, returns = pattern, some[needed - 1], some, 0
        elif len(some := _missed(silent, own, frame)) >= needed:
            missed, returns = some, 0
        if own is not None and again is not None:
            returns += 1
            if returns == RETURNS:
                found.append(_episode(raised_on, missed, own, again, needed, now=False))
                own = None
    if own is not None:
        found.append(_episode(raised_on, missed, own, None, needed, now=returns == 0))
    return found


def _silent(school_days: Sequence[int], after: int, end: int) -> Sequence[int]:
    return school_days[bisect_right(school_days, after) : bisect_left(school_days, end)]


def _missed(silent: Sequence[int], own: _Own, frame: Frame) -> list[int]:
    known = frame.known
    return [day for day in silent if weekday(day) in own.usual and known.tells_of(day, own.providers)]


def _pattern(days: Sequence[DayFacts], active: Sequence[int], place: int, frame: Frame) -> _Own | None:
    """The pattern up to an active day; None where there is too little of it."""
    school_days = frame.known.days
    after = bisect_right(school_days, active[place])
    window = school_days[max(bisect_left(school_days, active[0]), after - WINDOW) : after]
    if len(window) < LEAST_HISTORY:
        return None
    evidence = days[bisect_left(active, window[0]) : place + 1]
    came = {day.day for day in evidence}
    held, attended = [0] * 7, [0] * 7
    for day in window:
        held[weekday(day)] += 1
        attended[weekday(day)] += day in came
    usual = frozenset(w for w in range(7) if held[w] and 2 * attended[w] >= held[w])
    return _Own(window, evidence, usual, providers_of(evidence), len(came & set(window)))


def _episode(
    raised_on: int, missed: Sequence[int], own: _Own, cleared_on: int | None, threshold: int, *, now: bool
) -> Episode:
    since = as_date(missed[0])
    return Episode(
        rule=RULE,
        raised_on=raised_on,
        cleared_on=cleared_on,
        reason=(
            f"No activity on {'the last ' if now else ''}{len(missed)} of the usual school days"
            f" (since {since.day} {since:%b}); before that active on {own.came} of {len(own.window)}."
        ),
        value=float(len(missed)),
        baseline=own.came / len(own.window),
        threshold=float(threshold),
        evidence_from=missed[0],
        evidence_to=missed[-1],
        providers=own.providers,
    )
