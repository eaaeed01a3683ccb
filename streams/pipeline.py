"""From records to acknowledged rows, without Faust: process, flush, dead letters, progress, in this order.

The core runs in a thread of its own, one task at a time, so that the event loop lives while ClickHouse is slow, and
so that what is remembered of a partition is dropped after the batch in hand and before the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from infra.runtime.logging import get_logger
from infra.runtime.metrics import StreamsMetrics
from streams.dead_letters import DeadLetters, is_statement, of_refused, outcome_of_refused
from streams.health import Health
from streams.processor import Batch, Processor, Record
from streams.progress import Progress, flush_row
from streams.rows import tables
from streams.rows.arrival import Fault
from streams.rows.tables import Row
from streams.sink import Refused, Sink, StoppedError

log = get_logger(__name__)

T = TypeVar("T")

LARGEST_BATCH_BYTES = 16 * 1024 * 1024


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
        dead_letters: DeadLetters,
        metrics: StreamsMetrics,
        health: Health,
        origin: Origin,
        clock: Callable[[], int],
    ) -> None:
        self._processor = processor
        self._sink = sink
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._health = health
        self._origin = origin
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="core")
        self.progress = Progress(origin.generation)
        self.touched: set[str] = set()

    async def handle(self, records: Sequence[Record]) -> None:
        """Return when all rows of the records are written and all dead letters kept: they may be acknowledged.

        Raises StoppedError when the worker is to stop before that.
        """
        for some in slices(records):
            try:
                await self._handle(some, self._processor.process)
            except StoppedError:
                raise
            except Exception:
                log.exception("a batch could not be processed; its records are tried one by one", records=len(some))
                await self._one_by_one(some)

    async def _one_by_one(self, records: Sequence[Record]) -> None:
        """A record that breaks the program is put aside; when most do, the program is at fault and must not go on."""
        partitions = {record.partition for record in records}
        failed = 0
        for record in records:
            # What a failed attempt left in memory is not to be built upon.
            await self.in_core(partial(self._processor.drop, partitions))
            try:
                await self._handle([record], self._processor.process)
            except StoppedError:
                raise
            except Exception as error:
                failed += 1
                if failed > max(1, len(records) // 2):
                    raise
                await self.in_core(partial(self._processor.drop, partitions))
                fault = Fault("processing_failed", f"{type(error).__name__}: {error}")
                await self._handle([record], lambda some, fault=fault: self._processor.put_aside(some[0], fault))  # type: ignore[misc]

    async def _handle(self, records: Sequence[Record], process: Callable[[Sequence[Record]], Batch]) -> None:
        batch, refused = await self.in_core(partial(self._work, records, process))
        letters = [of_refused(r, self._origin.topic, self._origin.generation, self._clock()) for r in refused]
        await self._dead_letters.publish([*batch.dead, *letters])
        for partition, part in batch.parts.items():
            self.progress.flushed(partition, part.last_offset, part.stored)
        await self.in_core(partial(self._tell, list(batch.parts)))
        self.touched |= batch.students
        self._health.progress()
        self._count(batch, len(letters))

    async def in_core(self, action: Callable[[], T]) -> T:
        """Run something in the core's thread, after what runs there."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)

    def drop(self, partitions: Collection[int]) -> None:
        """Forget partitions that were revoked, after the batch in hand."""
        self.progress.drop(partitions)
        self._thread.submit(self._processor.drop, partitions)

    async def tell(self, partitions: Collection[int]) -> None:
        """Write how far these partitions are."""
        await self.in_core(partial(self._tell, partitions))

    def close(self) -> None:
        """Stop the thread, after what runs in it."""
        self._thread.shutdown(wait=True)

    def _work(
        self, records: Sequence[Record], process: Callable[[Sequence[Record]], Batch]
    ) -> tuple[Batch, list[Refused]]:
        batch = process(records)
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
        self._processor.trim()
        return batch, refused

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
