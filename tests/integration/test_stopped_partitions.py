"""A partition of which too much cannot be processed is stopped and says so; nothing of it is put aside unasked."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable

import msgspec
import pytest
from typer.testing import CliRunner

from infra.cli import app
from infra.dev import processes
from infra.runtime import kafka
from schemas.events import Item
from schemas.partitioning import partition_of
from tests.fixtures.envelopes import Mix, make_items
from tests.fixtures.workers import PARTITIONS, Lab
from tests.integration.test_streams_worker import assert_equals_the_reference, read_dead_letters

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MIX = Mix(students=60, skills=4, items=10, attempts=0.5, filler=20)
SICK = 2
_ALARM = "SELECT message, until IS NULL FROM alarms FINAL WHERE alarm = 'dead_letters' AND subject = 'partition 2'"


def of_partition(items: Iterable[Item], *, sick: bool) -> list[Item]:
    return [item for item in items if (partition_of(item.student_id, PARTITIONS) == SICK) is sick]


def lags(lab: Lab) -> dict[int, int]:
    return {p.partition: p.lag for p in kafka.lag(lab.settings.kafka, lab.topic)}


def only_the_sick_one_waits(lab: Lab) -> bool:
    found = lags(lab)
    return found[SICK] > 0 and not any(lag for partition, lag in found.items() if partition != SICK)


def alarms(lab: Lab) -> list[tuple[str, bool]]:
    with lab.client() as client:
        return [(str(message), bool(stands)) for message, stands in client.query(_ALARM).result_rows]


def test_a_partition_with_too_much_poison_is_stopped_until_that_is_accepted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"dead_letter_window": 100, "dead_letter_least": 20}
    lab.settings = lab.settings.model_copy(update={"streams": lab.settings.streams.model_copy(update=limits)})
    items = list(make_items(1_200, 5, MIX))
    poison = [msgspec.structs.replace(item, statement=b"{") for item in of_partition(items, sick=True)[:60]]
    behind = of_partition(items, sick=True)[60:160]
    worker = lab.start_worker()
    lab.publish(of_partition(make_items(300, 6, MIX), sick=True))
    lab.wait_for_the_end()
    lab.publish([*poison, *behind, *of_partition(items, sick=False)])
    lab.wait_until(lambda: only_the_sick_one_waits(lab) and bool(alarms(lab)))
    [(message, stands)] = alarms(lab)
    assert stands
    assert "cannot be processed (statement_undecodable" in message
    assert "roundtrip dead-letters accept --partition 2" in message
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.settings.streams.port}/health/live") as answer:
        assert "partition 2 is stopped" in answer.read().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.settings.streams.port}/metrics") as answer:
        assert 'streams_partition_stopped{partition="2"} 1.0' in answer.read().decode()
    assert len(read_dead_letters(lab)) < 20

    assert processes.stop(worker, 30)
    kept = len(read_dead_letters(lab))
    lab.start_worker()
    lab.publish(of_partition(make_items(200, 7, MIX), sick=False))
    lab.wait_until(
        lambda: "partition stopped for its dead letters" in lab.worker_log() and only_the_sick_one_waits(lab)
    )
    assert len(read_dead_letters(lab)) == kept
    assert alarms(lab) == [(alarms(lab)[0][0], True)]

    for name, value in lab.settings.environment().items():
        monkeypatch.setenv(name, value)
    command = ["dead-letters", "accept", "--partition", str(SICK), "--reason", "the provider is told"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    lab.publish(of_partition(make_items(300, 8, MIX), sick=True))
    lab.wait_for_the_end()
    assert len(read_dead_letters(lab)) == 60
    assert_equals_the_reference(lab)
    lab.wait_until(lambda: not alarms(lab)[0][1])
