"""The whole way of a replay: ingest, Kafka, worker, ClickHouse; and the store agrees with the file, faults or not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.dev.replay.dataset import SkillMatrix, responses
from infra.dev.replay.replay import Options, run
from infra.dev.replay.verify import Figures, verify
from infra.runtime.settings import Settings
from tests.fixtures.answers import write_many_answers
from tests.fixtures.services import Services

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def figures(settings: Settings, folder: Path) -> Figures:
    told = list(responses(folder / "test.tsv"))
    return verify(settings, "test", told, SkillMatrix(folder / "q_mat.npz"), settle=120)


def test_a_replay_through_a_killed_worker_and_again_ends_as_the_file_says(
    services_of: Callable[[int], Services], tmp_path: Path
):
    services = services_of(71)
    settings = services.settings
    told = write_many_answers(tmp_path, users=25, each=40)
    services.start("ingest", "worker")

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
