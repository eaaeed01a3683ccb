"""The whole platform as processes in one directory: broker, store, worker and ingest, with one credential for all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from sqlalchemy import update

from infra.dev import health, ports, processes
from infra.dev.broker import Broker
from infra.dev.front.process import Front
from infra.runtime import clickhouse, kafka, registry
from infra.runtime.settings import ClickHouseSettings, IngestSettings, KafkaSettings, Settings, StreamsSettings
from ingest.credentials import add_provider, issue_credential
from schemas.registry.tables import provider_credentials

KEY = "conformance"
SECRET = "conformance-secret"
_START_SECONDS = 120.0


class WholeStack:
    """A context manager that leaves no process behind; ``ingest`` are settings of the service beside the defaults."""

    def __init__(self, path: Path, **ingest: Any) -> None:
        self.path = path
        self._broker = Broker(path / "kafka")
        self._front = Front(path / "clickhouse")
        self._children: list[subprocess.Popen[bytes]] = []
        self.settings = Settings(
            data_dir=path,
            kafka=KafkaSettings(bootstrap_servers=self._broker.bootstrap_servers, partitions=4, replication_factor=1),
            clickhouse=ClickHouseSettings(host="127.0.0.1", port=self._front.port),
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
        self._front.stop()
        self._broker.stop()

    def _start(self) -> None:
        self._broker.start()
        self._front.start()
        kafka.create_topics(self.settings.kafka)
        clickhouse.migrate(self.settings.clickhouse)
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
                logs = [
                    line for name in ("ingest", "worker") for line in processes.last_lines(self.path / f"{name}.log")
                ]
                raise TimeoutError("\n".join([f"{url} does not answer", *logs]))
            time.sleep(0.1)
