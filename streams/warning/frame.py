"""What all students of a school and grade share when the rules look: days, date, lines and school years."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from streams.warning.coverage import Coverage
from streams.warning.history import Thresholds

BREAK_DAYS = 28
"""So many days without school end a school year."""
LONGEST_YEAR = 365


class Frame:
    """Made once for many students.

    Attributes:
        known: what can be known about the students of the school.
        today: the day on which the rules look; it is not over.
        held: school days that are over, sorted: heard of or not.
        thresholds: lines of the district.
        unheard: school days on which the school was not heard of at all.
        years: first school days of the school years so far, sorted.
        turns: places in ``held`` at which a school year begins, the first one left out.
        raises_from: the first day on which anything may be raised.
    """

    def __init__(self, known: Coverage, today: int, thresholds: Thresholds, grade: int | None) -> None:
        self.known = known
        self.today = today
        self.thresholds = thresholds
        self.grade = grade
        everything = known.held
        self.held = everything[: bisect_left(everything, today)]
        self.unheard = frozenset(known.unheard)
        self.years = first_days([day for day in everything if day <= today])
        self.turns = frozenset(bisect_left(self.held, day) for day in self.years[1:] if day < today)
        self.raises_from = self._raises_from()

    def year_of(self, day: int) -> int:
        """First day of the school year of a day; a day before all of them belongs to the first."""
        return self.years[max(bisect_right(self.years, day) - 1, 0)] if self.years else day

    def grade_on(self, day: int) -> int | None:
        """Grade in the school year of a day: one less for each year that has begun since."""
        if self.grade is None:
            return None
        return self.grade - (len(self.years) - max(bisect_right(self.years, day), 1) if self.years else 0)

    def _raises_from(self) -> int:
        """First day in the lowest grade that is watched. A grade that is not known counts as the school's lowest."""
        grade = self.known.lowest_grade if self.grade is None else self.grade
        above = grade - self.thresholds.warnings_from_grade
        if above < 0:
            return self.today + 1
        return self.years[-1 - above] if above < len(self.years) else 0


def first_days(days: Sequence[int]) -> list[int]:
    """First school days of the school years: after four weeks without school, and after a year all the same."""
    found: list[int] = []
    last = None
    for day in days:
        if last is None or day - last > BREAK_DAYS or day - found[-1] >= LONGEST_YEAR:
            found.append(day)
        last = day
    return found
