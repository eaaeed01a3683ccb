"""Days counted by the extension are those that the Python counts; what it is not sure of it leaves as it was."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from schemas import verbs
from schemas.events import Item
from streams.counting import days_of
from streams.rows.arrival import NO_UUID, Arrival
from streams.rows.days import LocalDays
from streams.rows.engagement import DayCount, extension

MIDNIGHT_US = 1_790_053_200_000_000
"""The beginning of a day in Chicago, in September 2026."""
VERBS = sorted(verbs.ALL)


def arrival(rng: random.Random) -> Arrival:
    """Any verb, provider, outcome and duration, within some hours about midnight; positions come again."""
    outcome = rng.choice([None, 0.0, 0.5, 0.49, 1.0])
    item = Item(
        NO_UUID, NO_UUID, rng.choice("abc"), rng.choice(VERBS), [], MIDNIGHT_US + rng.randrange(-(10**10), 10**10), 0,
        0, 0, b"",
    )  # fmt: skip
    lasted = rng.choice([-1, 0, 1, rng.randrange(10**9)])
    return Arrival(0, rng.randrange(50), 0, item, "", "", "", NO_UUID, outcome, lasted)


def told(count: DayCount) -> dict[str, Any]:
    return {name: getattr(count, name) for name in DayCount.__slots__}


def test_the_extension_was_built() -> None:
    assert compiled("streams._counts") is not None, "python requirements/extension.py --required"


@settings(deadline=None)
@given(st.integers(0, 10**9), st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_the_extension_counts_what_the_python_counts(seed: int, parts: list[int]) -> None:
    rng = random.Random(seed)
    one, other = DayCount(), DayCount()
    for number in parts:
        some = [arrival(rng) for _ in range(number)]
        assert extension.add(one, some)
        other.in_python(some)
        assert told(one) == told(other)
        if rng.random() < 0.5:
            one.base = other.base = one.watermark


def test_providers_that_a_row_was_given_stay_as_they_were() -> None:
    count, rng = DayCount(), random.Random(1)
    count.add([msgspec.structs.replace(arrival(rng), offset=1)])
    given_to_a_row = count.providers
    before = given_to_a_row.copy()
    count.add([arrival(rng) for _ in range(100)])
    assert count.providers == ["a", "b", "c"]
    assert given_to_a_row == before


@pytest.mark.parametrize(
    "odd",
    [{"outcome": 1}, {"offset": 2**63}, {"duration_ms": 2**62}, {"duration_ms": 1.0}, {"item": None}],
    ids=repr,
)
def test_what_is_unusual_is_left_to_the_python_with_the_count_as_it_was(odd: dict[str, Any]) -> None:
    rng = random.Random(3)
    usual = [msgspec.structs.replace(arrival(rng), offset=7) for _ in range(10)]
    count = DayCount()
    before = told(count)
    assert not extension.add(count, [*usual, msgspec.structs.replace(usual[0], **odd)])
    assert not extension.add(count, tuple(usual))
    assert told(count) == before
    count.successes = 2**70
    assert not extension.add(count, usual)
    count.add(usual)
    assert (count.statements, count.watermark) == (10, 7)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 20))
def test_days_are_those_of_the_clock_on_the_wall_there(seed: int, number: int) -> None:
    rng, days = random.Random(seed), LocalDays("America/Chicago")
    some = [arrival(rng) for _ in range(number)]
    expected = [days.day_of(one.item.timestamp) for one in some]
    assert extension.days(some, days.known) == expected == days_of(some, LocalDays("America/Chicago"))
    assert extension.days(tuple(some), days.known) is None
    early = msgspec.structs.replace(some[0].item, timestamp=-1) if some else None
    if early is not None:
        odd = [*some, msgspec.structs.replace(some[0], item=early)]
        assert extension.days(odd, days.known) is None
        assert days_of(odd, days) == [*expected, -1]
