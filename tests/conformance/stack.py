"""The whole platform as processes in one directory: broker, store, worker and ingest, with one credential for all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import update

from infra.dev import health, ports, processes
from infra.dev.broker import Broker
from infra.dev.front.process import Front
from infra.runtime import clickhouse as store
from infra.runtime import kafka as topics
from infra.runtime import registry
from infra.runtime.settings import ClickHouseSettings, IngestSettings, KafkaSettings, Settings, StreamsSettings
from ingest.credentials import add_provider, issue_credential
from schemas.registry.tables import provider_credentials

KEY = "conformance"
SECRET = "conformance-secret"
_START_SECONDS = 120.0


class WholeStack:
    """Worker and ingest over a log and a store that run; a context manager that leaves no process behind.

    ``ingest`` are settings of the service beside the defaults.
    """

    def __init__(self, path: Path, kafka: KafkaSettings, clickhouse: ClickHouseSettings, **ingest: Any) -> None:
        self.path = path
        self._children: list[subprocess.Popen[bytes]] = []
        self.settings = Settings(
            data_dir=path,
            kafka=kafka,
            clickhouse=clickhouse,
            ingest=IngestSettings(**{"port": ports.any_free(), **ingest}),
            streams=StreamsSettings(port=ports.any_free()),
        )

    @property
    def endpoint(self) -> str:
        """Address of the resources, without a slash at the end."""
        return f"http://127.0.0.1:{self.settings.ingest.port}/xapi"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        for child in self._children:
            processes.stop(child, 20.0)

    def _start(self) -> None:
        topics.create_topics(self.settings.kafka)
        store.migrate(self.settings.clickhouse)
        engine = registry.open_registry(self.settings.registry_url())
        registry.migrate(engine)
        with engine.begin() as transaction:
            add_provider(transaction, KEY, "Conformance", 1)
            issue_credential(transaction, KEY, 1, key=KEY, secret=SECRET)
            transaction.execute(
                update(provider_credentials).where(provider_credentials.c.key == KEY).values(scopes="all")
            )
        engine.dispose()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")}
        environment = {**inherited, **self.settings.environment()}
        for name in ("worker", "ingest"):
            argv = [sys.executable, "-m", "infra.cli", name]
            self._children.append(processes.spawn(argv, self.path / f"{name}.log", environment))
        for service in (self.settings.ingest, self.settings.streams):
            self._wait_for(f"http://127.0.0.1:{service.port}/health/ready")

    def _wait_for(self, url: str) -> None:
        ready = health.http(url)
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if time.monotonic() > deadline or any(child.poll() is not None for child in self._children):
                logs = [self.path / f"{name}.log" for name in ("ingest", "worker")]
                lines = [line for log in logs for line in processes.last_lines(log)]
                raise TimeoutError("\n".join([f"{url} does not answer", *lines]))
            time.sleep(0.1)


@contextmanager
def alone(path: Path, **ingest: Any) -> Iterator[WholeStack]:
    """A stack with a broker and a store of its own, all below ``path``."""
    with Broker(path / "kafka") as broker, Front(path / "clickhouse") as front:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, partitions=4, replication_factor=1)
        clickhouse = ClickHouseSettings(host=front.host, port=front.port)
        with WholeStack(path, kafka, clickhouse, **ingest) as stack:
            yield stack
