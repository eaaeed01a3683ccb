"""The whole platform on one machine: ``roundtrip demo`` and ``roundtrip up``.

What the settings give (brokers, a ClickHouse host, a registry) is used; what they leave open is started here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from infra.dev import datadir, ports, processes
from infra.dev.broker import Broker
from infra.dev.children import forward_spec, front_spec, service_specs, simulation_spec
from infra.dev.datadir import DataDir
from infra.dev.front.process import Front
from infra.dev.meter import Meter
from infra.dev.supervisor import Spec, StartError, Supervisor
from infra.dev.terminal import Phase, Service, Terminal, View, open_terminal
from infra.runtime import clickhouse, kafka, registry
from infra.runtime.settings import Settings
from ingest.forwarding.store import active

HOST = "127.0.0.1"
BROKER_PORT = 9092
LOCAL_PARTITIONS = 4
FORWARDS_EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """What a run may choose.

    Attributes:
        demo: with simulated providers and the demo sign-in.
        simulation: arguments for the providers.
        prepare: fills the migrated registry before ingest first reads it.
    """

    demo: bool = False
    workers: int = 1
    fresh: bool = False
    yes: bool = False
    simulation: tuple[str, ...] = ()
    prepare: Callable[[Settings], object] | None = None


@dataclass(frozen=True)
class Places:
    """The ports that were found, and what is to be said about them."""

    broker: int
    clickhouse: int
    ingest: int
    pages: int
    workers: tuple[int, ...]
    notices: tuple[str, ...] = field(default=())


def run(settings: Settings, options: Options) -> int:
    """Start all, show it, and stop all at Ctrl-C; the exit code.

    Raises LocalStackError when this machine or the data directory stands in the way, and the errors of the migrations.
    """
    path = settings.data_dir.absolute()
    if options.fresh and datadir.is_used(path):
        if not options.yes:
            typer.confirm(f"Remove all that is kept in {path}?", abort=True)
        datadir.empty(path)
    with DataDir.open(path) as data, open_terminal() as terminal:
        places = find_places(settings, options)
        return Stack(local_settings(settings, options, places), options, data, terminal, places, settings).run()


def read_environment(data_dir: Path) -> dict[str, str]:
    """Environment that leads other commands to the stack that runs on a directory; empty when none does."""
    found: dict[str, str] = datadir.running(data_dir.absolute()).get("environment", {})
    return found


def find_places(settings: Settings, options: Options) -> Places:
    """Free ports, those that are wanted where they can be had."""
    chosen: dict[str, ports.Port] = {}

    def choose(name: str, wanted: int, host: str = HOST) -> int:
        chosen[name] = ports.choose(name, wanted, host, {port.number for port in chosen.values()})
        return chosen[name].number

    places = Places(
        broker=0 if settings.kafka.bootstrap_servers else choose("broker", BROKER_PORT),
        clickhouse=settings.clickhouse.port
        if settings.clickhouse.host
        else choose("ClickHouse front", settings.clickhouse.port),
        ingest=choose("ingest", settings.ingest.port, settings.ingest.host),
        pages=choose("pages", settings.dashboards.port, settings.dashboards.host),
        workers=tuple(
            choose(f"worker {number}", settings.streams.port + number - 1, settings.streams.host)
            for number in range(1, options.workers + 1)
        ),
    )
    notices = tuple(port.notice for port in chosen.values() if port.notice)
    return Places(places.broker, places.clickhouse, places.ingest, places.pages, places.workers, notices)


def local_settings(settings: Settings, options: Options, places: Places) -> Settings:
    """The settings of all children: those given, what is started here, and what one machine needs less of."""
    sections: dict[str, Any] = {"data_dir": settings.data_dir.absolute()}
    if not settings.kafka.bootstrap_servers:
        small = {"partitions": LOCAL_PARTITIONS, "replication_factor": 1}
        given = settings.kafka.model_fields_set
        sections["kafka"] = settings.kafka.model_copy(
            update={
                "bootstrap_servers": f"{HOST}:{places.broker}",
                "security_protocol": "PLAINTEXT",
                **{name: value for name, value in small.items() if name not in given},
            }
        )
    if not settings.clickhouse.host:
        sections["clickhouse"] = settings.clickhouse.model_copy(
            update={"host": HOST, "port": places.clickhouse, "secure": False, "cluster": "", "replicated": False}
        )
    sections["ingest"] = settings.ingest.model_copy(update={"port": places.ingest})
    pages: dict[str, Any] = {"port": places.pages}
    if options.demo and "demo_sign_in" not in settings.dashboards.model_fields_set:
        pages["demo_sign_in"] = True
    sections["dashboards"] = settings.dashboards.model_copy(update=pages)
    return settings.model_copy(update=sections)


def child_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a child: settings from the tree alone, not from variables that were read already."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")}
    return {**inherited, **settings.environment(), "PYTHONUNBUFFERED": "1"}


def told_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What other commands may read from the data directory: no passwords."""
    return {name: value for name, value in environment.items() if not name.endswith("PASSWORD")}


