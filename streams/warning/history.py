"""What the rules look at: a student's days, and the days on which the school was in session and heard of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from streams.warning.facts import DayFacts


@dataclass(frozen=True)
class Thresholds:
    """Where the rules draw their lines: the settings of the district of the same names, described there."""

    warnings_from_grade: int
    inactivity_days: int
    success_drop: float
    time_drop: float
    pace_drop: float
    absence_share: float
    severe_absence_share: float
    absence_rise: float
    incidents: int
    failing_mark: float
    marks_drop: float
    missing_work: int
    late_work: int

    @classmethod
    def of(cls, district: object) -> Thresholds:
        """Those that a district has set."""
        return cls(**{one.name: getattr(district, one.name) for one in fields(cls)})


@dataclass(frozen=True)
class Episode:
    """One rising and, perhaps, clearing of a rule; see the table warnings. Days since 1970-01-01.

    ``coverage`` is the share of what the evidence is made of that is known: of the school days, or of the work due.
    """

    rule: str
    raised_on: int
    cleared_on: int | None
    reason: str
    value: float
    baseline: float
    threshold: float
    evidence_from: int
    evidence_to: int
    providers: tuple[str, ...]
    coverage: float = 1.0

    @property
    def status(self) -> str:
        """Open or cleared; withdrawn is told by the absence of an episode that was there before."""
        return "open" if self.cleared_on is None else "cleared"


def providers_of(days: Iterable[DayFacts]) -> tuple[str, ...]:
    """All providers with activity on these days, sorted."""
    return tuple(sorted({provider for day in days for provider in day.providers}))


def weekday(day: int) -> int:
    """0 Monday … 6 Sunday."""
    return (day + 3) % 7


def before(days: Sequence[DayFacts], today: int) -> list[DayFacts]:
    """The days that are over, in order."""
    return sorted(day for day in days if day.day < today)
