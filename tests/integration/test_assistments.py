"""The whole way of a replay: ingest, Kafka, worker, ClickHouse; and the store agrees with the file, faults or not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.dev.front.process import Front
from infra.dev.ports import any_free
from infra.dev.replay.dataset import SkillMatrix, responses
from infra.dev.replay.replay import Options, run
from infra.dev.replay.verify import Figures, verify
from infra.runtime import clickhouse, kafka, registry
from infra.runtime.settings import (
    ClickHouseSettings,
    IngestSettings,
    KafkaSettings,
    Settings,
    StreamsSettings,
)
from tests.fixtures.answers import write_many_answers

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


class Services:
    """ingest and worker as processes; a worker that was killed can be started again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        self._running[name] = subprocess.Popen(
            [sys.executable, "-m", "infra.cli", name],
            env={**os.environ, **self._settings.environment()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait()

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(30)


@pytest.fixture
def settings(tmp_path: Path, kafka_settings: KafkaSettings, clickhouse_front: Front) -> Settings:
    settings = Settings(
        data_dir=tmp_path / "data",
        kafka=kafka_settings.model_copy(update={"generation": 71, "session_timeout_seconds": 3.0}),
        clickhouse=ClickHouseSettings(host="127.0.0.1", port=clickhouse_front.port, database="replayed"),
        ingest=IngestSettings(port=any_free(), catalogue_refresh_seconds=0.5),
        streams=StreamsSettings(port=any_free()),
    )
    settings.data_dir.mkdir()
    kafka.create_topics(settings.kafka)
    clickhouse.migrate(settings.clickhouse)
    engine = registry.open_registry(settings.registry_url())
    registry.migrate(engine)
    engine.dispose()
    return settings


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = Services(settings)
    yield services
    services.stop()


def figures(settings: Settings, folder: Path) -> Figures:
    told = list(responses(folder / "test.tsv"))
    return verify(settings, "test", told, SkillMatrix(folder / "q_mat.npz"), settle=120)


def test_a_replay_through_a_killed_worker_and_again_ends_as_the_file_says(
    settings: Settings, services: Services, tmp_path: Path
):
    told = write_many_answers(tmp_path, users=25, each=40)
    services.start("ingest")
    services.start("worker")

    def lose_the_worker() -> None:
        services.kill("worker")
        services.start("worker")

    crash = threading.Timer(8.0, lose_the_worker)
    crash.start()
    options = Options(tmp_path, rate=150, batch=10, connections=2, patience=120)
    assert run(settings, options) == 0
    crash.join()
    first = figures(settings, tmp_path)
    assert first.holds, str(first)
    assert (first.attempts, first.duplicates, first.dead_lettered) == (told, 0, 0)

    assert run(settings, Options(tmp_path, verify=True, settle=120)) == 0
    again = figures(settings, tmp_path)
    assert (again.attempts, again.accepted, again.duplicates) == (told, 2 * told, told)
    assert again.skill_states == first.skill_states > 100
