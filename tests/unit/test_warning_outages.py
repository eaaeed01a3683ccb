"""A provider that is away for a while is held against no student who works with others, too."""

from __future__ import annotations

import pytest

from streams.warning import activity_time
from streams.warning.coverage import Coverage
from streams.warning.facts import DayFacts
from tests.fixtures.pupils import WEEKDAYS, frame, pupil

OUTAGE = range(30, 41)
AWAY = Coverage(WEEKDAYS, {WEEKDAYS[n]: frozenset({"provider-a"}) for n in OUTAGE})


def worked(school_days: int) -> list[DayFacts]:
    """Twenty minutes a day with one provider and five with another; during the outage with the other alone."""
    return [
        DayFacts(day, 4, 2, 2, ("provider-b",), duration_ms=5 * 60_000)
        if n in OUTAGE
        else DayFacts(day, 20, 14, 12, ("provider-a", "provider-b"), duration_ms=25 * 60_000)
        for n, day in enumerate(WEEKDAYS[:school_days])
    ]


@pytest.mark.parametrize("school_days", range(31, 60, 2))
@pytest.mark.parametrize("rule", [activity_time.less_time, activity_time.slower_pace])
def test_time_and_pace_are_measured_on_days_with_all_usual_providers(rule: object, school_days: int) -> None:
    assert callable(rule)
    assert not rule(pupil(worked(school_days)), frame(WEEKDAYS[school_days], AWAY))


def test_a_provider_of_fridays_is_silent_on_other_days_and_hides_nothing() -> None:
    days = [
        DayFacts(
            day, 20 if n < 30 else 4, 0, 0, ("provider-a", *(["provider-b"] if n % 5 == 4 else [])),
            duration_ms=(25 if n < 30 else 5) * 60_000,
        )
        for n, day in enumerate(WEEKDAYS[:41])
    ]  # fmt: skip
    known = Coverage(WEEKDAYS, {day: frozenset({"provider-b"}) for n, day in enumerate(WEEKDAYS) if n % 5 != 4})
    assert [one.status for one in activity_time.less_time(pupil(days), frame(WEEKDAYS[41], known))] == ["open"]


def test_less_time_is_told_where_nobody_was_away() -> None:
    [episode] = activity_time.less_time(pupil(worked(41)), frame(WEEKDAYS[41], Coverage(WEEKDAYS)))
    assert WEEKDAYS[30] < episode.raised_on <= WEEKDAYS[40]
