"""Rules: much less time of activity, and far fewer answers on an active day, than in the student's own past.

Both measure the student against nobody else: who is slow, but steady, is never behind. Time is summed over school days
on which the providers of most of the student's days could be heard of: with one of them away there is less of it for no
fault of the student's. The pace is over such days with answers, so that it tells nothing twice that the days tell.
While a warning is open, the past is the one that it was raised against.

Sources: time on task as behavioural engagement (Fredricks, Blumenfeld & Paris 2004, Review of Educational Research
74(1), 59-109); falling activity comes before leaving (Kuzilek et al. 2017, Scientific Data 4, 170171, the data of which
show it); trajectories tell more than single cuts (Bowers, Sprott & Taff 2013).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from streams.warning.coverage import USUAL_DAYS
from streams.warning.facts import DayFacts, StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode, before, providers_of
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Judge, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import Series, sums

TIME = "less_time"
PACE = "slower_pace"
MINUTE_MS = 60_000.0
MOST_MINUTES = 240.0
"""Of one day: more is a page left open."""
LEAST_MINUTES = 5.0
"""Usual minutes a school day, below which less of them tells nothing."""
LEAST_ANSWERS = 5.0
"""Usual answers on an active day, below which fewer of them tell nothing."""
LEAST_ACTIVE = 3
"""Active days of the recent ones: fewer are the matter of the rule of inactivity."""
LINES = Lines(clear_days=3, cool_down=10)


class _Stretch(NamedTuple):
    """Places that are recent, those before, and the least of these."""

    recent: int
    past: int
    least: int


_TIME = _Stretch(10, 30, 15)
_PACE = _Stretch(10, 20, 10)


def less_time(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days on which the student could be heard of."""
    by_day = {day.day: day for day in facts.days if day.activity and day.day < frame.today}
    if not any(day.duration_ms for day in by_day.values()):
        return []
    days, providers = _heard(by_day, frame)
    minutes = [min(by_day[day].duration_ms / MINUTE_MS, MOST_MINUTES) if day in by_day else 0.0 for day in days]
    active = sums([day in by_day for day in days])

    def judge(place: int, raised: Reading | None) -> Reading | None:
        few = active[place + 1] - active[max(place + 1 - _TIME.recent, 0)] < LEAST_ACTIVE
        return None if raised is None and few else read(place, raised)

    def words(reading: Reading) -> str:
        return (
            f"{_time(reading.value * _TIME.recent)} of activity in the last {_TIME.recent} school days;"
            f" {_time(reading.baseline * _TIME.recent)} before that."
        )

    drop = frame.thresholds.time_drop
    read = _against_own(days, Series(minutes), _TIME, drop, LEAST_MINUTES, providers.__getitem__)
    return fold(TIME, frame, LINES, len(days), judge, words, drop)


def slower_pace(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are days with answers."""
    whole = set(_heard({day.day: day for day in facts.days if day.activity}, frame)[0])
    practised = [day for day in before(facts.days, frame.today) if day.attempts and day.day in whole]

    def backing(place: int) -> tuple[str, ...]:
        return providers_of(practised[place + 1 - _PACE.recent : place + 1])

    def words(reading: Reading) -> str:
        return (
            f"{reading.value:.0f} answers a day on the last {_PACE.recent} active days;"
            f" {reading.baseline:.0f} a day before that."
        )

    answers = Series([float(day.attempts) for day in practised])
    drop = frame.thresholds.pace_drop
    read = _against_own([day.day for day in practised], answers, _PACE, drop, LEAST_ANSWERS, backing)
    return fold(PACE, frame, LINES, len(practised), read, words, drop)


def _heard(by_day: Mapping[int, DayFacts], frame: Frame) -> tuple[list[int], list[tuple[str, ...]]]:
    """School days since the first active one on which the student could be heard of, and by which providers: those of
    the last USUAL_DAYS active days.

    One that the student worked with on half of them must not be away; one of now and then, as for work that is handed
    in on Fridays, is silent on many a day that is not short.
    """
    days: list[int] = []
    providers: list[tuple[str, ...]] = []
    usual: deque[tuple[str, ...]] = deque(maxlen=USUAL_DAYS)
    own: tuple[str, ...] = ()
    for day in frame.known.days:
        if day >= frame.today:
            break
        if (facts := by_day.get(day)) is not None:
            usual.append(facts.providers)
            own = tuple(sorted({one for some in usual for one in some}))
        away = frame.known.silent.get(day, frozenset()).intersection(own)
        mostly = any(2 * sum(one in some for some in usual) >= len(usual) for one in away)
        if own and not mostly and frame.known.tells_of(day, own):
            days.append(day)
            providers.append(own)
    return days, providers


def _against_own(
    days: Sequence[int],
    series: Series,
    stretch: _Stretch,
    drop: float,
    least: float,
    providers: Callable[[int], tuple[str, ...]],
) -> Judge:
    """Reads the mean of the recent places against the one before them."""

    def read(place: int, raised: Reading | None) -> Reading | None:
        start = place + 1 - stretch.recent
        first = max(start - stretch.past, 0)
        if start - first < stretch.least:
            return None
        recent = series.average(start, place + 1)
        if raised is None:
            usual = series.average(first, start)
            if usual < least or recent > (1 - drop) * usual:
                return None
            if not series.mean(start, place + 1).below(series.mean(first, start)):
                return None
            level = RAISE
        else:
            usual = raised.baseline
            level = CLEAR if recent > (1 - drop / 2) * usual else HOLD
        return Reading(days[place], level, recent, usual, days[start], days[place], (), providers(place))

    return read


def _time(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
