"""Servers of a bench's own, in a temporary directory: broker, front, registry, and the services on top of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import psutil
from clickhouse_connect.driver.client import Client

from infra.dev import health, processes
from infra.dev.accounts import Account, account
from infra.dev.broker import Broker
from infra.dev.front.process import Front
from infra.dev.ports import any_free
from infra.dev.stack import child_environment
from infra.runtime import clickhouse, kafka, registry
from infra.runtime.settings import ClickHouseSettings, IngestSettings, KafkaSettings, Settings, StreamsSettings

PARTITIONS = 4
PROVIDER = "bench"


class Watched:
    """A child process, with what it used of the machine."""

    def __init__(self, name: str, pid: int, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = psutil.Process(pid)

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def peak_mib(self) -> float:
        """Most memory that it ever held resident, MiB."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            return int(line.split()[1]) / 1024
        return float(self._process.memory_info().rss / 2**20)


class Servers:
    """Broker and front, with topics, tables and a registry; services are started when they are wanted."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._broker = Broker(folder / "broker")
        self._front = Front(folder / "clickhouse")
        self.settings = Settings(
            data_dir=folder,
            kafka=KafkaSettings(
                bootstrap_servers=self._broker.bootstrap_servers, partitions=PARTITIONS, replication_factor=1
            ),
            clickhouse=ClickHouseSettings(host=self._front.host, port=self._front.port),
            ingest=IngestSettings(port=any_free()),
            streams=StreamsSettings(port=any_free()),
        )

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self._broker)
            self._stack.enter_context(self._front)
            kafka.create_topics(self.settings.kafka)
            clickhouse.migrate(self.settings.clickhouse)
            engine = registry.open_registry(self.settings.registry_url())
            self._stack.callback(engine.dispose)
            registry.migrate(engine)
            self.account: Account = account(engine, self.settings.data_dir, PROVIDER, "The benchmarks")
        except BaseException:
            self._stack.close()
            raise
        self.broker = Watched("broker", self._broker.pid, self._broker.log_path)
        self.front = Watched("front", self._front.pid, self._front.log_path)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    @property
    def lrs(self) -> str:
        """Base URL of ingest's resources."""
        return f"http://{self.settings.ingest.host}:{self.settings.ingest.port}/xapi"

    def store(self) -> Client:
        """A client of the store, closed with the servers."""
        return self._stack.enter_context(clickhouse.open_clickhouse(self.settings.clickhouse))

    def start_worker(self) -> Watched:
        """A worker; returns when it has its partitions."""
        streams = self.settings.streams
        return self._start("worker", health.http(f"http://{streams.host}:{streams.port}/health/ready"))

    @contextmanager
    def worker(self) -> Iterator[Watched]:
        """A worker with its partitions, ended at the end of the block."""
        with ExitStack() as ended:
            whole, self._stack = self._stack, ended
            try:
                started = self.start_worker()
            finally:
                self._stack = whole
            yield started

    def start_ingest(self) -> Watched:
        """Ingest; returns when it is ready."""
        ingest = self.settings.ingest
        return self._start("ingest", health.http(f"http://{ingest.host}:{ingest.port}/health/ready"))

    def run(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        """A child with the settings in its environment, ended with the servers."""
        log = self.settings.data_dir / f"{name}.log"
        child = processes.spawn([sys.executable, *argv], log, child_environment(self.settings))
        self._stack.callback(processes.stop, child, 20.0)
        return child

    def _start(self, name: str, ready: Callable[[], bool]) -> Watched:
        child = self.run(name, ["-m", "infra.cli", name])
        log = self.settings.data_dir / f"{name}.log"
        wait_until(ready, 60.0, lambda: child.poll() is None, lambda: "\n".join(processes.last_lines(log)), 0.01)
        return Watched(name, child.pid, log)


class GaveUpError(RuntimeError):
    """What a bench waited for did not come in time, or its server ended."""


def wait_until(
    condition: Callable[[], bool],
    seconds: float,
    alive: Callable[[], bool] = lambda: True,
    told: Callable[[], str] = lambda: "",
    pause: float = 0.05,
) -> None:
    """Wait for a condition; raises GaveUpError with what is told."""
    deadline = time.monotonic() + seconds
    while not condition():
        if not alive() or time.monotonic() > deadline:
            raise GaveUpError(f"gave up after {seconds:.0f} s\n{told()}")
        time.sleep(pause)


@contextmanager
def servers() -> Iterator[Servers]:
    """Servers for one bench; all they wrote is removed."""
    with tempfile.TemporaryDirectory(prefix="roundtrip-bench-") as folder, Servers(Path(folder)) as running:
        yield running
