"""A batch is processed while the one before it is written, and nobody can tell from the tables."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.metrics import StreamsMetrics
from schemas.events import DeadLetter, Envelope, Item
from streams import pipeline
from streams.health import Health
from streams.learner.calibration import Calibration
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
            unwritten,
            self.letters,  # type: ignore[arg-type]
            StreamsMetrics(CollectorRegistry()),
            Health(30.0, time.monotonic),
            Origin("statements", 1, "w"),
            lambda: FIRST_DAY_US,
        )


@pytest.fixture(autouse=True)
def a_batch_for_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LARGEST_BATCH_BYTES", 1)


async def test_a_batch_is_processed_while_the_one_before_it_is_written() -> None:
    next_one = threading.Event()

    def until_the_next_is_decoded(columns: Columns, rows: Sequence[Row]) -> None:
        if columns is tables.STATEMENTS and rows[0][2] == ITEMS[0].statement_id:
            assert next_one.wait(60)

    def decoded(items: list[Item]) -> None:
        if items[0] == ITEMS[4]:
            next_one.set()

    bench = Bench(until_the_next_is_decoded, decoded)
    await bench.pipeline.handle(RECORDS[:2])
    bench.pipeline.close()
    assert len(bench.store.tables[tables.STATEMENTS]) == 8
    assert bench.pipeline.progress.last(0) == 1


async def test_the_tables_are_those_of_one_batch_after_the_other() -> None:
    rng = random.Random(1)
    bench = Bench(lambda columns, rows: time.sleep(rng.choice((0, 0, 0.002))))
    again = [*RECORDS, *(Record(0, 50 + n, record.value) for n, record in enumerate(RECORDS[:20]))]
    await bench.pipeline.handle(again)
    bench.pipeline.close()
    alone = Bench()
    for record in again:
        await alone.pipeline.handle([record])
    alone.pipeline.close()
    assert bench.store.contents() == alone.store.contents()
    assert len(bench.store.tables[tables.OUTCOMES]) == 80


async def test_what_cannot_be_written_is_tried_record_by_record_from_what_the_store_holds() -> None:
    failures = 0

    def break_at_the_tenth(columns: Columns, rows: Sequence[Row]) -> None:
        nonlocal failures
        if columns is tables.STUDENT_STATES and any(row[8] == 10 for row in rows) and failures < 1:
            failures += 1
            raise RuntimeError("a fault of the program")

    bench = Bench(break_at_the_tenth)
    await bench.pipeline.handle(RECORDS)
    bench.pipeline.close()
    whole = Bench()
    await whole.pipeline.handle(RECORDS)
    whole.pipeline.close()
    assert failures == 1
    assert bench.store.contents() == whole.store.contents()
    assert not bench.letters.kept


async def test_a_worker_told_to_stop_acknowledges_nothing_that_is_not_written() -> None:
    def stop(columns: Columns, rows: Sequence[Row]) -> None:
        if columns is tables.ATTEMPTS and any(row[12] == 3 for row in rows):
            raise StoppedError

    bench = Bench(stop)
    with pytest.raises(StoppedError):
        await bench.pipeline.handle(RECORDS)
    bench.pipeline.close()
    assert bench.pipeline.progress.last(0) == 2
    assert max(row["offset"] for row in bench.store.tables[tables.STATEMENTS].values()) == 3


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
