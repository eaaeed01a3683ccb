"""The reconciliation on the clock: what is off for five minutes raises an alarm, and what comes right ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.metrics import StreamsMetrics
from streams.reconciliation import Watch
from streams.rows import tables
from streams.sink import Sink
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PARTITIONS = 4


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = START + timedelta(minutes=30)

    def __call__(self) -> int:
        return us(self.now)


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


@pytest.fixture
def sink(lab: Lab) -> Iterator[Sink]:
    made = Sink(lab.client, threading.Event())
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> StreamsMetrics:
    return StreamsMetrics(CollectorRegistry())


@pytest.fixture
def watch(lab: Lab, sink: Sink, clock: Clock, metrics: StreamsMetrics) -> Watch:
    return make_watch(lab, sink, clock, metrics)


def make_watch(lab: Lab, sink: Sink, clock: Clock, metrics: StreamsMetrics) -> Watch:
    return Watch(
        sink, lab.settings.kafka.model_copy(update={"partitions": PARTITIONS, "generation": 1}), metrics, clock
    )


def accept(sink: Sink, statements: int, minute: datetime = START) -> None:
    sink.insert(tables.LEDGER, [(1, 0, int(minute.timestamp()), "quiz", statements, 1)])


def explain(sink: Sink, statements: int) -> None:
    """Dead letters stand in for stored statements: one row tells of many."""
    place = (1, 0, 5, -1, "quiz", "00000000-0000-0000-0000-000000000000", us(START))
    sink.insert(tables.OUTCOMES, [(*place, statements, "dead", "undecodable", "broken", us(START))])


def pass_by(sink: Sink, clock: Clock, minutes: float, behind: int = 0) -> None:
    """Let time pass; all partitions are looked at meanwhile, the first one is ``behind`` by so many records."""
    clock.now += timedelta(minutes=minutes)
    moment = us(clock.now)
    sink.insert(
        tables.SINK_PROGRESS,
        [(1, p, 10, 10 + (behind if p == 0 else 0), us(START + timedelta(minutes=2)), moment) for p in range(4)],
    )


def alarms(lab: Lab) -> list[tuple[str, str, bool]]:
    with lab.client() as client:
        query = "SELECT alarm, subject, until IS NULL FROM alarms FINAL ORDER BY since, alarm, subject"
        return [(str(alarm), str(subject), bool(stands)) for alarm, subject, stands in client.query(query).result_rows]


def unaccounted(metrics: StreamsMetrics) -> dict[str, float]:
    return {s.labels["provider"]: s.value for metric in metrics.unaccounted.collect() for s in metric.samples}


def test_a_difference_is_a_metric_at_once_and_an_alarm_after_five_minutes(
    lab: Lab, sink: Sink, watch: Watch, clock: Clock, metrics: StreamsMetrics
) -> None:
    accept(sink, 9)
    explain(sink, 7)
    pass_by(sink, clock, 0)
    watch.look()
    assert unaccounted(metrics) == {"quiz": 2.0}
    assert alarms(lab) == []
    pass_by(sink, clock, 5)
    watch.look()
    assert alarms(lab) == [("unbalanced", "quiz, 2026-11-20T15:00Z", True)]
    with lab.client() as client:
        message = str(client.query("SELECT message FROM alarms FINAL").result_rows[0][0])
    assert message.startswith("2 statements are in the log, but neither stored")
    assert "roundtrip replay --from 2026-11-20T15:00Z" in message


def test_an_alarm_ends_when_the_balance_comes_right_also_at_another_worker(
    lab: Lab, sink: Sink, watch: Watch, clock: Clock, metrics: StreamsMetrics
) -> None:
    accept(sink, 9)
    for _ in range(2):
        pass_by(sink, clock, 5)
        watch.look()
    assert alarms(lab) == [("unbalanced", "quiz, 2026-11-20T15:00Z", True)]
    explain(sink, 9)
    pass_by(sink, clock, 1)
    successor = make_watch(lab, sink, clock, metrics)
    successor.look()
    assert unaccounted(metrics) == {}
    assert alarms(lab) == [("unbalanced", "quiz, 2026-11-20T15:00Z", False)]


def test_a_difference_hours_ago_is_kept_in_sight_between_two_looks_at_the_whole_day(
    lab: Lab, sink: Sink, watch: Watch, clock: Clock, metrics: StreamsMetrics
) -> None:
    accept(sink, 3, START - timedelta(hours=9))
    for _ in range(3):
        pass_by(sink, clock, 5)
        watch.look()
    assert unaccounted(metrics) == {"quiz": 3.0}
    assert alarms(lab) == [("unbalanced", "quiz, 2026-11-20T06:00Z", True)]


def test_what_is_in_flight_is_no_difference_and_a_partition_that_stands_still_is_an_alarm_of_its_own(
    lab: Lab, sink: Sink, watch: Watch, clock: Clock, metrics: StreamsMetrics
) -> None:
    accept(sink, 9, START + timedelta(minutes=20))
    for _ in range(2):
        pass_by(sink, clock, 5, behind=3)
        watch.look()
    assert unaccounted(metrics) == {}
    assert alarms(lab) == [("behind", "partition 0", True)]
