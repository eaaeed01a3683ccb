"""Between Faust and the core: batches in, offsets committed after the flush, partitions coming and going."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import faust
from faust.types import TP

from infra.runtime.logging import get_logger
from streams.agents.app import partitions_of
from streams.agents.transport import FIRST
from streams.health import Health
from streams.log_ends import LogEnds
from streams.pipeline import Pipeline
from streams.processor import Record
from streams.sink import StoppedError

log = get_logger(__name__)


class Offsets:
    """Offsets that may be committed, kept until Kafka has them."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._next: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}

    def done(self, tp: TP, next_offset: int) -> None:
        """Everything below ``next_offset`` is written."""
        self._next[tp] = max(next_offset, self._next.get(tp, 0))

    def drop(self, tps: set[TP]) -> None:
        """Partitions were revoked."""
        for tp in tps:
            self._next.pop(tp, None)
            self._committed.pop(tp, None)

    async def commit(self) -> None:
        """Commit what is not committed yet; what Kafka does not take is tried again the next time."""
        wanted = {tp: offset for tp, offset in self._next.items() if offset > self._committed.get(tp, 0)}
        if wanted and await self._app.consumer.commit_offsets(wanted):
            self._committed.update(wanted)


class MissedError(Exception):
    """A record was fetched and never handed over. What comes behind it must not be acknowledged."""


class Intake:
    """Gives messages to whoever handles them, and marks them done when that returns; takes none after ``close``.

    With ``drain``, ``handle`` only takes them: whoever writes them marks them, and ``drain`` returns when all are.
    ``stale`` tells messages that must not be taken any more.

    Offsets say "all before is done", so that a record that is lost between the fetch and here would be acknowledged
    with the next one. The worker then ends instead, and begins again from what is committed.
    """

    def __init__(
        self,
        app: faust.App,
        offsets: Offsets,
        handle: Callable[[Sequence[Any]], Awaitable[None]],
        drain: Callable[[], Awaitable[None]] | None = None,
        stale: Callable[[Any], bool] = lambda message: False,
    ) -> None:
        self._app = app
        self._offsets = offsets
        self._handle = handle
        self._drain = drain
        self._stale = stale
        self._busy = asyncio.Lock()
        self._closed = False
        self._generation: int | None = None
        self._taken: dict[TP, int] = {}
        self.failed = asyncio.Event()

    async def __call__(self, messages: Sequence[Any]) -> None:
        """Process messages; those of partitions that were revoked since are skipped: their owner gets them again."""
        async with self._busy:
            generation = self._app.consumer_generation_id
            mine = self._app.consumer.assignment()
            current = [
                m
                for m in messages
                if m.generation_id == generation
                and m.tp in mine
                and not self._stale(m)
                and self._app.consumer.predecessor(m.tp, m.offset) is not None
            ]
            if self._closed or not current:
                return
            try:
                self._follow(current, generation)
                await self._handle(current)
            except StoppedError:
                return
            except Exception:
                # Nothing of it is committed; the process ends and is started again.
                log.exception("the worker cannot go on")
                self._closed = True
                self.failed.set()
                return
            if self._drain is None:
                for message in current:
                    self._offsets.done(message.tp, message.offset + 1)

    def _follow(self, messages: Sequence[Any], generation: int) -> None:
        """Check that nothing was missed before each message; raises MissedError."""
        if generation != self._generation:
            self._generation, self._taken = generation, {}
        for message in messages:
            last = self._taken.get(message.tp, FIRST)
            if message.offset <= last:
                continue  # fetched again after a seek
            before = self._app.consumer.predecessor(message.tp, message.offset)
            if before is None or before > last:
                raise MissedError(f"{message.tp}: record {before} was not handed over, {message.offset} was")
            self._taken[message.tp] = message.offset

    async def close(self, timeout_seconds: float) -> None:
        """Take no more; return when all that was taken is done, or the time is over."""
        self._closed = True
        try:
            async with asyncio.timeout(timeout_seconds), self._busy:
                if self._drain is not None:
                    await self._drain()
        except TimeoutError:
            log.warning("what is in hand is not done; it will be delivered again")


