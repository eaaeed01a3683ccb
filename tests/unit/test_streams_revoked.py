"""Between the moment a partition is lost and the next assignment Faust still hands over what it has collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from streams.agents.intake import Intake, Offsets, Partitions

TOPIC = "statements"
PARTITION = TP(TOPIC, 0)


class Signal:
    def connect(self, listener: Any) -> None:
        self.send = listener


class Consumer:
    """Of a group that this worker is in; ``committed`` is what Kafka was told."""

    def __init__(self) -> None:
        self.committed: dict[TP, int] = {}
        self.mine = {PARTITION}
        self.fetched: list[int] = []

    def assignment(self) -> set[TP]:
        return self.mine

    def predecessor(self, _tp: TP, offset: int) -> int | None:
        return max((one for one in self.fetched if one < offset), default=-1) if offset in self.fetched else None

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        self.committed.update(offsets)
        return True


class Pipeline:
    """Takes messages; throws away what waits of a revoked partition."""

    def __init__(self) -> None:
        self.waiting: list[int] = []

    async def take(self, messages: Collection[Any]) -> None:
        self.waiting += [message.offset for message in messages]

    async def drain(self) -> None:
        return

    def drop(self, partitions: Collection[int]) -> None:
        self.waiting.clear()


class Worker:
    """An intake with its partitions, over a consumer, a pipeline and an app that are none."""

    def __init__(self) -> None:
        self.consumer, self.pipeline = Consumer(), Pipeline()
        self.app = SimpleNamespace(
            consumer=self.consumer, consumer_generation_id=7,
            on_partitions_revoked=Signal(), on_partitions_assigned=Signal(),
        )  # fmt: skip
        app = cast("Any", self.app)
        self.offsets = Offsets(app)
        ends = SimpleNamespace(drop=lambda partitions: None)
        self.partitions = Partitions(
            app, TOPIC, cast("Any", self.pipeline), self.offsets, cast("Any", SimpleNamespace()), cast("Any", ends)
        )
        self.intake = Intake(app, self.offsets, self.pipeline.take, self.pipeline.drain, self.partitions.stale)

    async def hand_over(self, *offsets: int, fetched: Collection[int] = ()) -> None:
        self.consumer.fetched = sorted({*self.consumer.fetched, *offsets, *fetched})
        generation = self.app.consumer_generation_id
        await self.intake(
            [SimpleNamespace(tp=PARTITION, partition=0, offset=o, generation_id=generation) for o in offsets]
        )

    async def revoke(self) -> None:
        await self.app.on_partitions_revoked.send(self.app, {PARTITION})

    async def assign(self, generation: int) -> None:
        self.app.consumer_generation_id = generation
        self.consumer.fetched = []
        await self.app.on_partitions_assigned.send(self.app, {PARTITION})


async def test_what_comes_behind_records_that_were_thrown_away_is_not_taken() -> None:
    worker = Worker()
    await worker.hand_over(20, 21)
    await worker.revoke()
    await worker.hand_over(22, 23)
    assert worker.pipeline.waiting == []
    await worker.assign(generation=9)
    await worker.hand_over(20, 21, 22)
    assert worker.pipeline.waiting == [20, 21, 22]


async def test_what_was_written_before_the_partition_was_lost_is_committed_once_and_forgotten() -> None:
    worker = Worker()
    worker.offsets.done(PARTITION, 20)
    await worker.revoke()
    assert worker.consumer.committed == {PARTITION: 20}
    await worker.assign(generation=9)
    worker.consumer.committed.clear()
    await worker.offsets.commit()
    assert worker.consumer.committed == {}


async def test_a_group_that_counts_its_generations_anew_is_no_reason_to_take_nothing() -> None:
    worker = Worker()
    await worker.revoke()
    await worker.assign(generation=7)
    await worker.hand_over(20)
    assert worker.pipeline.waiting == [20]


async def test_a_record_that_was_fetched_and_not_handed_over_ends_the_worker_before_it_is_acknowledged() -> None:
    worker = Worker()
    await worker.hand_over(20, 21)
    await worker.hand_over(23, fetched=[22])
    assert worker.pipeline.waiting == [20, 21]
    assert worker.intake.failed.is_set()


async def test_the_first_records_of_an_assignment_cannot_be_missed_either() -> None:
    worker = Worker()
    await worker.hand_over(20)
    await worker.revoke()
    await worker.assign(generation=9)
    await worker.hand_over(22, fetched=[20, 21])
    assert worker.intake.failed.is_set()


async def test_markers_between_records_and_records_that_come_again_are_nothing_missed() -> None:
    worker = Worker()
    await worker.hand_over(20, 24)
    await worker.hand_over(20, 24, 27)
    assert worker.pipeline.waiting == [20, 24, 20, 24, 27]
    assert not worker.intake.failed.is_set()
