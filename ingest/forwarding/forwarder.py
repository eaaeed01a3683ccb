"""One forward: reads the statements topic in its own consumer group and commits what was delivered or given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.kafka import statements_topic
from infra.runtime.logging import get_logger
from infra.runtime.metrics import ForwardMetrics
from infra.runtime.settings import ForwardingSettings, KafkaSettings
from ingest.forwarding.delivery import Delivery, Failure, Listening, Outgoing
from ingest.forwarding.preparing import Preparing
from ingest.forwarding.rules import Forward, group
from ingest.tail.log import consumer, statements_of
from schemas.codec import Codec
from schemas.events import Envelope

log = get_logger(__name__)

_ENVELOPES_AT_ONCE: Final = 20
_AGAIN_SECONDS: Final = 2.0
_DAY_MS: Final = 86_400_000

WriteFailure = Callable[[str, Failure], Awaitable[None]]
"""Keeps a failure of a forward; raises SQLAlchemyError."""


class Forwarder(Listening):
    """Runs until it is cancelled; what was not committed by then is sent again by the next one."""

    def __init__(
        self,
        forward: Forward,
        secret: str,
        kafka: KafkaSettings,
        settings: ForwardingSettings,
        codec: Codec[Envelope],
        preparing: Preparing,
        write_failure: WriteFailure,
        metrics: ForwardMetrics,
    ) -> None:
        self._forward = forward
        self._kafka = kafka
        self._settings = settings
        self._codec = codec
        self._preparing = preparing
        self._write_failure = write_failure
        self._metrics = metrics
        self._secret = secret
        self._at_once = asyncio.Semaphore(settings.connections)

    async def run(self) -> None:
        """Forward, for ever; Kafka may be away meanwhile."""
        own = self._forward
        async with httpx.AsyncClient(
            auth=(own.key, self._secret),
            headers={"X-Experience-API-Version": own.version},
            timeout=self._settings.timeout_seconds,
        ) as client:
            url = own.endpoint.rstrip("/") + "/statements"
            delivery = Delivery(client, url, self, longest_wait=self._settings.longest_wait_seconds)
            while True:
                try:
                    await self._read(delivery)
                except Exception as error:  # of Kafka, the registry, the store of attachments: none is for ever
                    log.warning("a forward begins again", forward=own.name, error=repr(error))
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self, delivery: Delivery) -> None:
        name = self._forward.name
        # While the other LRS is away for long, nothing is asked of the consumer; its heartbeats go on.
        reader = consumer(self._kafka, group_id=group(name), max_poll_interval_ms=_DAY_MS)
        topic = statements_topic(self._kafka)
        try:
            reader.subscribe([topic], listener=_Beginning(reader, self._forward.filter.since))
            await reader.start()
            kept: dict[TopicPartition, int] = {}
            while True:
                found = await reader.getmany(timeout_ms=1_000, max_records=_ENVELOPES_AT_ONCE)
                await asyncio.gather(*[self._partition(delivery, records) for records in found.values()])
                # Positions, not records: what stands between them, as the ends of transactions, is done with too.
                places = {tp: await reader.position(tp) for tp in reader.assignment()}
                if places != kept:
                    await self._commit(reader, places)
                    kept = places
                self._show_lag(reader, places)
        finally:
            await reader.stop()

    async def _partition(self, delivery: Delivery, records: Sequence[Any]) -> None:
        """The statements of a partition, in order, a batch at a time."""
        batch: list[Outgoing] = []
        size = 0
        for record in records:
            async for one in self._preparing.outgoing(self._forward, statements_of(self._codec, record)):
                # What brings attachments goes by itself: they may be large.
                if batch and (
                    one.parts
                    or batch[-1].parts
                    or len(batch) >= self._settings.batch_statements
                    or size + len(one.json) > self._settings.batch_bytes
                ):
                    await self._send(delivery, batch)
                    batch, size = [], 0
                batch.append(one)
                size += len(one.json)
        await self._send(delivery, batch)

    async def _send(self, delivery: Delivery, batch: Sequence[Outgoing]) -> None:
        async with self._at_once:
            await delivery.deliver(batch)

    async def _commit(self, reader: AIOKafkaConsumer, places: dict[TopicPartition, int]) -> None:
        try:
            await reader.commit(places)
        except KafkaError as error:
            # Another process has the partition now, and sends some of it again: ids are kept, so it counts once.
            log.info("a forward's place was not kept", forward=self._forward.name, error=repr(error))

    def _show_lag(self, reader: AIOKafkaConsumer, places: dict[TopicPartition, int]) -> None:
        for tp, place in places.items():
            end = reader.last_stable_offset(tp)
            lag = 0 if end is None else max(0, end - place)
            self._metrics.lag.labels(self._forward.name, tp.partition).set(lag)

    async def taken(self, statements: Sequence[Outgoing], *, known: bool) -> None:
        """Count, and tell how long it took."""
        self._metrics.statements.labels(self._forward.name, "known" if known else "delivered").inc(len(statements))
        now = time.time()
        for one in statements:
            self._metrics.delay.labels(self._forward.name).observe(max(0.0, now - one.stored / 1e6))

    async def failed(self, failure: Failure) -> None:
        """Keep it before going on: a dead letter that is lost would be a lost statement."""
        while True:
            try:
                await self._write_failure(self._forward.name, failure)
                break
            except SQLAlchemyError as error:
                log.warning("a dead letter cannot be kept yet", forward=self._forward.name, error=type(error).__name__)
                await asyncio.sleep(_AGAIN_SECONDS)
        log.warning(
            "a statement was not taken", forward=self._forward.name, statement=failure.statement_id,
            status=failure.status, attempts=failure.attempts,
        )  # fmt: skip
        self._metrics.statements.labels(self._forward.name, "failed").inc()

    def answered(self, status: int) -> None:
        """Count the answer."""
        self._metrics.requests.labels(self._forward.name, str(status or "none")).inc()

    def waiting(self, *, waits: bool) -> None:
        """Show whether the other LRS takes nothing."""
        self._metrics.waiting.labels(self._forward.name).set(float(waits))


class _Beginning(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Where a forward begins on a partition that it never committed: at what was stored since a time."""

    def __init__(self, reader: AIOKafkaConsumer, since_us: int) -> None:
        self._reader = reader
        self._since_ms = since_us // 1_000

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """What is under way is sent on; its place is not kept."""

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Seek where nothing was committed."""
        new = [tp for tp in assigned if await self._reader.committed(tp) is None]
        if not new or not self._since_ms:
            return
        # The ends come first: what is appended after them is found by its time, or lies behind them.
        ends = await self._reader.end_offsets(new)
        times = await self._reader.offsets_for_times(dict.fromkeys(new, self._since_ms))
        for tp in new:
            found = times.get(tp)
            self._reader.seek(tp, ends[tp] if found is None else found.offset)