def to_record(message: Any) -> Record:
    """Record of a Faust message of the statements topic."""
    return Record(
        message.partition,
        message.offset,
        message.value,
        tuple(message.headers or ()),
        round((message.timestamp or 0.0) * 1e6),
    )


class Partitions:
    """The partitions of the statements topic that this worker owns, and how far they are."""

    def __init__(
        self, app: faust.App, topic: str, pipeline: Pipeline, offsets: Offsets, health: Health, ends: LogEnds
    ) -> None:
        self._app = app
        self._topic = topic
        self._pipeline = pipeline
        self._offsets = offsets
        self._health = health
        self._ends = ends
        self.assigned: list[int] = []
        self.newly_assigned: set[int] = set()
        self._revoked: dict[int, int] = {}
        # Faust keeps weak references to what is connected to its signals.
        self._listeners = (self._on_revoked, self._on_assigned)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_partitions_assigned.connect(self._on_assigned)

    async def _on_revoked(self, _app: faust.App, revoked: set[TP], **_: Any) -> None:
        mine = partitions_of(self._topic, revoked)
        # Before anything is waited for: what was taken is thrown away, and nothing behind it may be taken then.
        self._revoked.update(dict.fromkeys(mine, self._app.consumer_generation_id))
        self._pipeline.drop(mine)
        self.assigned = [p for p in self.assigned if p not in mine]
        self._ends.drop(mine)
        await self._offsets.commit()
        self._offsets.drop(revoked)

    async def _on_assigned(self, _app: faust.App, assigned: set[TP], **_: Any) -> None:
        self.assigned = partitions_of(self._topic, assigned)
        for partition in self.assigned:
            self._revoked.pop(partition, None)
        self.newly_assigned.update(self.assigned)
        self._health.ready = True
        log.info("partitions assigned", partitions=self.assigned)

    def stale(self, message: Any) -> bool:
        """Whether a message was fetched before its partition was revoked.

        Faust's streams hold on to what they have begun to collect, and hand it over until the next assignment is known.
        What came before it was thrown away: to write it would acknowledge what was never written.
        """
        return bool(self._revoked.get(message.partition) == message.generation_id)

    def pause(self, partitions: Collection[int]) -> None:
        """Fetch nothing of these partitions; to be said again, since Faust resumes what its buffers let go."""
        tps = {TP(self._topic, partition) for partition in partitions}
        self._app.consumer.pause_partitions(tps)
        self._app.consumer._buffered_partitions.difference_update(tps)

    def resume(self, partitions: Collection[int]) -> None:
        """Fetch of these partitions again."""
        self._app.consumer.resume_partitions({TP(self._topic, partition) for partition in partitions})

    def look(self) -> None:
        """Learn how far the log was read, and mark as done what holds no records.

        Where the log ends is asked of the consumer and of a client of its own: a consumer that does not fetch knows
        nothing of what came since.
        """
        progress, stopped = self._pipeline.progress, self._pipeline.gate.stopped
        known = self._app.consumer.read_until()
        unfetched: dict[int, int] = {}
        for partition in self.assigned:
            tp = TP(self._topic, partition)
            end, asked_us = self._ends.end(partition)
            committed = self._ends.committed(partition)
            if committed is not None:  # written before this worker owned it
                progress.flushed(partition, committed - 1)
            if (read := known.get(tp)) is not None:
                position = read.position
                if progress.last(partition) >= read.last_record:
                    # All records are written: what lies between the last one and the position are markers.
                    progress.flushed(partition, position - 1)
                    self._offsets.done(tp, position)
                progress.end(partition, read.end - 1, read.seen_us)
                in_hand = read.fetched or read.last_record > progress.last(partition)
            elif committed is not None:
                position, in_hand = committed, False
            else:
                continue
            if asked_us:
                progress.end(partition, end - 1, asked_us)
            if position < end and not in_hand and not self._pipeline.full and partition not in stopped:
                unfetched[partition] = position
        lags = {p: lag for p, lag in progress.lags().items() if p in self.assigned}
        self._health.look(lags, unfetched, rebalancing=self._app.rebalancing)
