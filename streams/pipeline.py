"""From records to acknowledged rows, without Faust: process, flush, dead letters, progress, in this order.

The core runs in a thread of its own, one task at a time, so that the event loop lives while ClickHouse is slow, and
so that what is remembered of a partition is dropped after the batch in hand and before the next one. A second thread
writes a batch while the core processes the next one (see streams.unwritten for what the core may read meanwhile).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from infra.runtime.logging import bind_partition, get_logger
from infra.runtime.metrics import StreamsMetrics
from streams.dead_letters import DeadLetters, is_statement, of_refused, outcome_of_refused
from streams.health import Health
from streams.processor import Batch, Processor, Record
from streams.progress import Progress, flush_row
from streams.rows import tables
from streams.rows.arrival import Fault
from streams.rows.tables import Row
from streams.sink import Refused, Sink, StoppedError
from streams.unwritten import Unwritten

log = get_logger(__name__)

T = TypeVar("T")

LARGEST_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Origin:
    """Whose rows these are: the statements topic, its generation, and this worker."""

    topic: str
    generation: int
    worker: str


class Pipeline:
    """One worker's way from Kafka to ClickHouse; ``clock`` tells now in µs."""

    def __init__(
        self,
        processor: Processor,
        sink: Sink,
        unwritten: Unwritten,
        dead_letters: DeadLetters,
        metrics: StreamsMetrics,
        health: Health,
        origin: Origin,
        clock: Callable[[], int],
    ) -> None:
        self._processor = processor
        self._sink = sink
        self._unwritten = unwritten
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._health = health
        self._origin = origin
        self._clock = clock
        self._core = ThreadPoolExecutor(1, thread_name_prefix="core")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self.progress = Progress(origin.generation)
        self.touched: set[str] = set()

    async def handle(self, records: Sequence[Record]) -> None:
        """Return when all rows of the records are written and all dead letters kept: they may be acknowledged.

        Raises StoppedError when the worker is to stop before that.
        """
        left = deque(slices(records))
        while left:
            try:
                await self._flow(left)
            except StoppedError:
                raise
            except Exception:
                some = left.popleft()
                log.exception("a batch could not be processed; its records are tried one by one", records=len(some))
                # Of the batches behind it, too, something may be in memory that is not written.
                await self._forget([some, *left])
                await self._one_by_one(some)

    async def _flow(self, left: deque[Sequence[Record]]) -> None:
        """Process each batch while the one before it is written; ``left`` keeps what is not written."""
        writing: asyncio.Task[None] | None = None

        async def written() -> None:
            if writing is not None:
                await writing
                left.popleft()

        for some in tuple(left):
            try:
                batch = await self.in_core(partial(self._process, some, self._processor.process))
            except Exception:
                await written()
                raise
            await written()
            writing = self._write(batch)
        await written()

    async def _one_by_one(self, records: Sequence[Record]) -> None:
        """A record that breaks the program is put aside; when most do, the program is at fault and must not go on."""
        failed = 0
        for record in records:
            try:
                await self._alone(record, self._processor.process)
            except StoppedError:
                raise
            except Exception as error:
                failed += 1
                if failed > max(1, len(records) // 2):
                    raise
                # What a failed attempt left in memory is not to be built upon.
                await self._forget([records])
                fault = Fault("processing_failed", f"{type(error).__name__}: {error}")
                with bind_partition(self._origin.topic, record.partition, offset=record.offset):
                    log.warning("a record is put aside", error=fault.message)
                await self._alone(record, lambda some, fault=fault: self._processor.put_aside(some[0], fault))  # type: ignore[misc]

    async def _alone(self, record: Record, process: Callable[[Sequence[Record]], Batch]) -> None:
        await self._write(await self.in_core(partial(self._process, [record], process)))

    async def _forget(self, batches: Sequence[Sequence[Record]]) -> None:
        partitions = {record.partition for records in batches for record in records}
        await self.in_core(partial(self._processor.drop, partitions))

    def _process(self, records: Sequence[Record], process: Callable[[Sequence[Record]], Batch]) -> Batch:
        self._processor.trim()
        return process(records)

    def _write(self, batch: Batch) -> asyncio.Task[None]:
        """Begin to write a batch; the next one may be processed at once."""
        flushed = self._writer.submit(self._flush, batch)
        self._unwritten.begin(batch.students, flushed)
        return asyncio.create_task(self._settle(batch, flushed))

    async def _settle(self, batch: Batch, flushed: Future[list[Refused]]) -> None:
        refused = await asyncio.wrap_future(flushed)
        letters = [of_refused(r, self._origin.topic, self._origin.generation, self._clock()) for r in refused]
        await self._dead_letters.publish([*batch.dead, *letters])
        for partition, part in batch.parts.items():
            self.progress.flushed(partition, part.last_offset, part.stored)
        await self.tell(list(batch.parts))
        self.touched |= batch.students
        self._health.progress()
        self._count(batch, len(letters))

    async def in_core(self, action: Callable[[], T]) -> T:
        """Run something in the core's thread, after what runs there."""
        return await asyncio.get_running_loop().run_in_executor(self._core, action)

    def drop(self, partitions: Collection[int]) -> None:
        """Forget partitions that were revoked, after the batch in hand."""
        self.progress.drop(partitions)
        self._core.submit(self._processor.drop, partitions)

    async def tell(self, partitions: Collection[int]) -> None:
        """Write how far these partitions are."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._tell, partitions)

    def close(self) -> None:
        """Stop the threads, after what runs in them."""
        self._core.shutdown(wait=True)
        self._writer.shutdown(wait=True)

    def _flush(self, batch: Batch) -> list[Refused]:
        began = time.perf_counter()
        refused: list[Refused] = []
        for columns in tables.OF_STATEMENTS:
            refused += self._insert(columns, batch.rows[columns])
        lost = [
            outcome_of_refused(of_refused(r, self._origin.topic, self._origin.generation, self._clock()))
            for r in refused
            if is_statement(r)
        ]
        self._insert(tables.OUTCOMES, lost)
        now = self._clock()
        flush_ms = (time.perf_counter() - began) * 1000.0
        rows = sum(map(len, batch.rows.values()))
        share = {p: round(rows * part.statements / max(batch.statements, 1)) for p, part in batch.parts.items()}
        self._insert(
            tables.SINK_FLUSHES,
            [
                flush_row(self._origin.worker, p, part, share[p], flush_ms, now)
                for p, part in batch.parts.items()
                if part.statements
            ],
        )
        return refused

    def _insert(self, columns: tables.Columns, rows: Sequence[Row]) -> list[Refused]:
        if not rows:
            return []
        with self._metrics.flush_seconds.labels(table=columns.table).time():
            return self._sink.insert(columns, rows)

    def _tell(self, partitions: Collection[int]) -> None:
        self._insert(tables.SINK_PROGRESS, self.progress.rows(partitions, self._clock()))

    def _count(self, batch: Batch, refused: int) -> None:
        metrics, now = self._metrics, self._clock()
        for partition, part in batch.parts.items():
            metrics.statements.labels(partition=str(partition)).inc(part.statements)
            for stored in part.stored[:: max(len(part.stored) // 20, 1)]:
                metrics.visible_seconds.observe(max(now - stored, 0) / 1e6)
        metrics.batch_statements.observe(batch.statements)
        metrics.attempts.inc(len(batch.rows[tables.ATTEMPTS]))
        metrics.duplicates.inc(batch.duplicates)
        metrics.refolds.inc(batch.refolds)
        for letter in batch.dead:
            metrics.dead_letters.labels(reason=letter.reason).inc()
        if refused:
            metrics.dead_letters.labels(reason="refused").inc(refused)
        metrics.cached_students.set(len(self._processor.students))
        metrics.last_progress.set(now / 1e6)


def slices(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Records in runs of at most LARGEST_BATCH_BYTES, one record at least, so that a batch's memory is bounded."""
    start = size = 0
    for place, record in enumerate(records):
        if size and size + len(record.value) > LARGEST_BATCH_BYTES:
            yield records[start:place]
            start, size = place, 0
        size += len(record.value)
    if records:
        yield records[start:]
