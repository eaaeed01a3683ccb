"""Group commit: what arrives while envelopes are on their way to a broker goes out together in the next round.

A request whose items lie in one partition and fit one envelope takes the idempotent producer. One that spans several
envelopes is written in a Kafka transaction (many such requests in one), so that it is kept whole or not at all, even
when this process is killed half-way. Nothing is answered before Kafka has acknowledged it.

The ids of a round are reserved right before it is written: a request whose id stands for another content falls out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata, TopicPartition

from infra.runtime.logging import get_logger
from infra.runtime.metrics import IngestMetrics
from ingest.duplicates.taking import Reservations, ReservationsAwayError, Taking
from ingest.errors import ApiError, retry_after
from ingest.producers import MAX_RECORD_BYTES, KafkaAwayError, Link
from schemas import packing

log = get_logger(__name__)

MAX_ENVELOPE_BYTES: Final = 1024 * 1024
MAX_ENVELOPE_ITEMS: Final = 2000
MAX_ROUND_ITEMS: Final = 10_000
_MAX_ITEM_BYTES: Final = MAX_RECORD_BYTES - MAX_ENVELOPE_BYTES // 8
_RETRY_SECONDS: Final = 2.0
_GATHER_SECONDS: Final = 0.002
"""How long a round waits at most for requests that were under way together with those of the last one."""

Acknowledged = dict[int, int]
"""Partition to offset of the last envelope that holds something of a request."""


class TakenError(Exception):
    """Ids of a request stand for other contents; nothing of it is published. ``conflicts``: their indexes."""

    def __init__(self, conflicts: list[int]) -> None:
        super().__init__("ids stand for other contents")
        self.conflicts = conflicts


class Part(NamedTuple):
    """What one partition gets of a request: packed items (schemas.packing), and which of them, by index, are credits
    and so not counted."""

    items: list[bytes]
    credits: list[int]


@dataclass(slots=True)
class _Job:
    """One request.

    Its parts by partition, the ids that it takes, the number of its items and their size in bytes, the minute in which
    they are stored (since the epoch), and when (loop time) it is answered 503.
    """

    provider_id: str
    parts: dict[int, Part]
    taking: Sequence[Taking]
    count: int
    size: int
    minute: int
    deadline: float
    done: asyncio.Future[Acknowledged]


class _Sealed(NamedTuple):
    """An envelope to be: items of one partition, primary ones by provider."""

    partition: int
    items: list[bytes]
    counts: dict[str, int]


@dataclass(slots=True)
class _Lane:
    """Requests that wait for the next round: of one broker, or of transactions.

    ``full`` is there while the round waits for as many as are ``expected``.
    """

    write: Callable[[list[_Job]], Awaitable[Acknowledged]]
    waiting: deque[_Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    expected: int = 0
    full: asyncio.Future[None] | None = None


class Publisher:
    """Publishes items; used by one asyncio loop."""

    def __init__(
        self,
        topic: str,
        instance: str,
        framing: bytes,
        plain: Link,
        transactional: Link,
        reservations: Reservations,
        metrics: IngestMetrics,
        clock: Callable[[], int],
        *,
        timeout_seconds: float,
        max_pending: int,
    ) -> None:
        """``framing``: what stands before each envelope (schemas.codec.framing)."""
        self._topic = topic
        self._instance = instance
        self._framing = framing
        self._plain = plain
        self._transactional = transactional
        self._reservations = reservations
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout_seconds
        self._max_pending = max_pending
        self._pending = 0
        metrics.pending.set_function(lambda: self._pending)
        self._leaders: dict[int | None, _Lane] = {}
        self._transactions = _Lane(self._commit)

    async def answers(self) -> bool:
        """Whether Kafka answers now and both producers are connected."""
        if self._transactional.current is None:
            return False
        client = (await self._plain.get()).client
        await client.force_metadata_update()
        return bool(client.cluster.available_partitions_for_topic(self._topic))

    async def publish(
        self, provider_id: str, stored: int, parts: dict[int, Part], taking: Sequence[Taking] = ()
    ) -> Acknowledged:
        """Publish a request's items, by partition, ``stored`` at a time in µs; returns when Kafka has acknowledged all.

        ``taking``: the ids that it came with. Raises TakenError where one of them stands for another content; ApiError
        413 for an item beyond Kafka's limit; 503 when too much waits, or Kafka does not acknowledge in time. After a
        503 the items may yet be in the log: sent again with the same ids they count once.
        """
        count = size = 0
        for items, _ in parts.values():
            count += len(items)
            for one in items:
                length = len(one)
                if length > _MAX_ITEM_BYTES:
                    raise ApiError(413, f"statement {packing.statement_id(one)} is too large: {length} bytes")
                size += length
        if self._pending + count > self._max_pending:
            raise retry_after(503, "too many statements are waiting for the log: try again", _RETRY_SECONDS)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        job = _Job(provider_id, parts, taking, count, size, stored // 60_000_000, deadline, loop.create_future())
        single = len(parts) == 1 and (size <= MAX_ENVELOPE_BYTES or count == 1) and count <= MAX_ENVELOPE_ITEMS
        lane = self._leader_of(next(iter(parts))) if single else self._transactions
        lane.waiting.append(job)
        self._pending += count
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(lane))
        elif lane.full is not None and len(lane.waiting) >= lane.expected and not lane.full.done():
            lane.full.set_result(None)
        try:
            return await job.done
        finally:
            self._pending -= count

    def _leader_of(self, partition: int) -> _Lane:
        """The lane of the broker that leads a partition: brokers do not wait for each other."""
        producer = self._plain.current
        leader = producer and producer.client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        lane = self._leaders.get(leader)
        if lane is None:
            lane = self._leaders[leader] = _Lane(self._send)
        return lane

    async def _run(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                together = _take(lane.waiting)
                began = time.perf_counter()
                jobs = together
                try:
                    jobs = await self._reserved(together)
                    offsets = await lane.write(jobs) if jobs else {}
                except Exception as error:
                    self._give_up(jobs, lane, error)
                    continue
                self._metrics.publish_seconds.observe(time.perf_counter() - began)
                for job in jobs:
                    if not job.done.done():
                        job.done.set_result({partition: offsets[partition] for partition in job.parts})
                await self._gather(lane, len(together) + len(lane.waiting))
        finally:
            lane.task = None

    async def _reserved(self, jobs: list[_Job]) -> list[_Job]:
        """Take the ids of requests that go together; those that remain, the others are answered."""
        conflicts = await self._reservations.take([job.taking for job in jobs])
        if not any(conflicts):
            return jobs
        left = []
        for job, wrong in zip(jobs, conflicts, strict=True):
            if not wrong:
                left.append(job)
            elif not job.done.done():
                job.done.set_exception(TakenError(wrong))
        return left

    async def _gather(self, lane: _Lane, expected: int) -> None:
        """Wait a moment until as many requests are there as were under way together: a round costs the broker and this
        process much the same, however many go in it."""
        if expected < 2 or len(lane.waiting) >= expected:
            return
        loop = asyncio.get_running_loop()
        lane.expected, lane.full = expected, loop.create_future()
        timer = loop.call_later(_GATHER_SECONDS, _set, lane.full)
        await lane.full
        timer.cancel()
        lane.full = None

    async def _send(self, jobs: list[_Job]) -> Acknowledged:
        """Write requests of one record each; the last offset of each partition."""
        producer = await self._plain.get()
        try:
            async with asyncio.timeout_at(jobs[0].deadline):
                return await self._acknowledged(producer, jobs)
        except BaseException:
            self._plain.failed(producer)
            raise

    async def _commit(self, jobs: list[_Job]) -> Acknowledged:
        """Write several requests in one transaction; the last offset of each partition."""
        producer = await self._transactional.get()
        try:
            async with asyncio.timeout_at(jobs[0].deadline):
                await producer.begin_transaction()
                offsets = await self._acknowledged(producer, jobs)
                await producer.commit_transaction()
        except BaseException:
            # The next producer of the same transactional id ends what this one left open.
            self._transactional.failed(producer)
            raise
        return offsets

    async def _acknowledged(self, producer: AIOKafkaProducer, jobs: list[_Job]) -> Acknowledged:
        partitions: list[int] = []
        sent: list[asyncio.Future[RecordMetadata]] = []
        for partition, items, counts in _seal(jobs):
            self._metrics.envelope_statements.observe(len(items))
            value = packing.envelope(self._framing, self._instance, self._clock(), items)
            # As JSON: ids of providers need no escapes.
            told = ",".join([f'"{provider_id}":{number}' for provider_id, number in counts.items()])
            headers = [("counts", f"{{{told}}}".encode())]
            partitions.append(partition)
            sent.append(await producer.send(self._topic, value=value, partition=partition, headers=headers))
        # Gathered, so that each failure is taken note of, not the first alone. Of one partition the last offset stays.
        return {
            partition: record.offset for partition, record in zip(partitions, await asyncio.gather(*sent), strict=True)
        }

    def _give_up(self, jobs: list[_Job], lane: _Lane, error: Exception) -> None:
        """Answer the requests of a failed publication, and those behind it, which would fail the same way."""
        log.warning("statements were not acknowledged", error=repr(error), requests=len(jobs) + len(lane.waiting))
        if isinstance(error, KafkaAwayError):
            words = "the log is away: try again"
        elif isinstance(error, ReservationsAwayError):
            words = "it cannot be told which ids are taken: try again"
        else:
            words = "the log did not acknowledge in time: send it again"
        for job in (*jobs, *lane.waiting):
            if not job.done.done():
                job.done.set_exception(retry_after(503, words, _RETRY_SECONDS))
        lane.waiting.clear()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _take(waiting: deque[_Job]) -> list[_Job]:
    """The next requests that go together, at least one. All of one minute of storing: envelopes are counted by it."""
    first = waiting.popleft()
    taken, count, size = [first], first.count, first.size
    while waiting and waiting[0].minute == first.minute:
        job = waiting[0]
        if count + job.count > MAX_ROUND_ITEMS or size + job.size > 8 * MAX_ENVELOPE_BYTES:
            break
        waiting.popleft()
        taken.append(job)
        count += job.count
        size += job.size
    return taken


def _seal(jobs: Iterable[_Job]) -> list[_Sealed]:
    """Envelopes of bounded size, those of one partition in order. A part that fits one envelope stays in one: it may
    be all of its request."""
    sealed: list[_Sealed] = []
    opened: dict[int, tuple[_Sealed, int]] = {}
    for job in jobs:
        for partition, part in job.parts.items():
            for items, size, primary in _split(part):
                envelope, filled = opened.get(partition, (None, 0))
                if (
                    envelope is None
                    or len(envelope.items) + len(items) > MAX_ENVELOPE_ITEMS
                    or filled + size > MAX_ENVELOPE_BYTES
                ):
                    envelope, filled = _Sealed(partition, [], {}), 0
                    sealed.append(envelope)
                envelope.items.extend(items)
                if primary:
                    envelope.counts[job.provider_id] = envelope.counts.get(job.provider_id, 0) + primary
                opened[partition] = (envelope, filled + size)
    return sealed


def _split(part: Part) -> Iterator[tuple[list[bytes], int, int]]:
    """Items in pieces that fit an envelope: the items, their size, how many are primary."""
    begin = size = 0
    for index, item in enumerate(part.items):
        if index > begin and (index - begin >= MAX_ENVELOPE_ITEMS or size + len(item) > MAX_ENVELOPE_BYTES):
            yield part.items[begin:index], size, _primary(part, begin, index)
            begin, size = index, 0
        size += len(item)
    yield part.items[begin:] if begin else part.items, size, _primary(part, begin, len(part.items))


def _primary(part: Part, begin: int, end: int) -> int:
    return end - begin - sum(begin <= one < end for one in part.credits)
