"""A worker that gets on is live, one that a restart would help is not, and what a restart would not help is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from infra.dev import health as checks
from infra.dev import supervisor
from infra.dev.children import WORKER_UNHEALTHY_SECONDS
from infra.runtime.settings import ClickHouseSettings, StreamsSettings
from streams import app, log_ends
from streams.agents.intake import Offsets, Partitions
from streams.agents.transport import ReadUntil
from streams.app import slow_words
from streams.health import START_SECONDS, Health
from streams.limits import Stop
from streams.progress import Progress

TIMEOUT = 15.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Case:
    """A worker's health, looked at every half second of a played clock."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.health = Health(TIMEOUT, self.clock)
        self.health.ready = True

    def look_for(
        self, seconds: float, lags: dict[int, int], unfetched: dict[int, int] | None = None, **more: Any
    ) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.health.look(lags, unfetched, **more)
            self.clock.now += 0.5

    def fault(self) -> str:
        report = self.health.report()
        return "" if report.live else report.fault


def test_no_progress_while_records_wait_is_not_live() -> None:
    case = Case()
    case.look_for(15, {0: 5})
    assert case.fault() == ""
    case.look_for(1, {0: 5})
    assert case.fault() == "5 records wait and nothing was written for 16 s"
    case.health.progress()
    assert case.fault() == ""


def test_a_worker_without_lag_may_idle() -> None:
    case = Case()
    case.look_for(500, {0: 0})
    assert case.fault() == ""


def test_each_answer_of_a_slow_store_is_progress() -> None:
    case = Case()
    for _ in range(10):
        case.look_for(12, {0: 5})
        case.health.progress()
    assert case.fault() == ""


def test_a_request_that_a_slow_store_takes_its_time_over_is_told_and_is_no_stall() -> None:
    case = Case()
    case.health.store_slow = lambda: "ClickHouse takes 40 s over one request"
    case.look_for(40, {0: 5})
    assert case.health.report() == (True, True, 5, "ClickHouse takes 40 s over one request")


@pytest.mark.parametrize(("seconds", "said"), [(1.0, ""), (30.0, "ClickHouse takes 30 s over one request"), (75.0, "")])
def test_a_request_is_slow_until_its_client_should_have_given_it_up(seconds: float, said: str) -> None:
    sinks = [SimpleNamespace(asking_seconds=lambda s=s: s) for s in (0.0, seconds)]
    assert slow_words(ClickHouseSettings(), *cast(Any, sinks)) == said


def test_a_store_that_is_away_is_told_and_is_no_stall() -> None:
    case = Case()
    case.health.store_away = lambda: "ClickHouse does not answer"
    case.look_for(60, {0: 5})
    assert case.health.report() == (True, False, 5, "ClickHouse does not answer")


def test_a_broker_that_is_away_is_no_stall_and_the_time_begins_when_it_is_back() -> None:
    case = Case()
    case.health.kafka_away = lambda: "Kafka does not answer"
    case.look_for(60, {0: 5}, {0: 7}, rebalancing=True)
    assert case.fault() == ""
    case.health.kafka_away = lambda: ""
    case.look_for(14, {0: 5}, {0: 7}, rebalancing=True)
    assert case.fault() == ""
    case.look_for(3, {0: 5}, {0: 7}, rebalancing=True)
    assert case.fault() != ""


def test_an_event_loop_that_hangs_is_not_live() -> None:
    case = Case()
    case.look_for(1, {})
    case.clock.now += 16
    assert case.fault() == "the event loop has not come round for 16 s"


def test_a_worker_that_does_not_start_is_not_live() -> None:
    case = Case()
    case.clock.now = START_SECONDS
    assert case.fault() == ""
    case.clock.now += 1
    assert case.fault() == "the worker has not started within 61 s"


def test_one_partition_that_is_not_fetched_is_a_stall_though_the_others_get_on() -> None:
    case = Case()
    for second in range(16):
        case.look_for(1, {0: 5, 1: 1}, {0: 7, 1: second})
        case.health.progress()
    case.look_for(0.5, {0: 5, 1: 1}, {0: 7, 1: 99})
    assert case.fault() == "partition 0 goes on, and nothing was fetched of it for 16 s"


def test_a_rebalance_without_an_end_is_not_live() -> None:
    case = Case()
    case.look_for(16, {}, rebalancing=True)
    assert case.fault() == "partitions have been shared out anew for 16 s without an end"
    case.look_for(1, {})
    assert case.fault() == ""


def test_a_partition_that_was_stopped_is_told_and_is_no_stall() -> None:
    case = Case()
    case.health.stopped = {3: "all is poison"}
    case.look_for(60, {3: 100, 4: 0})
    assert case.health.report() == (True, True, 0, "partition 3 is stopped: all is poison")


