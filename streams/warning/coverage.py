"""Days on which a student could be heard of: silence of everybody is a fault of a provider or a school.

A school day counts when the school was heard of at all; and it counts against a student only when one of the providers
that the student usually works with was heard of there. All of it looks back only, so that what is said about a day does
not change with what comes after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median

LEAST_SHARE = 0.05
LEAST_USUAL = 5
"""Students a day below whom the silence of a provider tells nothing: it may be theirs."""
USUAL_DAYS = 20
LEAST_DAYS = 3
QUIET_SHARE = 0.2
"""Below this share of its usual students of a day a provider counts as silent."""
LEAST_RECORDED = 10
"""Students with a record of attendance, below whom it tells nothing that most of them are absent."""

Active = Mapping[int, int]
"""Students with activity, by day."""


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


@dataclass(frozen=True)
class Coverage:
    """What can be known about the students of a school.

    Attributes:
        days: school days on which the school was heard of, sorted.
        silent: providers that were not heard of there, by day; days without any are left out.
        unheard: school days on which the school was not heard of at all.
        astray: days on which most students with a record of attendance are recorded absent: a closure, or a faulty
            record, and no absence of theirs.
        recorders: providers that tell of attendance and incidents, sorted.
        lowest_grade: lowest grade that is taught at the school.
    """

    days: Sequence[int]
    silent: Mapping[int, frozenset[str]] = field(default_factory=dict)
    unheard: Sequence[int] = ()
    astray: frozenset[int] = frozenset()
    recorders: tuple[str, ...] = ()
    lowest_grade: int = 0

    @cached_property
    def held(self) -> list[int]:
        """All school days so far, heard of or not, sorted."""
        return sorted({*self.days, *self.unheard})

    def tells_of(self, day: int, providers: Iterable[str]) -> bool:
        """Whether a student who works with these providers would have been heard of on a day."""
        silent = self.silent.get(day)
        return not silent or not silent.issuperset(providers)

    def before(self, day: int) -> Coverage:
        """What was known when ``day`` began."""
        return replace(
            self,
            days=[one for one in self.days if one < day],
            silent={one: who for one, who in self.silent.items() if one < day},
            unheard=[one for one in self.unheard if one < day],
            astray=frozenset(one for one in self.astray if one < day),
        )


def covered(days: Iterable[int], active: Active, students: int) -> list[int]:
    """Those of the school days on which at least one in twenty of the school's students was active.

    ``active`` counts students with activity by day. A school without students on its roster is not judged.
    """
    return [day for day in days if not students or active.get(day, 0) >= LEAST_SHARE * students]


def astray(recorded: Mapping[int, tuple[int, int]]) -> frozenset[int]:
    """Days on which attendance is not believed; ``recorded``: students with a record and those who missed, by day."""
    return frozenset(
        day for day, (students, missed) in recorded.items() if students >= LEAST_RECORDED and 2 * missed > students
    )


def coverage(
    days: Iterable[int], active: Active, students: int, here: Mapping[str, Active], everywhere: Mapping[str, Active]
) -> Coverage:
    """Coverage of a school.

    Args:
        days: its school days, sorted.
        active, students: see ``covered``.
        here, everywhere: students with activity at each provider, by day, of the school and of the district. Where
            few of the school work with a provider, the district tells whether it is silent.
    """
    held = list(days)
    counted = covered(held, active, students)
    silent: dict[int, set[str]] = defaultdict(set)
    for provider, elsewhere in everywhere.items():
        judged = silences(counted, elsewhere) | silences(counted, here.get(provider, {}))
        for day, quiet in judged.items():
            if quiet:
                silent[day].add(provider)
    unheard = sorted(set(held).difference(counted))
    return Coverage(counted, {day: frozenset(who) for day, who in silent.items()}, unheard)


def silences(days: Iterable[int], active: Active) -> dict[int, bool]:
    """Whether a provider was silent, for the days on which that can be told: its usual students are enough.

    Usual is the median of its last twenty days with activity.
    """
    judged = {}
    past: list[int] = []
    for day in days:
        now = active.get(day, 0)
        recent = past[-USUAL_DAYS:]
        if len(recent) >= LEAST_DAYS and (usual := median(recent)) >= LEAST_USUAL:
            judged[day] = now < QUIET_SHARE * usual
        if now and not judged.get(day):
            past.append(now)
    return judged
