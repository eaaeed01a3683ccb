"""The ingest service: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, QueuePool, select
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.runtime import logging
from infra.runtime.kafka import statements_topic
from infra.runtime.metrics import IngestMetrics, process_registry
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from ingest import credentials
from ingest.acceptance import Acceptance
from ingest.attachments.store import open_store
from ingest.auth import Authenticator
from ingest.cors import Cors
from ingest.documents.store import DocumentStore
from ingest.duplicates.local import LocalReservations
from ingest.duplicates.shared import SharedReservations
from ingest.duplicates.stored import StoredIds
from ingest.duplicates.taking import Reservations
from ingest.identity.resolver import Resolver
from ingest.limits import Allowance, Quotas, RateLimit
from ingest.minutes import Minutes
from ingest.producers import Link, producer
from ingest.progress import Progress
from ingest.protocol import bounded
from ingest.publisher import Publisher
from ingest.quarantine.clock import QuarantineClock
from ingest.quarantine.keeper import Quarantine
from ingest.reading import AgentReader
from ingest.refresh import Refresher
from ingest.reports import Reporter
from ingest.resources.about import About
from ingest.resources.activities import Activities
from ingest.resources.agents import Agents
from ingest.resources.base import Door
from ingest.resources.documents import ActivityProfile, AgentProfile, Registry, State
from ingest.resources.health import live, metrics, ready
from ingest.resources.live import LiveStatements
from ingest.resources.missing import Missing
from ingest.resources.statement_reads import StatementReads
from ingest.resources.statements import Statements
from ingest.sandbox.store import Sandbox
from ingest.slots import take_slot
from ingest.store import Store
from ingest.tail.hub import Hub
from schemas import packing
from schemas.avro_registry import schema_registry
from schemas.codec import envelope_codec, provider_minute_codec, rejection_codec

log = logging.get_logger(__name__)

_DRAIN_SECONDS = 10
_STATEMENTS = "/xapi/statements"


def clock() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1000


class Service:
    """The parts of one ingest process; made before the loop runs, started and stopped by the application's lifespan."""

    def __init__(self, settings: Settings, now: Callable[[], int] = clock) -> None:
        ingest, kafka = settings.ingest, settings.kafka
        timeout = ingest.publish_timeout_seconds
        self._slot = take_slot(settings.data_dir / "ingest")
        # A name of its own for each run: its counts start at zero.
        instance = f"{self._slot.name}-{secrets.token_hex(4)}"
        self.registry: CollectorRegistry = process_registry()
        measured = IngestMetrics(self.registry)
        self._engine: Engine = open_registry(settings.registry_url())
        schemas = schema_registry(kafka.schema_registry_url)
        self._plain = Link("statements", lambda: producer(kafka, timeout))
        self._transactional = Link(
            "transactions", lambda: producer(kafka, timeout, f"roundtrip-ingest-{self._slot.name}")
        )
        self._store = Store(settings.clickhouse)
        self._progress = Progress(
            self._store.run,
            generation=kafka.generation,
            partitions=kafka.partitions,
            in_flight_us=int(timeout * 1e6) + 500_000,
            own_writes_seconds=ingest.own_writes_seconds,
        )
        kept, readable = ingest.reservation_seconds, self._progress.through
        self._reservations: Reservations = (
            LocalReservations(settings.data_dir / "ingest" / "ids", kept, now, readable)
            if self._engine.dialect.name == "sqlite"
            else SharedReservations(self._engine, kept, now, readable, timeout)
        )
        # Threads of its own: no slow read keeps a request from being told apart from what is stored.
        self._ids_store = Store(settings.clickhouse, threads=2)
        self._stored = StoredIds(self._ids_store, readable, ingest.remembered_ids)
        self.publisher = Publisher(
            statements_topic(kafka),
            instance,
            packing.framing(schemas),
            self._plain,
            self._transactional,
            self._reservations,
            measured,
            now,
            timeout_seconds=timeout,
            max_pending=ingest.max_pending_statements,
        )
        minutes = Minutes(instance)
        self._reporter = Reporter(
            minutes, self._plain, provider_minute_codec(schemas), rejection_codec(schemas), now, timeout
        )
        self._resolver = Resolver(self._engine, now, timeout)
        self._authenticator = Authenticator(self._credential)
        self._acceptance = Acceptance(
            self._resolver,
            self.publisher,
            minutes,
            self._progress,
            self._stored,
            now,
            partitions=kafka.partitions,
            authority_home_page=ingest.authority_home_page,
            credited_types=ingest.credited_types,
        )
        self._agents = AgentReader(self._engine, ingest.authority_home_page)
        self._refresher = Refresher(
            self._engine, self._authenticator, self._acceptance, self._resolver, ingest.catalogue_refresh_seconds
        )
        self._attachments = open_store(ingest.attachments_url, settings.data_dir)
        door = Door(
            self._authenticator,
            minutes,
            measured,
            now,
            ingest.default_xapi_version,
            most_parameters=ingest.max_parameters,
            cors=Cors(ingest.cors_origins) if ingest.cors_origins else None,
        )
        self._sandbox = Sandbox(self._engine, now, ingest.sandbox_statements, ingest.authority_home_page)
        reads = StatementReads(
            self._progress, self._store, self._agents, self._attachments, self._sandbox, ingest.max_multipart_bytes
        )
        self.tail = Hub(kafka, envelope_codec(schemas), self._put_back, max_listeners=ingest.live_listeners)
        self._quarantine = Quarantine(self._engine, minutes, measured, now, ingest.quarantine_statements)
        self._quotas = Quotas(minutes, instance, self._store.run, now, self._authenticator.any_quota)
        allowance = Allowance(RateLimit(ingest.rate_limit_per_second, ingest.rate_limit_burst), self._quotas)
        self.statements = Statements(
            door,
            self._acceptance,
            self._progress,
            reads,
            ingest,
            self._attachments,
            self._quarantine,
            self._sandbox,
            allowance,
        )
        self._quarantine_clock = QuarantineClock(
            self._engine,
            self._quarantine,
            self.statements.accept,
            lambda: self._authenticator.credentials,
            measured,
            now,
            ingest.catalogue_refresh_seconds,
        )
        documents = DocumentStore(self._engine, now)
        self._documents = Registry(documents, self._resolver, ingest.max_document_bytes, timeout)
        self.routes = [
            Route(_STATEMENTS, self.statements),
            Route("/xapi/activities/state", State(door, self._documents)),
            Route("/xapi/activities/profile", ActivityProfile(door, self._documents)),
            Route("/xapi/agents/profile", AgentProfile(door, self._documents)),
            Route("/xapi/activities", Activities(door, self._progress, self._store, self._sandbox)),
            Route("/xapi/agents", Agents(door, self._agents)),
            Route("/xapi/about", About(door)),
            Route("/live/statements", LiveStatements(door, self.tail, kafka.generation, ingest.live_heartbeat_seconds)),
            Route("/xapi/{rest:path}", Missing(door)),
            Route("/health/live", live),
            Route("/health/ready", ready({"kafka": self._kafka_answers, "registry": self._registry_answers})),
            Route("/metrics", metrics(self.registry)),
        ]

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Start what runs beside the requests; at the end, publish the last counts."""
        self._plain.start()
        self._transactional.start()
        await self._refresher.once()
        beside: list[Coroutine[Any, Any, None]] = [self._reporter.run(), self._progress.run(), self._refresher.run()]
        beside.append(self._quarantine_clock.run())
        beside += [self._reservations.run(), self._stored.run()]
        beside.append(self._quotas.run())
        tasks = [asyncio.create_task(one) for one in beside]
        for task in tasks:
            task.add_done_callback(_tell)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await self._reporter.publish()
            await self._plain.stop()
            await self._transactional.stop()
            parts = (
                self._resolver,
                self._authenticator,
                self._store,
                self._agents,
                self._refresher,
                self._documents,
                self._quarantine,
                self._sandbox,
            )
            for part in (*parts, self._reservations, self._ids_store):
                part.close()
            await asyncio.to_thread(self._wait_for_threads)
            self._engine.dispose()
            self._slot.lock.close()

    async def _put_back(self, statements: list[bytes]) -> list[dict[str, Any]]:
        return await asyncio.get_running_loop().run_in_executor(self._agents.threads, self._agents.put_back, statements)

    def _wait_for_threads(self) -> None:
        """Wait a moment for threads that ask the registry: what they hold is not closed with the others."""
        pool, until = self._engine.pool, time.monotonic() + _DRAIN_SECONDS
        while isinstance(pool, QueuePool) and pool.checkedout() and time.monotonic() < until:
            time.sleep(0.01)

    def _credential(self, key: str) -> credentials.Credential | None:
        with self._engine.connect() as connection:
            return credentials.load(connection, key).get(key)

    async def _kafka_answers(self) -> bool:
        return await self.publisher.answers()

    async def _registry_answers(self) -> bool:
        def ask() -> bool:
            with self._engine.connect() as connection:
                return connection.execute(select(1)).scalar() == 1

        return await asyncio.to_thread(ask)


def build(settings: Settings) -> Starlette:
    """The application; nothing is connected before its lifespan starts."""
    return _application(Service(settings))


def _application(service: Service) -> Starlette:
    return Starlette(routes=service.routes, lifespan=service.lifespan)


class _Server(uvicorn.Server):
    """Ends the live tails when it is told to stop: as answers that go on, they would be waited for."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._service.tail.close()
        await super().shutdown(sockets)


def _front(service: Service) -> ASGIApp:
    """The application, statements before everything else: the router's own layers cost as much as their validation."""
    statements, application = service.statements, _application(service)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == _STATEMENTS:
            await statements(scope, receive, send)
        else:
            await application(scope, receive, send)

    return front


def serve(settings: Settings) -> int:
    """Run the service in the foreground until it is told to stop; the exit code."""
    logging.configure(settings.log, service="ingest")
    _tune_collector()
    service = Service(settings)
    config = uvicorn.Config(
        _front(service),
        host=settings.ingest.host,
        port=settings.ingest.port,
        loop="uvloop",
        http=bounded(settings.ingest.request_timeout_seconds, settings.ingest.max_body_bytes),
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    server = _Server(config, service)
    for one in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again once it has stopped in order: that is the end, not a failure.
        signal.signal(one, lambda _signal, _frame: None)
    server.run()
    return 0 if server.started else 1


def _tune_collector() -> None:
    """A batch of 50 makes thousands of dicts that live for milliseconds and are in no cycle: with Python's thresholds
    the collector runs within each request, over everything that was ever imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a part of the service ended", error=repr(error))
