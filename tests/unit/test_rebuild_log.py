"""Which offsets of the log a range of time is, and what is said where it is none that can be had."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

from streams.rebuild.log import EmptyRangeError, Range, RetentionError, find

HOUR_MS = 3_600_000


class Found(NamedTuple):
    offset: int
    timestamp: int


class Log:
    """A partition with a record an hour, of which the first ones may be gone, as a consumer tells of it."""

    def __init__(self, records: int, gone: int = 0) -> None:
        self._records = records
        self._gone = gone

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, self._gone)

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, self._records)

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Found | None]:
        found: dict[TopicPartition, Found | None] = {}
        for tp, at in times.items():
            offsets = (n for n in range(self._gone, self._records) if n * HOUR_MS >= at)
            first = next(offsets, None)
            found[tp] = None if first is None else Found(first, first * HOUR_MS)
        return found


def ranges(log: Any, since: float, until: float | None = None, written: int = 1_000) -> list[Range]:
    """Times in hours."""
    moments = round(since * HOUR_MS * 1_000), None if until is None else round(until * HOUR_MS * 1_000)
    return asyncio.run(find(log, "statements", 1, *moments, [written]))


def test_a_range_of_time_is_a_range_of_offsets() -> None:
    assert ranges(Log(24), 2.5, 6) == [Range(0, 3, 6)]
    assert ranges(Log(24), 0) == [Range(0, 0, 24)]
    assert ranges(Log(24, gone=4), 4, 30) == [Range(0, 4, 24)]


def test_it_goes_no_further_than_the_workers_have_come() -> None:
    assert ranges(Log(24), 2, written=9) == [Range(0, 2, 10, left=14)]
    with pytest.raises(EmptyRangeError, match="have not processed the 4 records"):
        ranges(Log(24), 20, written=9)


def test_nothing_of_that_time_is_told() -> None:
    for log, since, until in ((Log(24), 30, None), (Log(0), 0, None), (Log(24), 2.1, 2.2)):
        with pytest.raises(EmptyRangeError, match="the log holds nothing of that time"):
            ranges(log, since, until)


def test_what_the_log_no_longer_holds_is_left_to_a_rebuild() -> None:
    with pytest.raises(RetentionError, match=r"begin at 1970-01-01T06:00:00\+00:00 or later.*roundtrip rebuild"):
        ranges(Log(24, gone=6), 5)