class Stack:
    """One run."""

    def __init__(
        self,
        settings: Settings,
        options: Options,
        data: DataDir,
        terminal: Terminal,
        places: Places,
        given: Settings,
    ) -> None:
        self._settings = settings
        self._options = options
        self._data = data
        self._terminal = terminal
        self._places = places
        self._given = given
        self._phase: Phase = "starting"
        self._doing = ""
        self._notices: list[str] = list(places.notices)
        self._environment = child_environment(settings)
        self._meter = Meter(settings, time.monotonic)
        self._forwarding = False
        self._look_at = 0.0
        self._supervisor = Supervisor(self._notices.append, self._tick)

    def run(self) -> int:
        """Start in order, watch, stop in reverse."""
        supervisor = self._supervisor
        try:
            with supervisor.signals(), supervisor:
                self._start()
                if not supervisor.stopping:
                    self._phase, self._doing = "running", ""
                    supervisor.watch(self._start_forwarding)
                self._phase = "stopping"
                self._tick()
        finally:
            self._meter.close()
        self._phase = "stopped"
        self._tick()
        return 0

    def _start(self) -> None:
        supervisor, data, settings = self._supervisor, self._data, self._settings
        stores: list[Spec] = []
        if not self._given.kafka.bootstrap_servers:
            self._doing = "preparing Apache Kafka"
            broker = Broker(data.broker, self._places.broker, log=data.log("broker"))
            argv = supervisor.meanwhile(lambda: broker.prepare(self._notices.append))
            stores.append(Spec("broker", argv, broker.log_path, self._environment, broker.answers))
        if not self._given.clickhouse.host:
            front = Front(data.clickhouse, self._places.clickhouse, log=data.log("clickhouse"))
            self._notices.append("ClickHouse front: a stand-in for a ClickHouse server, for one machine")
            stores.append(front_spec(front, self._environment))
        self._doing = "starting the broker and the store"
        supervisor.start(*stores)
        if supervisor.stopping:
            return
        self._doing = "migrating topics and tables"
        supervisor.meanwhile(self._migrate)
        data.tell_running({"pid": os.getpid(), "environment": told_environment(settings.environment())})
        self._doing = "starting ingest, workers and pages"
        supervisor.start(*service_specs(settings, data, self._environment, self._places.workers))
        if self._options.demo:
            self._doing = "starting the simulated providers"
            supervisor.start(simulation_spec(data, self._environment, self._options.simulation))

    def _start_forwarding(self) -> None:
        """Start the forwarding once there is a forward: most districts have none."""
        if self._forwarding or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + FORWARDS_EVERY_SECONDS
        if not self._supervisor.meanwhile(self._has_forwards):
            return
        self._forwarding = True
        try:
            self._supervisor.start(forward_spec(self._settings, self._data, self._environment))
        except StartError as error:  # it is tried again by the supervisor, and no reason to stop all others
            self._notices.append(str(error))

    def _has_forwards(self) -> bool:
        engine = registry.open_registry(self._settings.registry_url())
        try:
            with engine.connect() as connection:
                return active(connection)
        except SQLAlchemyError:
            return False
        finally:
            engine.dispose()

    def _migrate(self) -> None:
        kafka.create_topics(self._settings.kafka)
        clickhouse.migrate(self._settings.clickhouse)
        engine = registry.open_registry(self._settings.registry_url())
        try:
            registry.migrate(engine)
        finally:
            engine.dispose()
        if self._options.prepare is not None:
            self._options.prepare(self._settings)

    def _tick(self) -> None:
        if self._phase == "running":
            self._meter.tick()
        self._terminal.show(self._view(), time.monotonic())

    def _view(self) -> View:
        ingest, pages = self._settings.ingest, self._settings.dashboards
        now = time.monotonic()
        services = tuple(
            Service(
                status.name,
                status.state,
                status.pid,
                now - status.since,
                status.restarts,
                status.reason or (_says(status.log) if status.name == "providers" else ""),
            )
            for status in self._supervisor.statuses()
        )
        addresses = (
            ("pages", f"http://{pages.host}:{pages.port}"),
            ("xAPI", f"http://{ingest.host}:{ingest.port}/xapi"),
            ("logs", str(self._data.logs)),
        )
        return View(
            self._phase, services, addresses, self._meter.rate, self._meter.stored, tuple(self._notices), self._doing
        )


def _says(log: Path) -> str:
    return next(iter(processes.last_lines(log, 1)), "")
