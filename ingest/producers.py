"""Kafka producers that are replaced after a failure, so that a broker that was away is found again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.runtime.kafka import connection
from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings

log = get_logger(__name__)

MAX_RECORD_BYTES: Final = 8 * 1024 * 1024
"""Largest record that the topics take (infra.runtime.kafka.create_topics)."""

_WAIT_SECONDS: Final = 1.0
_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)
_START_SECONDS: Final = (5.0, 10.0, 20.0, 60.0)
"""How long a producer may take to start. A broker that is itself just starting may name no brokers at all; a producer
that was told so asks nobody again, and would start for ever."""
_STOP_SECONDS: Final = 2.0


class KafkaAwayError(Exception):
    """No producer is connected at present."""


def producer(settings: KafkaSettings, timeout_seconds: float, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A producer that acknowledges only what all replicas in sync have; with an id, it writes in transactions.

    A transaction that its process left open is ended by the broker soon after a publication could take.
    """
    transactional: dict[str, Any] = {}
    if transactional_id:
        transactional = {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(timeout_seconds * 1000) + 2000,
        }
    return AIOKafkaProducer(
        enable_idempotence=True,
        acks="all",
        compression_type="lz4",
        linger_ms=0,
        max_batch_size=1024 * 1024,
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=int(timeout_seconds * 1000),
        retry_backoff_ms=50,
        metadata_max_age_ms=60_000,
        **transactional,
        **connection(settings),
    )


class Link:
    """One producer at a time. After a failure whoever used it says so, and a new one takes its place.

    A failed idempotent or transactional producer is never used again: what it left unsure (a sequence number, an open
    transaction) is settled by the next one's start.
    """

    def __init__(self, name: str, make: Callable[[], AIOKafkaProducer]) -> None:
        self._name = name
        self._make = make
        self._current: AIOKafkaProducer | None = None
        self._ready = asyncio.Event()
        self._broken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._discarding: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> AIOKafkaProducer | None:
        """The producer at hand, if there is one."""
        return self._current

    def start(self) -> None:
        """Begin to connect, and go on for ever; does not wait."""
        self._broken.set()
        self._task = asyncio.create_task(self._keep_connected())

    async def get(self) -> AIOKafkaProducer:
        """The producer; waits a second for one, then raises KafkaAwayError."""
        if self._current is None:
            try:
                await asyncio.wait_for(self._ready.wait(), _WAIT_SECONDS)
            except TimeoutError:
                raise KafkaAwayError(f"{self._name}: not connected") from None
        if self._current is None:
            raise KafkaAwayError(f"{self._name}: not connected")
        return self._current

    def failed(self, used: AIOKafkaProducer) -> None:
        """Say that a producer failed; it is replaced if it is still the current one."""
        if used is self._current:
            self._current = None
            self._ready.clear()
            self._broken.set()
            self._discard_later(used)

    async def stop(self) -> None:
        """Send what is left and disconnect."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        used, self._current = self._current, None
        if used is not None:
            try:
                await asyncio.wait_for(used.stop(), _STOP_SECONDS)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("a producer did not stop in order", producer=self._name, error=repr(error))
                self._discard_later(used)
        if self._discarding:
            await asyncio.gather(*self._discarding)

    async def _keep_connected(self) -> None:
        while True:
            await self._broken.wait()
            self._broken.clear()
            self._current = await self._connect()
            self._ready.set()

    async def _connect(self) -> AIOKafkaProducer:
        tries = 0
        while True:
            made = self._make()
            starting = asyncio.create_task(made.start())
            try:
                async with asyncio.timeout(_START_SECONDS[min(tries, len(_START_SECONDS) - 1)]):
                    await asyncio.shield(starting)
            except (KafkaError, OSError, TimeoutError) as error:
                if tries % 20 == 0:
                    log.warning("Kafka does not answer", producer=self._name, error=repr(error), tries=tries)
                self._discard_later(made)
                if starting.cancel():
                    await asyncio.wait([starting], timeout=_STOP_SECONDS)
                await asyncio.sleep(_BACKOFF_SECONDS[min(tries, len(_BACKOFF_SECONDS) - 1)])
                tries += 1
            except asyncio.CancelledError:
                # Cut off while it connects, aiokafka would leave the connection open.
                await asyncio.wait([starting], timeout=_STOP_SECONDS)
                if not starting.cancel():
                    starting.exception()
                self._discard_later(made)
                raise
            else:
                if tries:
                    log.info("Kafka answers again", producer=self._name)
                return made

    def _discard_later(self, used: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_discard(used))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)


async def _discard(used: AIOKafkaProducer) -> None:
    """Let go of a failed producer at once. Its own stop() would first send what waits, for as long as that takes."""
    used._closed = True
    used._message_accumulator.fail_all(KafkaAwayError("the producer failed"))
    await _close(used)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await used._sender.close()
    except Exception as error:
        log.debug("a failed producer did not stop in order", error=repr(error))
    # The sender may have connected again meanwhile.
    await _close(used)


async def _close(used: AIOKafkaProducer) -> None:
    try:
        await used.client.close()
    except Exception as error:
        log.debug("a connection did not close in order", error=repr(error))
