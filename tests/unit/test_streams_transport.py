"""How far a partition was read is told of the present assignment alone."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from infra.runtime.settings import Settings
from streams.agents.transport import FIRST, ReadCommittedThread, ReadUntil
from streams.app import Worker

STATEMENTS = TopicPartition("statements", 0)


class Assignment:
    """One of aiokafka's: a new object at each rebalance, with the state of its partitions."""

    def __init__(self, position: int, end: int) -> None:
        self.tps = frozenset({STATEMENTS})
        self.state = SimpleNamespace(has_valid_position=True, position=position, lso=end, timestamp=7)

    def state_value(self, _tp: TopicPartition) -> Any:
        return self.state


class Reads:
    """A thread whose fetches are played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, assignment: Assignment) -> None:
        self._subscription = SimpleNamespace(assignment=assignment)
        self._consumer = SimpleNamespace(
            _subscription=SimpleNamespace(subscription=self._subscription), _fetcher=SimpleNamespace(_records={})
        )
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
    assert reads.told() == ReadUntil(last_record=4, position=6, end=9, seen_us=7_000)


async def test_a_fetch_that_ends_during_a_rebalance_marks_nothing_of_the_next_assignment(
    monkeypatch: pytest.MonkeyPatch,
):
    reads = Reads(monkeypatch, Assignment(position=0, end=9))
    await reads.fetch(3, 4, position=5)
    await reads.fetch(position=5)
    reads.assign(Assignment(position=3, end=9))
    assert reads.told() is None, "nothing was read since: records 3 and 4 may not be written"
    await reads.fetch(position=3)
    assert reads.told() == ReadUntil(last_record=-1, position=3, end=9, seen_us=7_000)


async def test_the_record_before_each_is_known_also_after_a_seek_and_of_the_present_assignment_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    tp, reads = TP("statements", 0), Reads(monkeypatch, Assignment(position=0, end=9))
    await reads.fetch(3, 4, position=5)
    await reads.fetch(7, position=8)
    await reads.fetch(4, 7, 8, position=9)
    assert [reads.thread.predecessor(tp, offset) for offset in (3, 4, 7, 8, 9)] == [FIRST, 3, 4, 7, None]
    reads.assign(Assignment(position=4, end=9))
    await reads.fetch(4, position=5)
    assert [reads.thread.predecessor(tp, offset) for offset in (3, 4, 7)] == [None, FIRST, None]


class Consumer:
    """One that owns partitions, and refuses to commit nothing, as aiokafka does."""

    def __init__(self, *mine: TopicPartition) -> None:
        self._mine = set(mine)
        self.committed: list[dict[TopicPartition, Any]] = []

    def assignment(self) -> set[TopicPartition]:
        return self._mine

    async def commit(self, offsets: dict[TopicPartition, Any]) -> None:
        if not offsets:
            raise ValueError(offsets)
        self.committed.append(offsets)


async def test_a_partition_of_which_nothing_was_committed_is_read_from_its_beginning_again():
    other, third = TopicPartition("statements", 1), TopicPartition("statements", 2)
    sought: list[TopicPartition] = []

    class Seeking:
        async def seek_to_committed(self) -> dict[TopicPartition, int | None]:
            return {STATEMENTS: None, other: 7, third: 0}

        async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
            sought.extend(partitions)

    thread = ReadCommittedThread.__new__(ReadCommittedThread)
    thread._consumer = Seeking()
    assert await thread._seek_to_committed() == {STATEMENTS: None, other: 7, third: 0}
    assert sought == [STATEMENTS, third]


@pytest.mark.parametrize("mine", [(), (STATEMENTS,)])
async def test_only_offsets_of_own_partitions_are_committed(mine: tuple[TopicPartition, ...]):
    thread = ReadCommittedThread.__new__(ReadCommittedThread)
    thread._consumer = consumer = Consumer(*mine)
    assert await thread._commit_offsets({TP("statements", 0): 7, TP("statements", 1): 9})
    assert [set(offsets) for offsets in consumer.committed] == [{tp} for tp in mine]


async def test_a_worker_whose_offsets_cannot_be_committed_stops_all_the_same():
    """One that does not leave the group keeps its partitions, and nobody processes them."""
    worker, stopped = Worker(Settings()), []

    async def fail() -> None:
        raise ValueError({})

    async def stop(part: str) -> None:
        stopped.append(part)

    worker._intakes = {}
    worker._offsets = cast(Any, SimpleNamespace(commit=fail))
    worker._started = [partial(stop, "health"), fail, partial(stop, "app")]
    await worker.stop()
    assert stopped == ["app", "health"]
