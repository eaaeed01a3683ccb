"""A batch is processed while the one before it is written, and nobody can tell from tables or acknowledgements."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Self

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.metrics import StreamsMetrics
from schemas.events import DeadLetter, Envelope, Item
from streams import waiting
from streams.health import Health
from streams.learner.calibration import Calibration
from streams.limits import Gate, Known, Limit
from streams.pipeline import Origin, Pipeline
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows import tables
from streams.rows.tables import Columns, Row
from streams.sink import Refused, StoppedError
from streams.unwritten import SettledStore, Unwritten
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_items
from tests.fixtures.memory_store import KEYS, MemoryStore

ITEMS = list(make_items(200, 4, Mix(students=5, skills=3, items=7, attempts=0.6, filler=0)))
RECORDS = [Record(0, n, msgspec.msgpack.encode(ITEMS[n * 4 : n * 4 + 4])) for n in range(50)]


class SlowSink:
    """Writes into a store in memory; ``before`` is called with each insert and may wait or raise."""

    def __init__(self, store: MemoryStore, before: Callable[[Columns, Sequence[Row]], None]) -> None:
        self._store = store
        self._before = before

    def insert(self, columns: Columns, rows: Sequence[Row]) -> list[Refused]:
        self._before(columns, rows)
        if columns in KEYS:
            self._store.write(columns, rows)
        return []


class Letters:
    def __init__(self) -> None:
        self.kept: list[DeadLetter] = []

    async def publish(self, letters: Iterable[DeadLetter]) -> None:
        self.kept += letters


class Bench:
    """A pipeline with a batch for each record, and a memory so short that it has to read back what it wrote."""

    def __init__(
        self,
        before: Callable[[Columns, Sequence[Row]], None] = lambda columns, rows: None,
        decoded: Callable[[list[Item]], None] = lambda items: None,
    ) -> None:
        self.store, self.letters, unwritten = MemoryStore(), Letters(), Unwritten()
        self.acknowledged: dict[int, list[int]] = {}

        def decode(value: bytes) -> Envelope:
            items = msgspec.msgpack.decode(value, type=list[Item])
            decoded(items)
            return Envelope("i", 0, items)

        options = ProcessorOptions(
            topic="statements", generation=1, timezone="UTC", cached_students=1, remembered_statements=1,
            calibration=Calibration(), clock=lambda: FIRST_DAY_US,
        )  # fmt: skip
        self.pipeline = Pipeline(
            Processor(decode, SettledStore(self.store, unwritten), options),
            SlowSink(self.store, before),  # type: ignore[arg-type]
            SlowSink(self.store, before),  # type: ignore[arg-type]
            unwritten,
            self.letters,  # type: ignore[arg-type]
            Gate(Limit(share=0.3, window=8, least=4), lambda partition: Known()),
            StreamsMetrics(CollectorRegistry()),
            Health(30.0, time.monotonic),
            Origin("statements", 1, "w"),
            lambda: FIRST_DAY_US,
            lambda partition, offset: self.acknowledged.setdefault(partition, []).append(offset),
        )

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.pipeline.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await asyncio.to_thread(self.pipeline.close)

    async def handle(self, records: Sequence[Record]) -> None:
        """Take records, and wait until all of them are written."""
        await self.pipeline.take(records)
        await self.pipeline.drain()

    async def handle_and_close(self, records: Sequence[Record]) -> None:
        async with self:
            await self.handle(records)


@pytest.fixture(autouse=True)
def a_batch_for_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LARGEST_BATCH_BYTES", 1)


class Meeting:
    """Holds the writing of the first record's statements until the second record is decoded."""

    def __init__(self) -> None:
        self.next_one = threading.Event()
        self.bench = Bench(self.before, self.decoded)

    def before(self, columns: Columns, rows: Sequence[Row]) -> None:
        if columns is tables.STATEMENTS and rows[0][2] == ITEMS[0].statement_id:
            assert self.next_one.wait(60)

    def decoded(self, items: list[Item]) -> None:
        if items[0] == ITEMS[4]:
            self.next_one.set()


