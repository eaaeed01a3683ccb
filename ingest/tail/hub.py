"""One consumer of the log for all who listen to this process, only while somebody does.

A listener that comes back with a place in the log reads up to the others by a consumer of its own, and joins them
there: nothing is left out between the two, something may come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.kafka import statements_topic
from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings
from ingest.errors import retry_after
from ingest.tail.choosing import Asked, PutBack, choose
from ingest.tail.listener import Listener, event
from ingest.tail.log import consumer, statements_of
from ingest.tail.places import Place, event_id
from schemas.codec import Codec
from schemas.events import Envelope

log = get_logger(__name__)

_AT_ONCE: Final = 200
_START_SECONDS: Final = 10.0
_REGISTRY_SECONDS: Final = 1.0
_NEAR_RECORDS: Final = 20
_CATCHING_UP: Final = 4

Emit = Callable[[bytes], Awaitable[None]]


class Hub:
    """Used by one asyncio loop."""

    def __init__(
        self, settings: KafkaSettings, codec: Codec[Envelope], put_back: PutBack, *, max_listeners: int
    ) -> None:
        self._settings = settings
        self._topic = statements_topic(settings)
        self._codec = codec
        self._put_back = put_back
        self._max = max_listeners
        self._listeners: list[Listener] = []
        self._open = 0
        self._closed = False
        self._lock = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)
        self._task: asyncio.Task[None] | None = None
        self._read: dict[int, Place] = {}
        """What is decided for those who listen now; the next items are for those who will."""
        self._told: dict[int, Place] = {}

    @property
    def listeners(self) -> int:
        """Connections that are open."""
        return self._open

    @property
    def now(self) -> str:
        """The id of what was told to everyone."""
        return event_id(self._settings.generation, self._told)

    async def enter(self) -> None:
        """Take a place among the listeners, and have the log read; raises ApiError 503. ``leave`` gives it back."""
        if self._closed or self._open >= self._max:
            why = "this service stops" if self._closed else f"{self._open} listen already"
            raise retry_after(503, f"{why}: try again", 5)
        self._open += 1
        try:
            async with self._lock, asyncio.timeout(_START_SECONDS):
                if self._task is None or self._task.done():
                    await self._start()
        except (KafkaError, OSError, TimeoutError):
            await self.leave(None)
            raise retry_after(503, "the log does not answer: try again", 2) from None
        except BaseException:
            await self.leave(None)
            raise

    async def leave(self, listener: Listener | None) -> None:
        """Give a place back; the last one to leave ends the reading."""
        self._open -= 1
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._open:
            async with self._lock:
                if not self._open and self._task is not None:
                    task, self._task = self._task, None
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    def close(self) -> None:
        """End all listeners, for good: the service stops."""
        self._closed = True
        for one in self._listeners:
            one.close()

    def join(self, asked: Asked) -> Listener:
        """Listen from now on."""
        listener = Listener(asked)
        if self._closed:
            listener.close()
        self._listeners.append(listener)
        return listener

    async def resume(self, asked: Asked, since: dict[int, Place], emit: Emit) -> Listener:
        """Emit what came since then, and listen on from there. Raises KafkaError, and what ``emit`` raises."""
        async with self._catching_up:
            own = consumer(self._settings)
            await own.start()
            try:
                places = await self._seek(own, since, emit)
                while True:
                    goal = {partition: place.offset for partition, place in self._read.items()}
                    near = sum(max(0, end - places[p].offset) for p, end in goal.items()) <= _NEAR_RECORDS
                    # Joined before the last stretch is read: what comes meanwhile waits with the listener.
                    listener = self.join(asked) if near else None
                    await self._read_to(own, goal, places, asked, emit)
                    if listener is not None:
                        return listener
                    if self._closed:
                        return self.join(asked)
            finally:
                await own.stop()

    async def _start(self) -> None:
        own = consumer(self._settings)
        try:
            await own.start()
            tps = self._partitions(own)
            own.assign(tps)
            await own.seek_to_end(*tps)
            # A position is asked for once, when it is needed: before anyone is told that we listen.
            self._read = {tp.partition: Place(await own.position(tp), 0) for tp in tps}
        except BaseException:
            await own.stop()
            raise
        self._told = dict(self._read)
        self._task = asyncio.create_task(self._run(own))

    def _partitions(self, own: AIOKafkaConsumer) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in range(self._settings.partitions)]

    async def _run(self, own: AIOKafkaConsumer) -> None:
        try:
            while True:
                for records in (await own.getmany(timeout_ms=1_000, max_records=50)).values():
                    for record in records:
                        await self._dispatch(record)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("the live tail ended", error=repr(error))
            for one in self._listeners:
                one.close()
        finally:
            await own.stop()

    async def _dispatch(self, record: Any) -> None:
        partition, offset = record.partition, record.offset
        after = Place(offset + 1, 0)
        self._read[partition] = after
        if listeners := list(self._listeners):
            asked = [one.asked for one in listeners]
            items = statements_of(self._codec, record)
            for begin in range(0, len(items), _AT_ONCE):
                for idx, json, takers in await self._chosen(items[begin : begin + _AT_ONCE], asked):
                    self._told[partition] = Place(offset, idx + 1)
                    told = self.now
                    for number in takers:
                        listeners[number].push(told, json)
                # Requests go first: a busy log is read between them.
                await asyncio.sleep(0)
        self._told[partition] = after

    async def _chosen(self, items: list[Any], asked: list[Asked]) -> list[Any]:
        while True:
            try:
                return await choose(items, asked, self._put_back)
            except SQLAlchemyError as error:
                log.warning("the registry does not answer: the live tail waits", error=type(error).__name__)
                await asyncio.sleep(_REGISTRY_SECONDS)

    async def _seek(self, own: AIOKafkaConsumer, since: dict[int, Place], emit: Emit) -> dict[int, Place]:
        """Go to places, or to where the log begins or ends now; what it does not hold any more is told as a gap."""
        tps = self._partitions(own)
        own.assign(tps)
        first = await own.beginning_offsets(tps)
        places = {}
        for tp in tps:
            wanted = min(since.get(tp.partition, self._read[tp.partition]), self._read[tp.partition])
            places[tp.partition] = max(wanted, Place(first[tp], 0))
            own.seek(tp, places[tp.partition].offset)
        if any(place.offset > since.get(p, place).offset for p, place in places.items()):
            told = event_id(self._settings.generation, places)
            await emit(event("gap", told, b'{"dropped":null,"after":""}'))
        return places

    async def _read_to(
        self, own: AIOKafkaConsumer, goal: dict[int, int], places: dict[int, Place], asked: Asked, emit: Emit
    ) -> None:
        for partition, end in goal.items():
            tp = TopicPartition(self._topic, partition)
            while await own.position(tp) < end and not self._closed:
                for record in (await own.getmany(tp, timeout_ms=500, max_records=20)).get(tp, ()):
                    if record.offset >= end:
                        own.seek(tp, end)
                        break
                    await self._emit(record, places, asked, emit)
            if not self._closed:
                places[partition] = max(places[partition], Place(end, 0))

    async def _emit(self, record: Any, places: dict[int, Place], asked: Asked, emit: Emit) -> None:
        skip = places[record.partition]
        items = [
            (idx, item)
            for idx, item in statements_of(self._codec, record)
            if record.offset > skip.offset or idx >= skip.idx
        ]
        for begin in range(0, len(items), _AT_ONCE):
            for idx, json, _ in await self._chosen(items[begin : begin + _AT_ONCE], [asked]):
                places[record.partition] = Place(record.offset, idx + 1)
                await emit(event("statement", event_id(self._settings.generation, places), json))
        places[record.partition] = Place(record.offset + 1, 0)
