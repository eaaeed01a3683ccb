"""The worker process: ``serve`` runs it in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver import options
from faust.types import TP
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.compiled import in_use, missing
from infra.runtime.kafka import connection, statements_topic
from infra.runtime.logging import configure, get_logger
from infra.runtime.metrics import StreamsMetrics, process_registry
from infra.runtime.registry import open_registry
from infra.runtime.settings import ClickHouseSettings, KafkaSettings, Settings
from schemas import topics
from schemas.avro_registry import schema_registry
from schemas.codec import case_event_codec, dead_letter_codec, envelope_codec
from schemas.events import Item
from streams.agents.app import add_agents, consumed, create_app
from streams.agents.intake import Intake, Offsets, Partitions, to_record
from streams.calibrations import running_calibration
from streams.cases.outbox import Outbox
from streams.clocked import Clocked
from streams.corrections.publisher import publish
from streams.corrections.rounds import Rounds
from streams.counts import CaseEvents, ProviderMinutes, Rejections
from streams.dead_letters import LARGEST_REQUEST_BYTES, DeadLetters
from streams.envelopes import envelope_decoder
from streams.health import Health, HealthServer
from streams.limits import Gate, Limit
from streams.log_ends import LogEnds
from streams.pipeline import Origin, Pipeline
from streams.processor import Processor, ProcessorOptions
from streams.reconciliation import Watch
from streams.running import Running
from streams.sink import Sink
from streams.stops import Acceptances, Stops
from streams.store import ClickHouseStore
from streams.unwritten import SettledStore, Unwritten

log = get_logger(__name__)

LOOK_SECONDS = 0.5
TELL_SECONDS = 2.0
CALIBRATION_SECONDS = 1.0
DRAIN_SECONDS = 5.0
SLOW_SECONDS = 2.0
GIVE_UP_SECONDS = 5.0
"""A client that asks for so much longer than its time limits does hang."""
M_ARENA_MAX = -8
"""The number that mallopt knows it by (malloc.h)."""
REMEMBERED_STATEMENTS = 200_000
"""Statement ids kept in memory over all partitions, at 64 to 128 bytes each; twice as many at most."""


def serve(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT, which drain it; returns the exit code, 1 when it could not go on."""
    configure(settings.log, service="worker")
    share_arenas()
    calm_the_collector()
    leave_out_data_frames()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings))


def share_arenas() -> None:
    """Let all threads allocate from two arenas of glibc's malloc, not from up to sixteen; another libc does as it does.

    Rows are made in one thread and freed in others, and an arena keeps for itself what was freed in it. Measured on a
    worker that 172,926 students passed through: 660 MiB at most with its default, 607 MiB with two.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_ARENA_MAX, 2)


def calm_the_collector() -> None:
    """Let the garbage collector come round less often: rows are many, short-lived and without cycles.

    Measured on 30,000 statements: 46 µs a statement in the worker's own code with Python's default, 34 µs with this.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def leave_out_data_frames() -> None:
    """Keep clickhouse-connect from importing pandas, Arrow and polars at the first insert.

    They cost a worker some 70 MB and most of a second, and nothing here is a data frame.
    """
    for name in ("pd", "arrow", "pl"):
        setattr(options, name, None)


async def _serve(settings: Settings) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    worker = Worker(settings)
    try:
        if not (known := await wait_for_topics(settings.kafka, told)):
            return 0
        await worker.start(known)
        return await worker.run(told)
    finally:
        await worker.stop()


async def wait_for_topics(settings: KafkaSettings, told: asyncio.Event) -> dict[str, int]:
    """Wait until all topics exist: Faust ignores for good those that do not.

    Returns the number of partitions of each; nothing when told to stop before.
    """
    missing: set[str] = set()
    while not told.is_set():
        try:
            found = await asyncio.to_thread(_topics, settings)
        except KafkaError as error:
            log.info("waiting for Kafka", error=str(error))
        else:
            if not (missing := {*consumed(settings), topics.DEAD_LETTERS.name} - found.keys()):
                return found
            log.info("waiting for topics", missing=sorted(missing))
        await asyncio.sleep(1.0)
    return {}


def _topics(settings: KafkaSettings) -> dict[str, int]:
    consumer = KafkaConsumer(enable_auto_commit=False, **connection(settings))
    try:
        partitions = {topic: consumer.partitions_for_topic(topic) for topic in consumer.topics()}
        return {topic: len(numbers) for topic, numbers in partitions.items() if numbers}
    finally:
        consumer.close()