async def test_a_batch_is_processed_while_the_one_before_it_is_written() -> None:
    bench = Meeting().bench
    await bench.handle_and_close(RECORDS[:2])
    assert len(bench.store.tables[tables.STATEMENTS]) == 8
    assert bench.pipeline.progress.last(0) == 1
    assert bench.acknowledged == {0: [1, 2]}


async def test_a_hand_over_is_processed_while_the_end_of_the_one_before_it_is_written() -> None:
    async with Meeting().bench as bench:
        await bench.pipeline.take(RECORDS[:1])
        assert bench.acknowledged == {}
        await bench.handle(RECORDS[1:2])
        assert bench.acknowledged == {0: [1, 2]}


async def test_a_hand_over_waits_while_a_whole_batch_waits() -> None:
    held = threading.Event()

    def hold(columns: Columns, rows: Sequence[Row]) -> None:
        assert held.wait(60)

    async with Bench(hold) as bench:
        taken = asyncio.create_task(bench.pipeline.take(RECORDS))
        await asyncio.sleep(0.05)
        assert not taken.done()
        held.set()
        await taken
        await bench.pipeline.drain()
    assert bench.acknowledged == {0: list(range(1, 51))}


async def test_little_that_waits_becomes_one_batch_while_the_store_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LARGEST_BATCH_BYTES", 2**20)
    held, writing = threading.Event(), threading.Event()

    def hold(columns: Columns, rows: Sequence[Row]) -> None:
        writing.set()
        assert held.wait(60)

    async with Bench(hold) as bench:
        await bench.pipeline.take(RECORDS[:1])
        await asyncio.to_thread(writing.wait, 60)
        for record in RECORDS[1:5]:
            await bench.pipeline.take([record])
        held.set()
        await bench.pipeline.drain()
    assert bench.acknowledged == {0: [1, 5]}


async def test_the_tables_are_those_of_one_batch_after_the_other() -> None:
    rng = random.Random(1)
    bench = Bench(lambda columns, rows: time.sleep(rng.choice((0, 0, 0.002))))
    again = [*RECORDS, *(Record(0, 50 + n, record.value) for n, record in enumerate(RECORDS[:20]))]
    async with bench:
        for start in range(0, len(again), 7):
            await bench.pipeline.take(again[start : start + 7])
        await bench.pipeline.drain()
    alone = Bench()
    async with alone:
        for record in again:
            await alone.handle([record])
    assert bench.store.contents() == alone.store.contents()
    assert len(bench.store.tables[tables.OUTCOMES]) == 80
    assert bench.acknowledged == alone.acknowledged == {0: list(range(1, 71))}


async def test_what_cannot_be_written_is_tried_record_by_record_from_what_the_store_holds() -> None:
    failures = 0

    def break_at_the_tenth(columns: Columns, rows: Sequence[Row]) -> None:
        nonlocal failures
        if columns is tables.STUDENT_STATES and any(row[-1] == 10 for row in rows) and failures < 1:
            failures += 1
            raise RuntimeError("a fault of the program")

    bench, whole = Bench(break_at_the_tenth), Bench()
    await bench.handle_and_close(RECORDS)
    await whole.handle_and_close(RECORDS)
    assert failures == 1
    assert bench.store.contents() == whole.store.contents()
    assert bench.acknowledged == whole.acknowledged
    assert not bench.letters.kept


async def test_the_last_batch_of_a_hand_over_is_tried_again_though_nothing_follows_it() -> None:
    failures = 0

    def break_once(columns: Columns, rows: Sequence[Row]) -> None:
        nonlocal failures
        if columns is tables.ATTEMPTS and not failures:
            failures += 1
            raise RuntimeError("a fault of the program")

    bench = Bench(break_once)
    await bench.handle_and_close(RECORDS[:1])
    assert failures == 1
    assert bench.acknowledged == {0: [1]}


