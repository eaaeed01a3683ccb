"""How far a partition was read is told of the present assignment alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.agents.transport import ReadCommittedThread, ReadUntil

STATEMENTS = TopicPartition("statements", 0)


class Assignment:
    """One of aiokafka's: a new object at each rebalance, with the state of its partitions."""

    def __init__(self, position: int, end: int) -> None:
        self.tps = frozenset({STATEMENTS})
        self.state = SimpleNamespace(has_valid_position=True, position=position, lso=end)

    def state_value(self, _tp: TopicPartition) -> Any:
        return self.state


class Reads:
    """A thread whose fetches are played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, assignment: Assignment) -> None:
        self._subscription = SimpleNamespace(assignment=assignment)
        self._consumer = SimpleNamespace(_subscription=SimpleNamespace(subscription=self._subscription))
        self._records: dict[TopicPartition, list[Any]] = {}
        self.thread = ReadCommittedThread.__new__(ReadCommittedThread)
        self.thread._consumer = self._consumer
        self.thread.begin()

        async def fetched(*_: Any, **__: Any) -> dict[TopicPartition, list[Any]]:
            return self._records

        monkeypatch.setattr(AIOKafkaConsumerThread, "_fetch_records", fetched)

    async def fetch(self, *offsets: int, position: int) -> None:
        self._records = {STATEMENTS: [SimpleNamespace(offset=offset) for offset in offsets]} if offsets else {}
        self._subscription.assignment.state.position = position
        await self.thread._fetch_records(self._consumer, None)

    def assign(self, assignment: Assignment) -> None:
        self._subscription.assignment = assignment

    def told(self) -> ReadUntil | None:
        return self.thread.read_until().get(TP("statements", 0))


async def test_the_last_record_and_the_markers_after_it_are_told(monkeypatch: pytest.MonkeyPatch):
    reads = Reads(monkeypatch, Assignment(position=0, end=9))
    await reads.fetch(3, 4, position=5)
    await reads.fetch(position=6)
    assert reads.told() == ReadUntil(last_record=4, position=6, end=9)


async def test_a_fetch_that_ends_during_a_rebalance_marks_nothing_of_the_next_assignment(
    monkeypatch: pytest.MonkeyPatch,
):
    reads = Reads(monkeypatch, Assignment(position=0, end=9))
    await reads.fetch(3, 4, position=5)
    await reads.fetch(position=5)
    reads.assign(Assignment(position=3, end=9))
    assert reads.told() is None, "nothing was read since: records 3 and 4 may not be written"
    await reads.fetch(position=3)
    assert reads.told() == ReadUntil(last_record=-1, position=3, end=9)
