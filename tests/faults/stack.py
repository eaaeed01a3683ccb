"""The processes that schedules run on: broker, front, ingest, workers behind proxies. One stack serves many."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from sqlalchemy import select

from infra.dev import health, ports, processes
from infra.dev.broker import Broker
from infra.dev.front.process import Front
from infra.runtime import clickhouse, kafka, registry
from infra.runtime.settings import (
    ClickHouseSettings,
    IngestSettings,
    KafkaSettings,
    Settings,
    StreamsSettings,
)
from schemas.registry import tables
from streams.corrections.copies import Copies
from streams.corrections.marks import Mark
from streams.corrections.voids import Voids
from tests.faults import calibrated
from tests.faults.commands import Commands
from tests.faults.proxy import Proxy
from tests.faults.schedule import WORKERS
from tests.faults.statements import ALIGNMENTS

SESSION_SECONDS = 3.0
PARTITIONS = 4
Command = tuple[str, ...]
WORKER: Final = ("-m", "infra.cli", "worker")
DOOR: Final = ("-m", "infra.cli", "ingest")


class WorkerSlot:
    """One worker and its proxy. ``wanted``: it is started again when it dies."""

    def __init__(self, number: int, log: Path, front_port: int) -> None:
        self.number = number
        self.wanted = False
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.wakes_at = 0.0
        self.port = ports.any_free()
        self.log = log
        self.proxy = Proxy(front_port, self._pid, self._stopped)

    def _pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def _stopped(self, seconds: float) -> None:
        self.wakes_at = time.monotonic() + seconds
        self.proxy.done.append("stop worker")

    def ready(self) -> bool:
        """Whether it has partitions."""
        return health.http(f"http://127.0.0.1:{self.port}/health/ready")()

    def pause(self, seconds: float) -> None:
        self.proxy.stop_worker(seconds)

    def wake(self) -> None:
        asleep, self.wakes_at = self.wakes_at > 0, 0.0
        if self.process is not None and self.process.poll() is None:
            if asleep:
                self.proxy.woken_at = time.monotonic()
            os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.proxy.done.append("kill worker")
            processes.kill(self.process)

    def stop(self) -> None:
        self.wanted = False
        self.wake()
        if self.process is not None:
            processes.stop(self.process, 20.0)
            self.process = None


class FaultStack:
    """Everything runs on free ports below ``path``; as a context manager it leaves no process behind.

    ``worker`` and ``door``: the commands of workers and ingest, to run variants of them.
    """

    def __init__(self, path: Path, worker: Command = WORKER, door: Command = DOOR) -> None:
        self.path = path
        self.broker = Broker(path / "kafka")
        self.front = Front(path / "clickhouse")
        self.worker = worker
        self.door = door
        self.slots = [WorkerSlot(n, path / f"worker-{n}.log", self.front.port) for n in range(WORKERS + 1)]
        self.settings = Settings(
            data_dir=path,
            kafka=KafkaSettings(
                bootstrap_servers=self.broker.bootstrap_servers,
                partitions=PARTITIONS,
                replication_factor=1,
                session_timeout_seconds=SESSION_SECONDS,
            ),
            clickhouse=ClickHouseSettings(host="127.0.0.1", port=self.front.port, query_timeout_seconds=3.0),
            ingest=IngestSettings(port=ports.any_free(), catalogue_refresh_seconds=0.5, publish_timeout_seconds=3.0),
            # Few students in memory, so that their states are read back from the store all the time.
            streams=StreamsSettings(
                tick_seconds=20.0,
                cached_students=10,
                liveness_timeout_seconds=60.0,
                corrections_seconds=0.5,
                copies_seconds=0.5,
            ),
        )
        self.engine = registry.open_registry(self.settings.registry_url())
        self.commands = Commands(self.engine, path / "commands.log", self._of_commands)
        self.each_tick: Callable[[], None] = lambda: None
        self._ingest: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.commands.kill()
        for slot in self.slots:
            slot.wanted = False
            slot.kill()
            slot.proxy.close()
        if self._ingest is not None:
            processes.kill(self._ingest)
        self.front.kill()
        self.broker.kill()
        self.engine.dispose()

    def tick(self) -> None:
        """Wake who has slept enough, start again who died, and what a schedule does beside its faults."""
        self.each_tick()
        self.commands.tick()
        now = time.monotonic()
        for slot in self.slots:
            if slot.wakes_at and now >= slot.wakes_at:
                slot.wake()
            if slot.wanted and (slot.process is None or slot.process.poll() is not None):
                self.start_worker(slot)
        if self._ingest is not None and self._ingest.poll() is not None:
            self._start_ingest()

    def start_worker(self, slot: WorkerSlot) -> None:
        slot.wanted = True
        slot.wakes_at = 0.0
        slot.starts += 1
        store = self.settings.clickhouse.model_copy(update={"port": slot.proxy.port})
        streams = self.settings.streams.model_copy(update={"port": slot.port})
        own = self.settings.model_copy(update={"clickhouse": store, "streams": streams})
        slot.process = processes.spawn([sys.executable, *self.worker], slot.log, self._environment(own))

    def kill_ingest(self) -> None:
        assert self._ingest is not None
        processes.kill(self._ingest)

    def run_door(self, door: Command) -> None:
        """Replace ingest by another; return when it takes statements."""
        self.door = door
        self.kill_ingest()
        self._start_ingest()
        self._ingest_ready()

    def run_workers(self, worker: Command) -> None:
        """Replace the workers by others; return when these have their partitions."""
        for slot in self.slots[:WORKERS]:
            slot.stop()
        self.worker = worker
        for slot in self.slots[:WORKERS]:
            self.start_worker(slot)
        self.wait(lambda: all(slot.ready() for slot in self.slots[:WORKERS]), "the workers did not get ready")

    def looked_until(self) -> int:
        """µs until which all finders have looked for what is to be corrected."""
        with self.engine.connect() as connection:
            return int(min(connection.execute(select(tables.marks.c.until)).scalars()))

    def rebuild_differs(self) -> list[str]:
        """What ``roundtrip rebuild --all --check`` says, where it finds a difference."""
        log = self.path / "check.log"
        command = [sys.executable, "-m", "infra.cli", "rebuild", "--all", "--check"]
        checking = processes.spawn(command, log, self._of_commands())
        self.wait(lambda: checking.poll() is not None, "the check did not end", 300.0)
        return [f"rebuild: {line}" for line in processes.last_lines(log, 12)] if checking.returncode else []

    def done(self) -> list[str]:
        """What really happened to workers since this was last asked, and which commands ended."""
        found = []
        for told in (*(slot.proxy.done for slot in self.slots), self.commands.done):
            found += told
            told.clear()
        return found

    def heal(self) -> None:
        """End every fault; the two workers run."""
        for slot in self.slots:
            slot.proxy.disarm()
            slot.wake()
        for slot in self.slots[WORKERS:]:
            slot.stop()
        self.broker.start()
        self.front.start()
        self.tick()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
        """Tick until it holds; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            self.tick()
            time.sleep(0.1)

    def _start(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.broker.start()
        self.front.start()
        kafka.create_topics(self.settings.kafka)
        clickhouse.migrate(self.settings.clickhouse)
        registry.migrate(self.engine)
        with self.engine.begin() as connection:
            skills = sorted({skill for skills in ALIGNMENTS.values() for skill in skills})
            connection.execute(tables.skills.insert(), [_skill(skill) for skill in skills])
            connection.execute(
                tables.alignments.insert(),
                [{"provider_id": "", "activity_id": i, "skill_id": s} for i, ss in ALIGNMENTS.items() for s in ss],
            )
        calibrated.keep(self.engine)
        # A finder without a mark first looks through the day before, hour by hour.
        for finder in (Voids, Copies):
            Mark(self.engine, finder.name).advance(time.time_ns() // 1000)
        self._start_ingest()
        for slot in self.slots[:WORKERS]:
            self.start_worker(slot)
        self._ingest_ready()

    def _ingest_ready(self) -> None:
        ready = health.http(f"http://127.0.0.1:{self.settings.ingest.port}/health/ready")
        self.wait(ready, "ingest did not get ready")

    def _start_ingest(self) -> None:
        self._ingest = processes.spawn(
            [sys.executable, *self.door], self.path / "ingest.log", self._environment(self.settings)
        )

    def _of_commands(self) -> dict[str, str]:
        """They may wait longer than workers, whose requests hang on purpose."""
        store = self.settings.clickhouse.model_copy(update={"query_timeout_seconds": 30.0})
        return self._environment(self.settings.model_copy(update={"clickhouse": store}))

    def _environment(self, settings: Settings) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")}
        return {**inherited, **settings.environment(), "PYTHONUNBUFFERED": "1"}


def _skill(skill: str) -> dict[str, object]:
    return {"skill_id": skill, "name": skill, "domain": "Faults", "subject": "Faults", "grade": None}
