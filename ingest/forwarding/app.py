"""The forwarding service: one task for each forward in the registry, started and ended as operators change them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from prometheus_client import start_http_server
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime import logging
from infra.runtime.metrics import ForwardMetrics, process_registry
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from ingest.attachments.store import open_store
from ingest.forwarding import store
from ingest.forwarding.delivery import Failure
from ingest.forwarding.forwarder import Forwarder
from ingest.forwarding.preparing import Preparing
from ingest.forwarding.rules import Forward
from ingest.reading.agents import AgentReader
from schemas.avro_registry import schema_registry
from schemas.codec import envelope_codec

log = logging.get_logger(__name__)

_STOP_SECONDS: Final = 10.0

T_ = TypeVar("T_")


class Service:
    """Forwards, each in its task. ``secrets``: the environment."""

    def __init__(self, settings: Settings, metrics: ForwardMetrics, secrets: Mapping[str, str]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._secrets = secrets
        self._schemas = schema_registry(settings.kafka.schema_registry_url)
        self._engine: Engine = open_registry(settings.registry_url())
        self._agents = AgentReader(self._engine, settings.ingest.authority_home_page)
        self._attachments = open_store(settings.ingest.attachments_url, settings.data_dir)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")
        self._running: dict[Forward, asyncio.Task[None]] = {}
        self._without_secret: set[Forward] = set()

    async def run(self) -> None:
        """Until cancelled; a registry that is away leaves the forwards that were known."""
        try:
            while True:
                try:
                    forwards = await self._in_thread(self._load)
                except SQLAlchemyError as error:
                    log.warning("the registry does not answer", error=type(error).__name__)
                else:
                    await self._follow([one for one in forwards if not one.disabled])
                await asyncio.sleep(self._settings.forwarding.refresh_seconds)
        finally:
            await self._follow([])
            self._agents.close()
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._engine.dispose()

    async def _follow(self, wanted: list[Forward]) -> None:
        ended = {one: task for one, task in self._running.items() if one not in wanted}
        for task in ended.values():
            task.cancel()
        if ended:
            await asyncio.wait(ended.values(), timeout=_STOP_SECONDS)
        for one in ended:
            del self._running[one]
            log.info("a forward ended", forward=one.name)
        for one in wanted:
            if one not in self._running and (secret := self._secret(one)) is not None:
                self._running[one] = asyncio.create_task(self._forwarder(one, secret).run())
                self._running[one].add_done_callback(_tell)
                log.info("a forward began", forward=one.name, endpoint=one.endpoint)

    def _secret(self, forward: Forward) -> str | None:
        secret = self._secrets.get(forward.secret_variable)
        if secret is None and forward not in self._without_secret:
            self._without_secret.add(forward)
            log.error(
                "a forward has no secret: set the variable and start the service again",
                forward=forward.name,
                variable=forward.secret_variable,
            )
        return secret

    def _forwarder(self, forward: Forward, secret: str) -> Forwarder:
        return Forwarder(
            forward,
            secret,
            self._settings.kafka,
            self._settings.forwarding,
            envelope_codec(self._schemas),
            Preparing(self._put_back, self._attachments),
            self._write_failure,
            self._metrics,
        )

    async def _put_back(self, statements: list[bytes]) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._agents.threads, self._agents.put_back, statements)

    async def _write_failure(self, name: str, failure: Failure) -> None:
        await self._in_thread(lambda: self._write(name, failure))

    def _write(self, name: str, failure: Failure) -> None:
        with self._engine.begin() as connection:
            store.fail(
                connection,
                name,
                failure.statement_id,
                at=time.time_ns() // 1000,
                attempts=failure.attempts,
                status=failure.status,
                message=failure.message,
            )

    def _load(self) -> list[Forward]:
        with self._engine.connect() as connection:
            return store.load(connection)

    async def _in_thread(self, call: Callable[[], T_]) -> T_:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def serve(settings: Settings) -> int:
    """Run the service in the foreground until it is told to stop; the exit code."""
    logging.configure(settings.log, service="forward")
    registry = process_registry()
    metrics = ForwardMetrics(registry)
    server, _ = start_http_server(settings.forwarding.port, settings.forwarding.host, registry)
    try:
        asyncio.run(_until_told(settings, metrics))
    finally:
        server.shutdown()
        server.server_close()
    return 0


async def _until_told(settings: Settings, metrics: ForwardMetrics) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(Service(settings, metrics, os.environ).run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a forward failed", error=repr(error))
