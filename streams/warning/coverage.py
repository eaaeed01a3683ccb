"""School days on which the school was heard of: silence of everybody is a fault of a provider, not of a student."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LEAST_SHARE = 0.05


class SchoolDays:
    """Days in session, by school: the district's calendar, where a school's own rows win."""

    def __init__(self, calendar: Iterable[tuple[str, int, bool]]) -> None:
        """``calendar`` holds school (empty: the district), day and whether school is held."""
        self._district: dict[int, bool] = {}
        self._own: dict[str, dict[int, bool]] = {}
        for school, day, held in calendar:
            (self._own.setdefault(school, {}) if school else self._district)[day] = held

    def of(self, school: str) -> list[int]:
        """Days on which a school is held, sorted; of an unknown school the district's."""
        days = {**self._district, **self._own.get(school, {})}
        return sorted(day for day, held in days.items() if held)


def covered(days: Iterable[int], active: Mapping[int, int], students: int) -> list[int]:
    """Those of the school days on which at least one in twenty of the school's students was active.

    ``active`` counts students with activity by day. A school without students on its roster is not judged.
    """
    return [day for day in days if not students or active.get(day, 0) >= LEAST_SHARE * students]
