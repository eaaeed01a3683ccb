"""From records to acknowledged rows, without Faust: process, flush, dead letters, progress, in this order.

The core runs in a thread of its own, one task at a time, so that the event loop lives while ClickHouse is slow, and
so that what is remembered of a partition is dropped after the batch in hand and before the next one. A second thread
writes a batch while the core processes the next one (see streams.unwritten for what the core may read meanwhile):
never more than one each. A third writes those of its tables that need not wait for the others. That goes on from one
hand-over to the next: records are taken, and acknowledged later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from infra.runtime.logging import bind_partition, get_logger
from infra.runtime.metrics import StreamsMetrics
from streams.dead_letters import DeadLetters, is_statement, of_refused, outcome_of_refused
from streams.health import Health
from streams.limits import Gate
from streams.looks import Looks
from streams.processor import Batch, Processor, Record
from streams.progress import Progress, flush_row
from streams.rows import tables
from streams.rows.arrival import Fault
from streams.rows.tables import Row
from streams.running import Running
from streams.sink import Refused, Sink, StoppedError
from streams.unwritten import Unwritten
from streams.waiting import Run, Waiting

log = get_logger(__name__)

T = TypeVar("T")

Acknowledge = Callable[[int, int], None]
"""Is told a partition and an offset: everything below it is written."""


class OvertakenError(Exception):
    """What was written was folded under a calibration that was not in use any more."""


@dataclass(frozen=True)
class Origin:
    """Whose rows these are: the statements topic, its generation, and this worker."""

    topic: str
    generation: int
    worker: str


class Pipeline:
    """One worker's way from Kafka to ClickHouse; ``clock`` tells now in µs.

    ``run`` does the work; ``take`` hands it records, of which ``acknowledge`` tells when they are written.
    """

    def __init__(
        self,
        processor: Processor,
        sink: Sink,
        beside: Sink,
        unwritten: Unwritten,
        dead_letters: DeadLetters,
        gate: Gate,
        metrics: StreamsMetrics,
        health: Health,
        origin: Origin,
        clock: Callable[[], int],
        acknowledge: Acknowledge,
    ) -> None:
        self._processor = processor
        self._sink = sink
        self._beside = beside
        self._unwritten = unwritten
        self._dead_letters = dead_letters
        self.gate = gate
        self._metrics = metrics
        self._health = health
        self._origin = origin
        self._clock = clock
        self._acknowledge = acknowledge
        self.looks = Looks()
        self._waiting = Waiting()
        self._released: dict[int, int] = {}
        self._core = ThreadPoolExecutor(1, thread_name_prefix="core")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self.progress = Progress(origin.generation)
        self.touched: set[str] = set()

    async def take(self, records: Sequence[Record]) -> None:
        """Take records, in offset order within a partition; return when there is room for more.

        They are acknowledged when all their rows are written and all their dead letters kept, which may be later.
        """
        self._waiting.put(records)
        await self._waiting.room.wait()

    @property
    def full(self) -> bool:
        """Whether a whole batch waits: the consumer is held up by it, in all partitions."""
        return not self._waiting.room.is_set()

    async def drain(self) -> None:
        """Return when all that was taken is acknowledged, or will not be since ``run`` has ended."""
        await self._waiting.idle.wait()

    async def run(self) -> None:
        """Process and write what is taken. Returns when the worker is told to stop; raises when it cannot go on.

        What is not acknowledged then is delivered again.
        """
        try:
            while True:
                try:
                    await self._flow()
                except StoppedError:
                    raise
                except OvertakenError:
                    await self._again()
                except Exception:
                    await self._mend()
        except StoppedError:
            return
        finally:
            self._waiting.end()

    async def _flow(self) -> None:
        """Process each batch while the one before it is written."""
        waiting = self._waiting
        writing: asyncio.Task[None] | None = None
        while True:
            if writing is None:
                await waiting.arrived.wait()
            elif not waiting.enough.is_set() and await _first(writing, waiting.enough):
                # Little waited: while the store was at work it became more, and one batch of it costs less than two.
                writing = None
                continue
            if not await self._let_go_on():
                continue
            run = waiting.cut()
            try:
                batch = await self.in_core(partial(self._process, run.records, self._processor.process))
            except Exception:
                if writing is not None:
                    await writing
                raise
            waiting.met(run, len(batch.students))
            if writing is not None:
                await writing
            writing = self._write(batch, run)

    async def _let_go_on(self) -> bool:
        """Between batches: what was held back of partitions that may go on comes first. Whether anything waits."""
        for partition, accepted_until in tuple(self._released.items()):
            held = await self.in_core(partial(self.gate.release, partition, accepted_until))
            if self._released.pop(partition, None) is not None:
                self._waiting.put_back(held)
        return self._waiting.arrived.is_set()

    async def _mend(self) -> None:
        """A batch could not be processed or not be written: its records are done again, one by one.

        Of the batch behind it, too, something may be in memory that is not written: it is processed again.
        """
        failed, *behind = self._waiting.under_way
        log.exception("a batch could not be processed; its records are tried one by one", records=len(failed.records))
        await self._forget([failed, *behind])
        while len(self._waiting.under_way) > 1:
            self._waiting.put_back(self._waiting.under_way.pop().owned)
        await self._one_by_one(failed)
        self._waiting.written()

    async def _again(self) -> None:
        """All that is under way is folded again, under the calibration that is in use now."""
        log.warning("a batch was folded under a former calibration; it is done again")
        under_way = self._waiting.under_way
        await self._forget(under_way)
        while under_way:
            self._waiting.put_back(under_way.pop().owned)

    async def _one_by_one(self, run: Run) -> None:
        """A record that breaks the program is put aside; when too many do, the gate stops their partition."""
        for record in run.records:
            if record.partition in run.revoked:
                continue
            try:
                await self._alone(record, self._processor.process)
            except StoppedError:
                raise
            except Exception as error:
                # What a failed attempt left in memory is not to be built upon.
                await self._forget([run])
                fault = Fault("processing_failed", f"{type(error).__name__}: {error}")
                with bind_partition(self._origin.topic, record.partition, offset=record.offset):
                    log.warning("a record is put aside", error=fault.message)
                await self._alone(record, lambda some, fault=fault: self._processor.put_aside(some[0], fault))  # type: ignore[misc]

    async def _alone(self, record: Record, process: Callable[[Sequence[Record]], Batch]) -> None:
        batch = await self.in_core(partial(self._process, [record], process))
        try:
            await self._settle(batch, self._begin(batch), self._waiting.under_way[0])
        except OvertakenError:
            await self._forget(self._waiting.under_way)
            await self._alone(record, process)

    async def _forget(self, runs: Collection[Run]) -> None:
        partitions = {record.partition for run in runs for record in run.records}
        await self.in_core(partial(self._processor.drop, partitions))

    def _process(self, records: Sequence[Record], process: Callable[[Sequence[Record]], Batch]) -> Batch:
        self._processor.trim()
        records = self.gate.let_through(records)
        batch = process(records) if records else Batch()
        if self.gate.judge(batch):
            # Of a partition that is stopped nothing is written: all is processed again from what the store holds.
            self._processor.drop({record.partition for record in records})
            records = self.gate.let_through(records)
            batch = process(records) if records else Batch()
        return batch

    def _write(self, batch: Batch, run: Run) -> asyncio.Task[None]:
        """Write a batch; the next one may be processed at once."""
        flushed = self._begin(batch)

        async def write() -> None:
            await self._settle(batch, flushed, run)
            self._waiting.written()

        return asyncio.create_task(write())

    def _begin(self, batch: Batch) -> Future[list[Refused]]:
        flushed = self._writer.submit(self._flush, batch)
        self._unwritten.begin(batch.students, flushed)
        return flushed

    async def _settle(self, batch: Batch, flushed: Future[list[Refused]], run: Run) -> None:
        refused = await asyncio.wrap_future(flushed)
        if not await self.looks.confirm(batch.activation):
            raise OvertakenError
        letters = [of_refused(r, self._origin.topic, self._origin.generation, self._clock()) for r in refused]
        await self._dead_letters.publish([*batch.dead, *letters])
        await self.tell(self._written(batch, run))
        self.touched |= batch.students
        self._health.progress()
        if letters:
            # The core remembers statements that are not stored, and would take a replay for a repetition.
            await self.in_core(partial(self._processor.drop, {letter.partition for letter in letters}))
        self._count(batch, len(letters))

    def _written(self, batch: Batch, run: Run) -> list[int]:
        """Partitions of a batch that are now as far as it; of those that were revoked meanwhile nothing is known."""
        owned = [partition for partition in batch.parts if partition not in run.revoked]
        self.progress.activation = max(self.progress.activation, batch.activation)
        for partition in owned:
            part = batch.parts[partition]
            self.progress.flushed(partition, part.last_offset, part.stored)
            self._acknowledge(partition, part.last_offset + 1)
        return owned

    async def in_core(self, action: Callable[[], T]) -> T:
        """Run something in the core's thread, after what runs there."""
        return await asyncio.get_running_loop().run_in_executor(self._core, action)

    async def run_under(self, running: Running, asked_at: float) -> None:
        """Fold under this calibration from the next batch on; ``asked_at``: when it was asked for, by the monotonic
        clock. To be called again and again: when nothing is under way any more, the partitions are told to run under
        it."""
        take_up = partial(self._processor.run_under, running)
        # Before anything that is folded again because of what the look says.
        taken_up = asyncio.get_running_loop().run_in_executor(self._core, take_up)
        self.looks.saw(running.activation, asked_at)
        await taken_up
        if not self._waiting.under_way:
            self.progress.activation = running.activation

    def release(self, partition: int, accepted_until: int) -> None:
        """Have a stopped partition go on: what of it may be put aside, up to an offset, was decided."""
        self._released[partition] = accepted_until
        self._waiting.arrived.set()

    def drop(self, partitions: Collection[int]) -> None:
        """Forget partitions that were revoked, after the batch in hand."""
        for partition in partitions:
            self._released.pop(partition, None)
        self.progress.drop(partitions)
        self._waiting.drop(partitions)
        self._core.submit(self._processor.drop, partitions)
        self._core.submit(self.gate.drop, partitions)

    async def tell(self, partitions: Collection[int]) -> None:
        """Write how far these partitions are."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._tell, partitions)

    def close(self) -> None:
        """Stop the threads, after what runs in them."""
        self._core.shutdown(wait=True)
        self._writer.shutdown(wait=True)
        self._helper.shutdown(wait=True)

    def _flush(self, batch: Batch) -> list[Refused]:
        began = time.perf_counter()
        refused: list[Refused] = []
        for step in tables.STEPS:
            beside = self._helper.submit(self._insert_all, self._beside, step.beside, batch)
            try:
                refused += self._insert_all(self._sink, step.tables, batch)
            finally:
                wait([beside])
            refused += beside.result()
        lost = [
            outcome_of_refused(of_refused(r, self._origin.topic, self._origin.generation, self._clock()))
            for r in refused
            if is_statement(r)
        ]
        self._insert(tables.OUTCOMES, lost, self._sink)
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
            self._sink,
        )
        return refused

    def _insert_all(self, sink: Sink, some: Sequence[tables.Columns], batch: Batch) -> list[Refused]:
        refused: list[Refused] = []
        for columns in some:
            refused += self._insert(columns, batch.rows[columns], sink)
            self._health.progress()
        return refused

    def _insert(self, columns: tables.Columns, rows: Sequence[Row], sink: Sink) -> list[Refused]:
        if not rows:
            return []
        with self._metrics.flush_seconds.labels(table=columns.table).time():
            return sink.insert(columns, rows)

    def _tell(self, partitions: Collection[int]) -> None:
        self._insert(tables.SINK_PROGRESS, self.progress.rows(partitions), self._sink)
        self._insert(tables.SINK_ACTIVATIONS, self.progress.activations(partitions), self._sink)

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


async def _first(writing: asyncio.Task[None], enough: asyncio.Event) -> bool:
    """Wait until a batch is written, which returns True or raises why it is not, or until enough waits."""
    more = asyncio.create_task(enough.wait())
    try:
        await asyncio.wait({writing, more}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        more.cancel()
    if writing.done():
        await writing
        return True
    return False