def slow_words(settings: ClickHouseSettings, *sinks: Sink) -> str:
    """That the store takes its time over a request, which is no stall; empty when its client should have given up."""
    seconds = max(sink.asking_seconds() for sink in sinks)
    longest = settings.connect_timeout_seconds + settings.query_timeout_seconds + GIVE_UP_SECONDS
    return f"ClickHouse takes {seconds:.0f} s over one request" if SLOW_SECONDS < seconds < longest else ""


def now_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000


class Worker:
    """All parts of one worker, put together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._sinks: list[Sink] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._started: list[Callable[[], Awaitable[None]]] = []

    async def start(self, known: Mapping[str, int]) -> None:
        """Make and start everything; raises what a part raises that cannot start.

        ``known``: number of partitions by topic.
        """
        settings = self._settings
        registry = process_registry()
        schemas = schema_registry(settings.kafka.schema_registry_url)
        metrics = StreamsMetrics(registry)
        self.health = Health(settings.streams.liveness_timeout_seconds, time.monotonic)
        server = HealthServer(settings.streams.host, settings.streams.port, self.health, registry)
        server.start()
        self._started.append(lambda: asyncio.to_thread(server.stop))

        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_request_size=LARGEST_REQUEST_BYTES,
            **connection(settings.kafka),
        )
        await producer.start()
        self._started.append(producer.stop)

        engine = open_registry(settings.registry_url())
        self._started.append(lambda: asyncio.to_thread(engine.dispose))
        self._engine = engine
        asked_at = time.monotonic()
        running = await asyncio.to_thread(running_calibration, engine)
        log.info("calibration", version=running.calibration.version)
        log.info("compiled parts", used=in_use(), in_plain_python=missing())
        topic = statements_topic(settings.kafka)
        reads, writes, beside, unwritten = self._sink(), self._sink(), self._sink(), Unwritten()
        self._reads = reads
        ends = LogEnds(settings.kafka, topic, now_us)
        self.health.store_away = lambda: writes.away or beside.away or reads.away
        self.health.store_slow = lambda: slow_words(settings.clickhouse, writes, beside, reads)
        self.health.kafka_away = lambda: ends.away
        processor = Processor(
            envelope_decoder(schemas),
            SettledStore(ClickHouseStore(self._read_for_a_batch, settings.kafka.generation), unwritten),
            ProcessorOptions(
                topic=topic,
                generation=settings.kafka.generation,
                timezone=settings.district.timezone,
                cached_students=settings.streams.cached_students,
                remembered_statements=max(REMEMBERED_STATEMENTS // settings.kafka.partitions, 5_000),
                calibration=running.calibration,
                clock=now_us,
                activation=running.activation,
                switching=running.switching,
            ),
        )
        dead_letters = DeadLetters(producer, dead_letter_codec(schemas))
        origin = Origin(topic, settings.kafka.generation, f"{socket.gethostname()}-{os.getpid()}")
        self.app = create_app(settings, known)
        self._offsets = Offsets(self.app)

        def acknowledge(partition: int, next_offset: int) -> None:
            self._offsets.done(TP(topic, partition), next_offset)

        streams = settings.streams
        limit = Limit(streams.dead_letter_share, streams.dead_letter_window, streams.dead_letter_least)
        gate = Gate(limit, Acceptances(reads.read, origin.generation).known)
        self.pipeline = Pipeline(
            processor, writes, beside, unwritten, dead_letters, gate, metrics, self.health, origin, now_us, acknowledge
        )
        self.pipeline.looks.saw(running.activation, asked_at)
        self.partitions = Partitions(self.app, topic, self.pipeline, self._offsets, self.health, ends)
        stops = Stops(
            self.pipeline, self.partitions, lambda: self.partitions.assigned, self._sink(), origin.generation,
            self.health, metrics, now_us,
        )  # fmt: skip
        minutes, rejections = ProviderMinutes(self._sink(), schemas), Rejections(self._sink(), schemas)
        case_events = CaseEvents(self._sink(), schemas)
        self._intakes = {
            topic: Intake(self.app, self._offsets, self._statements, self.pipeline.drain, self.partitions.stale),
            topics.PROVIDER_MINUTES.name: Intake(self.app, self._offsets, minutes.handle),
            topics.REJECTIONS.name: Intake(self.app, self._offsets, rejections.handle),
            topics.CASE_EVENTS.name: Intake(self.app, self._offsets, case_events.handle),
        }
        add_agents(self.app, settings, dict(self._intakes))
        self._metrics = metrics
        clocked = Clocked(self._sink(), engine, settings, self.pipeline, self.partitions)
        self._flow = asyncio.create_task(self.pipeline.run())
        self._looking = asyncio.create_task(self._calibrate(running))
        await self.app.start()
        self._started.append(self.app.stop)
        ends.start(lambda: self.partitions.assigned)
        self._started.append(lambda: asyncio.to_thread(ends.stop))
        watch = Watch(self._sink(), settings.kafka, metrics, now_us)

        async def correct(items: Sequence[Item]) -> dict[int, int]:
            return await publish(producer, codec, topic, settings.kafka.partitions, origin.worker, items, now_us())

        codec, seconds = envelope_codec(schemas), time.monotonic
        outbox = Outbox(engine, producer, case_event_codec(schemas), streams.tick_seconds)
        rounds = Rounds(self._sink().read, engine, settings, correct, metrics, now_us, seconds)
        self._tasks += [
            asyncio.create_task(self._look()),
            asyncio.create_task(self._commit()),
            asyncio.create_task(self._tell()),
            asyncio.create_task(stops.run()),
            asyncio.create_task(clocked.run()),
            asyncio.create_task(outbox.run(lambda: 0 in self.partitions.assigned)),
            asyncio.create_task(watch.run(lambda: 0 in self.partitions.assigned)),
            asyncio.create_task(rounds.run(lambda: 0 in self.partitions.assigned)),
        ]

    async def run(self, told: asyncio.Event) -> int:
        """Return 0 when told to stop, 1 when a part failed."""
        failures = [asyncio.create_task(intake.failed.wait()) for intake in self._intakes.values()]
        waits = [asyncio.create_task(told.wait()), *failures, asyncio.create_task(self.app.wait_until_stopped())]
        parts = (self._flow, self._looking, *self._tasks)
        await asyncio.wait([*waits, *parts], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for task in parts:
            if task.done() and not task.cancelled() and (error := task.exception()):
                log.error("a task of the worker failed", exc_info=error)
        return 0 if told.is_set() else 1

    async def stop(self) -> None:
        """Drain: finish the batch in hand, commit, leave the group, close all."""
        log.info("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "_intakes"):
            await asyncio.gather(*(intake.close(DRAIN_SECONDS) for intake in self._intakes.values()))
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._offsets.commit()
            except Exception as error:  # what is not committed is delivered again; what is not stopped holds partitions
                log.warning("offsets not committed", error=repr(error))
        self._stop.set()
        if hasattr(self, "_flow"):
            for part in (self._flow, self._looking):  # until then what is drained is confirmed
                part.cancel()
            await asyncio.gather(self._flow, self._looking, return_exceptions=True)
        for stop in reversed(self._started):
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await stop()
            except TimeoutError:
                log.warning("a part did not stop in time")
            except Exception as error:
                log.warning("a part did not stop in order", error=repr(error))
        if hasattr(self, "pipeline"):
            await asyncio.to_thread(self.pipeline.close)
        for sink in self._sinks:
            await asyncio.to_thread(sink.close)
        log.info("stopped")

    def _sink(self) -> Sink:
        sink = Sink(lambda: open_clickhouse(self._settings.clickhouse), self._stop)
        self._sinks.append(sink)
        return sink

    def _read_for_a_batch(self, sql: str) -> Sequence[Sequence[Any]]:
        found = self._reads.read(sql)
        self.health.progress()
        return found

    async def _statements(self, messages: Sequence[Any]) -> None:
        await self.pipeline.take([to_record(message) for message in messages])

    async def _look(self) -> None:
        """Waits for nobody: this is the pulse of the event loop."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.partitions.look()
            for partition, lag in self.pipeline.progress.lags().items():
                self._metrics.lag.labels(partition=str(partition)).set(lag)

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._offsets.commit()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            await self.pipeline.tell(self.partitions.assigned)

    async def _calibrate(self, running: Running) -> None:
        """Takes up another calibration when it is made the active one. A registry that is away is asked again.

        In a thread of its own: what is written waits for it, while the other threads may wait for a slow store.
        """
        looking = ThreadPoolExecutor(1, thread_name_prefix="looks")
        try:
            while True:
                asked_at = time.monotonic()
                ask = partial(running_calibration, self._engine, running)
                try:
                    found = await asyncio.get_running_loop().run_in_executor(looking, ask)
                except SQLAlchemyError as error:
                    self.pipeline.looks.failed()
                    log.warning("the registry does not say which calibration is active", error=repr(error))
                else:
                    if found != running:
                        log.info("calibration", version=found.calibration.version, switching=found.switching)
                    running = found
                    await self.pipeline.run_under(running, asked_at)
                await asyncio.sleep(CALIBRATION_SECONDS)
        finally:
            looking.shutdown(wait=False)
