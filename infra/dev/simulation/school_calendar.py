"""School days of the sample district: weekdays without holidays, the whole year round.

There is no summer: the sample has to hold sixty school days before any day on which somebody tries it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple


class Day(NamedTuple):
    """One day of the calendar; ``label`` says why school is not held, empty on a school day."""

    day: date
    in_session: bool
    label: str


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def holidays(year: int) -> dict[date, str]:
    """Days without school in a calendar year, with their names."""
    thanksgiving = _nth_weekday(year, 11, 3, 4)
    spring = _nth_weekday(year, 3, 0, 3)
    found = {
        _nth_weekday(year, 1, 0, 3): "Martin Luther King Jr. Day",
        _nth_weekday(year, 2, 0, 3): "Presidents' Day",
        **{spring + timedelta(days=n): "Spring break" for n in range(5)},
        _nth_weekday(year, 6, 0, 1) - timedelta(days=7): "Memorial Day",
        date(year, 6, 19): "Juneteenth",
        date(year, 7, 4): "Independence Day",
        _nth_weekday(year, 9, 0, 1): "Labor Day",
        _nth_weekday(year, 10, 0, 2): "Indigenous Peoples' Day",
        date(year, 11, 11): "Veterans Day",
        thanksgiving: "Thanksgiving",
        thanksgiving + timedelta(days=1): "Thanksgiving break",
        date(year, 1, 1): "New Year's Day",
    }
    return found | {date(year, 12, n): "Winter break" for n in range(23, 32)}


def day_of(day: date) -> Day:
    """What the calendar says about a day."""
    if day.weekday() >= 5:
        return Day(day, False, "Weekend")
    label = holidays(day.year).get(day, "")
    return Day(day, not label, label)


def first_day(today: date, school_days: int) -> date:
    """The day from which ``school_days`` (0 or more) days of school were held before ``today``."""
    day = today
    while school_days > 0:
        day -= timedelta(days=1)
        school_days -= day_of(day).in_session
    return day


def days_between(start: date, end: date) -> list[Day]:
    """All days from ``start`` to ``end``, both included."""
    return [day_of(start + timedelta(days=n)) for n in range((end - start).days + 1)]