def test_the_longest_way_from_a_stall_to_the_restart_is_thirty_seconds() -> None:
    noticed = log_ends.LOOK_SECONDS + 0.5 + app.LOOK_SECONDS  # asked, answered, taken up
    assert StreamsSettings().liveness_timeout_seconds == TIMEOUT
    last_healthy = checks.TIMEOUT_SECONDS  # asked while it was live still, and answered late
    assert noticed + TIMEOUT + last_healthy + WORKER_UNHEALTHY_SECONDS + supervisor.TICK_SECONDS <= 30.0


class Consumer:
    """Faust's consumer as far as a look goes; what it read stands still unless told otherwise."""

    def __init__(self) -> None:
        self.read: dict[TP, ReadUntil] = {}

    def read_until(self) -> dict[TP, ReadUntil]:
        return self.read


class Ends:
    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.commits: dict[int, int] = {}

    def end(self, partition: int) -> tuple[int, int]:
        return (self.ends[partition], 90) if partition in self.ends else (0, 0)

    def committed(self, partition: int) -> int | None:
        return self.commits.get(partition)


class Worker:
    """The partitions of a worker around a played consumer, log and clock."""

    def __init__(self) -> None:
        self.clock, self.consumer, self.ends = Clock(), Consumer(), Ends()
        self.health, self.progress = Health(TIMEOUT, self.clock), Progress(1)
        self.stopped: dict[int, Stop] = {}
        signal = SimpleNamespace(connect=lambda listener: None)
        app = SimpleNamespace(
            consumer=self.consumer, rebalancing=False, on_partitions_revoked=signal, on_partitions_assigned=signal
        )
        gate = SimpleNamespace(stopped=self.stopped)
        self.pipeline = pipeline = SimpleNamespace(progress=self.progress, gate=gate, full=False)
        made = Partitions(
            cast(Any, app),
            "statements",
            cast(Any, pipeline),
            Offsets(cast(Any, app)),
            self.health,
            cast(Any, self.ends),
        )
        made.assigned = [0]
        self.partitions = made

    def look_for(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.partitions.look()
            self.clock.now += 0.5

    def read(self, last_record: int, position: int, end: int, *, fetched: bool = False) -> None:
        self.consumer.read[TP("statements", 0)] = ReadUntil(last_record, position, end, 50, fetched)

    def fault(self) -> str:
        report = self.health.report()
        return "" if report.live else report.fault


def test_a_consumer_that_stopped_fetching_is_found_by_another_look_at_the_log() -> None:
    worker = Worker()
    worker.read(4, 5, 5)
    worker.progress.flushed(0, 4)
    worker.ends.ends[0] = 5
    worker.look_for(60)
    assert worker.fault() == ""
    assert worker.progress.rows([0]) == [(1, 0, 4, 4, 0, 90)]
    worker.ends.ends[0] = 9
    worker.look_for(16)
    assert worker.fault() == "partition 0 goes on, and nothing was fetched of it for 16 s"
    assert worker.progress.lags() == {0: 4}


def test_a_consumer_that_never_fetched_is_measured_by_what_was_committed() -> None:
    worker = Worker()
    worker.ends.ends[0], worker.ends.commits[0] = 100, 100
    worker.look_for(30)
    assert worker.fault() == ""
    assert worker.progress.lags() == {0: 0}
    worker.ends.ends[0] = 102
    worker.look_for(16)
    assert worker.fault() == "partition 0 goes on, and nothing was fetched of it for 16 s"
    assert worker.progress.lags() == {0: 2}


def test_what_is_fetched_and_waits_its_turn_is_no_stalled_consumer() -> None:
    worker = Worker()
    worker.read(-1, 5, 100, fetched=True)
    worker.ends.ends[0] = 100
    for _ in range(4):
        worker.look_for(10)
        worker.health.progress()
    assert worker.fault() == ""


def test_a_consumer_that_is_held_up_by_a_full_batch_is_not_stalled() -> None:
    worker = Worker()
    worker.read(4, 5, 5)
    worker.progress.flushed(0, 4)
    worker.ends.ends[0] = 9
    worker.pipeline.full = True
    for _ in range(4):
        worker.look_for(10)
        worker.health.progress()
    assert worker.fault() == ""
    worker.pipeline.full = False
    worker.look_for(16)
    assert worker.fault() != ""


def test_an_agent_or_a_core_or_a_writer_that_hangs_is_told_by_what_it_was_handed() -> None:
    worker = Worker()
    worker.read(50, 51, 100)
    worker.ends.ends[0], worker.ends.commits[0] = 100, 40
    worker.look_for(16)
    assert worker.fault() == "60 records wait and nothing was written for 16 s"


def test_a_stopped_partition_need_not_be_fetched() -> None:
    worker = Worker()
    worker.read(4, 5, 5)
    worker.progress.flushed(0, 4)
    worker.ends.ends[0] = 90
    worker.stopped[0] = Stop("poison", 5)
    worker.health.stopped = {0: "poison"}
    worker.look_for(60)
    assert worker.fault() == ""