async def test_a_worker_told_to_stop_acknowledges_nothing_that_is_not_written() -> None:
    def stop(columns: Columns, rows: Sequence[Row]) -> None:
        if columns is tables.ATTEMPTS and any(row[12] == 3 for row in rows):
            raise StoppedError

    bench = Bench(stop)
    async with bench:
        await bench.handle(RECORDS)
        await bench.running
    assert bench.acknowledged == {0: [1, 2, 3]}
    assert bench.pipeline.progress.last(0) == 2
    assert max(row["offset"] for row in bench.store.tables[tables.STATEMENTS].values()) == 3


async def test_what_waits_of_a_revoked_partition_is_left_to_its_owner() -> None:
    held, writing = threading.Event(), threading.Event()

    def hold(columns: Columns, rows: Sequence[Row]) -> None:
        writing.set()
        assert held.wait(60)

    other = [Record(1, n, record.value) for n, record in enumerate(RECORDS[10:12])]
    async with Bench(hold) as bench:
        taken = asyncio.create_task(bench.pipeline.take([*RECORDS[:4], *other]))
        await asyncio.to_thread(writing.wait, 60)
        bench.pipeline.drop([0])
        held.set()
        await taken
        await bench.pipeline.drain()
    assert bench.acknowledged == {1: [1, 2]}
    assert bench.pipeline.progress.last(0) == -1
    assert {(row["partition"], row["offset"]) for row in bench.store.tables[tables.STATEMENTS].values()} <= {
        (0, 0), (0, 1), (1, 0), (1, 1),
    }  # fmt: skip


async def test_a_partition_with_too_much_poison_is_stopped_and_the_others_are_written() -> None:
    poison = [msgspec.structs.replace(item, statement=b"{") for item in ITEMS[40:44]]
    records = [
        *(Record(0, n, record.value) for n, record in enumerate(RECORDS[:10])),
        *(Record(1, n, record.value) for n, record in enumerate(RECORDS[:3])),
        Record(1, 3, msgspec.msgpack.encode(poison)),
        Record(1, 4, RECORDS[11].value),
        Record(0, 10, RECORDS[12].value),
    ]
    async with Bench() as bench:
        await bench.handle([*records[:13], records[15]])
        assert bench.pipeline.gate.stopped == {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(waiting, "LARGEST_BATCH_BYTES", 1_000_000)
            await bench.handle([*records[13:15], Record(0, 11, RECORDS[13].value)])
        assert list(bench.pipeline.gate.stopped) == [1]
        assert not bench.letters.kept
        assert not [row for row in bench.store.tables[tables.OUTCOMES].values() if row["outcome"] == "dead"]
        assert (bench.pipeline.progress.last(0), bench.pipeline.progress.last(1)) == (11, 2)
        held = bench.pipeline.gate.release(1, accepted_until=3)
        assert [record.offset for record in held] == [3, 4]
        await bench.handle(held)
    assert bench.pipeline.progress.last(1) == 4
    assert len(bench.letters.kept) == 4


async def test_records_that_break_the_program_are_put_aside_until_they_are_too_many() -> None:
    def break_at_some(items: list[Item]) -> None:
        if items[0].statement_id in broken:
            raise RuntimeError("a fault of the program")

    broken = {ITEMS[n * 4].statement_id for n in (0, 1)}
    async with Bench(decoded=break_at_some) as bench:
        await bench.handle(RECORDS[:2])
        assert [letter.reason for letter in bench.letters.kept] == ["processing_failed"] * 2
        assert bench.pipeline.progress.last(0) == 1
        broken |= {ITEMS[n * 4].statement_id for n in range(2, 20)}
        others = [Record(1, n, RECORDS[30 + n].value) for n in range(5)]
        await bench.handle([*RECORDS[2:20], *others])
    assert list(bench.pipeline.gate.stopped) == [0]
    assert len(bench.letters.kept) == 3
    assert (bench.pipeline.progress.last(0), bench.pipeline.progress.last(1)) == (2, 4)


async def test_a_read_waits_only_for_the_students_that_are_being_written() -> None:
    unwritten = Unwritten()
    writing: Future[None] = Future()
    unwritten.begin({"a", "b"}, writing)
    unwritten.settle(["c"])
    waiting = asyncio.create_task(asyncio.to_thread(unwritten.settle, ["b", "c"]))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    writing.set_exception(RuntimeError("failed"))
    await waiting
