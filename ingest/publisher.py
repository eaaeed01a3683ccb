"""Group commit: what arrives for a partition while an envelope is on its way goes out together in the next one.

A request whose items lie in one partition and fit one envelope takes the idempotent producer. One that spans several
envelopes is written in a Kafka transaction (many such requests in one), so that it is kept whole or not at all, even
when this process is killed half-way. Nothing is answered before Kafka has acknowledged it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from infra.runtime.logging import get_logger
from infra.runtime.metrics import IngestMetrics
from ingest.errors import ApiError, retry_after
from ingest.producers import MAX_RECORD_BYTES, KafkaAwayError, Link
from schemas.codec import Codec
from schemas.events import Envelope, Item

log = get_logger(__name__)

MAX_ENVELOPE_BYTES: Final = 1024 * 1024
MAX_ENVELOPE_ITEMS: Final = 2000
MAX_TRANSACTION_ITEMS: Final = 10_000
_ITEM_OVERHEAD: Final = 256
_RETRY_SECONDS: Final = 2.0

Acknowledged = dict[int, int]
"""Partition to offset of the last envelope that holds something of a request."""


@dataclass(slots=True)
class _Job:
    """One request.

    Its items by partition, their number and size in bytes, the minute in which they are stored (since the epoch), and
    when (loop time) it is answered 503.
    """

    items: dict[int, list[Item]]
    count: int
    size: int
    minute: int
    deadline: float
    done: asyncio.Future[Acknowledged]


@dataclass(slots=True)
class _Lane:
    """Requests that wait for one producer's turn: a partition's, or that of transactions."""

    waiting: deque[_Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Publisher:
    """Publishes items; used by one asyncio loop."""

    def __init__(
        self,
        topic: str,
        instance: str,
        codec: Codec[Envelope],
        plain: Link,
        transactional: Link,
        metrics: IngestMetrics,
        clock: Callable[[], int],
        *,
        timeout_seconds: float,
        max_pending: int,
    ) -> None:
        self._topic = topic
        self._instance = instance
        self._codec = codec
        self._plain = plain
        self._transactional = transactional
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout_seconds
        self._max_pending = max_pending
        self._pending = 0
        self._lanes: dict[int, _Lane] = {}
        self._transactions = _Lane()

    async def answers(self) -> bool:
        """Whether Kafka answers now and both producers are connected."""
        if not self._transactional.connected:
            return False
        client = (await self._plain.get()).client
        await client.force_metadata_update()
        return bool(client.cluster.available_partitions_for_topic(self._topic))

    async def publish(self, items: dict[int, list[Item]]) -> Acknowledged:
        """Publish a request's items, by partition; returns when Kafka has acknowledged all of them.

        Raises ApiError: 413 for an item beyond Kafka's limit; 503 when too much waits, or Kafka does not acknowledge
        in time. After a 503 the items may yet be in the log: sent again with the same ids they count once.
        """
        count = sum(map(len, items.values()))
        if self._pending + count > self._max_pending:
            raise retry_after(503, "too many statements are waiting for the log: try again", _RETRY_SECONDS)
        size = 0
        for ours in items.values():
            for item in ours:
                length = len(item.statement) + _ITEM_OVERHEAD
                if length > MAX_RECORD_BYTES - MAX_ENVELOPE_BYTES // 8:
                    raise ApiError(413, f"statement {item.statement_id} is too large: {length} bytes")
                size += length
        loop = asyncio.get_running_loop()
        minute = next(iter(items.values()))[0].stored // 60_000_000
        job = _Job(items, count, size, minute, loop.time() + self._timeout, loop.create_future())
        single = len(items) == 1 and (size <= MAX_ENVELOPE_BYTES or count == 1) and count <= MAX_ENVELOPE_ITEMS
        self._pending += count
        try:
            if single:
                partition = next(iter(items))
                lane = self._lanes.get(partition)
                if lane is None:
                    lane = self._lanes[partition] = _Lane()
                self._enqueue(lane, job, partition)
            else:
                self._enqueue(self._transactions, job, None)
            return await job.done
        finally:
            self._pending -= count
            self._metrics.pending.set(self._pending)

    def _enqueue(self, lane: _Lane, job: _Job, partition: int | None) -> None:
        lane.waiting.append(job)
        if lane.task is None:
            run = self._run_transactions(lane) if partition is None else self._run_partition(lane, partition)
            lane.task = asyncio.create_task(run)

    async def _run_partition(self, lane: _Lane, partition: int) -> None:
        try:
            while lane.waiting:
                jobs = _take(lane.waiting, MAX_ENVELOPE_ITEMS, MAX_ENVELOPE_BYTES)
                items = (
                    jobs[0].items[partition] if len(jobs) == 1 else [i for job in jobs for i in job.items[partition]]
                )
                try:
                    offset = await self._send(items, partition, jobs[0].deadline)
                except Exception as error:
                    self._give_up(jobs, lane, error)
                else:
                    for job in jobs:
                        if not job.done.done():
                            job.done.set_result({partition: offset})
        finally:
            lane.task = None

    async def _send(self, items: list[Item], partition: int, deadline: float) -> int:
        began = time.perf_counter()
        producer = await self._plain.get()
        try:
            async with asyncio.timeout_at(deadline):
                sent = await self._start_sending(producer, items, partition)
                offset: int = (await sent).offset
        except BaseException:
            self._plain.failed(producer)
            raise
        self._metrics.publish_seconds.observe(time.perf_counter() - began)
        return offset

    async def _run_transactions(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                jobs = _take(lane.waiting, MAX_TRANSACTION_ITEMS, 8 * MAX_ENVELOPE_BYTES)
                try:
                    offsets = await self._commit(jobs)
                except Exception as error:
                    self._give_up(jobs, lane, error)
                else:
                    for job in jobs:
                        if not job.done.done():
                            job.done.set_result({partition: offsets[partition] for partition in job.items})
        finally:
            lane.task = None

    async def _commit(self, jobs: list[_Job]) -> Acknowledged:
        """Write several requests in one transaction; the last offset of each partition."""
        began = time.perf_counter()
        by_partition: dict[int, list[Item]] = {}
        for job in jobs:
            for partition, items in job.items.items():
                by_partition.setdefault(partition, []).extend(items)
        producer = await self._transactional.get()
        offsets: Acknowledged = {}
        try:
            async with asyncio.timeout_at(jobs[0].deadline):
                await producer.begin_transaction()
                sent = [
                    (partition, await self._start_sending(producer, part, partition))
                    for partition, items in by_partition.items()
                    for part in _split(items)
                ]
                for partition, future in sent:
                    offsets[partition] = (await future).offset
                await producer.commit_transaction()
        except BaseException:
            # The next producer of the same transactional id ends what this one left open.
            self._transactional.failed(producer)
            raise
        self._metrics.publish_seconds.observe(time.perf_counter() - began)
        return offsets

    async def _start_sending(
        self, producer: AIOKafkaProducer, items: list[Item], partition: int
    ) -> asyncio.Future[RecordMetadata]:
        self._metrics.envelope_statements.observe(len(items))
        value = self._codec.encode(Envelope(self._instance, self._clock(), items))
        future: asyncio.Future[RecordMetadata] = await producer.send(
            self._topic, value=value, partition=partition, headers=[("counts", _counts(items))]
        )
        return future

    def _give_up(self, jobs: list[_Job], lane: _Lane, error: Exception) -> None:
        """Answer the requests of a failed publication, and those behind it, which would fail the same way."""
        log.warning("statements were not acknowledged", error=repr(error), requests=len(jobs) + len(lane.waiting))
        away = isinstance(error, KafkaAwayError)
        words = "the log is away: try again" if away else "the log did not acknowledge in time: send it again"
        for job in (*jobs, *lane.waiting):
            if not job.done.done():
                job.done.set_exception(retry_after(503, words, _RETRY_SECONDS))
        lane.waiting.clear()


def _take(waiting: deque[_Job], most_items: int, most_bytes: int) -> list[_Job]:
    """The next requests that fit together, at least one. All of one minute of storing: envelopes are counted by it."""
    first = waiting.popleft()
    taken, count, size = [first], first.count, first.size
    while waiting and waiting[0].minute == first.minute:
        job = waiting[0]
        if count + job.count > most_items or size + job.size > most_bytes:
            break
        waiting.popleft()
        taken.append(job)
        count += job.count
        size += job.size
    return taken


def _split(items: list[Item]) -> Iterable[list[Item]]:
    """Items of one partition in envelopes of bounded size."""
    part: list[Item] = []
    size = 0
    for item in items:
        length = len(item.statement) + _ITEM_OVERHEAD
        if part and (len(part) >= MAX_ENVELOPE_ITEMS or size + length > MAX_ENVELOPE_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _counts(items: list[Item]) -> bytes:
    """Statements by provider, as JSON: what an envelope that cannot be decoded still tells."""
    if len(items) == 1:
        return b'{"%s":%d}' % (items[0].provider_id.encode(), items[0].primary)
    return json.dumps(Counter(i.provider_id for i in items if i.primary), separators=(",", ":")).encode()
