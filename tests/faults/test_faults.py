"""A few fault schedules on real Kafka, the real engine and two workers; ``make faults N=200`` runs more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import forgetful
from tests.faults.breaking import broken
from tests.faults.forgetful import FORGETFUL
from tests.faults.plan import Traits, make_plan
from tests.faults.run import Runner
from tests.faults.schedule import Fault, Schedule, make_schedule
from tests.faults.stack import DOOR, WORKER, FaultStack
from tests.faults.variants import VARIANTS

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultStack]:
    with FaultStack(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def runner(stack: FaultStack) -> Runner:
    return Runner(stack)


def test_a_seed_reproduces_its_schedule_and_its_statements() -> None:
    assert make_schedule(7) == make_schedule(7)
    assert str(make_schedule(7)) != str(make_schedule(8))
    assert make_plan(7, 50, 1.0, Traits()) == make_plan(7, 50, 1.0, Traits())


TRIED = ("acknowledge-before-flush", "drop-the-watermark", "dedupe-without-offsets")
"""All variants take some minutes: ``make faults ARGS="--break all"``."""

SCHEDULES = {
    "torn flushes": [
        Fault(0.2, "rule", 0, deed="kill after", table="statements"),
        Fault(0.2, "rule", 1, deed="kill after", table="skill_states"),
        Fault(3.0, "rule", -1, deed="refuse after", table="attempts", times=2),
    ],
    "a zombie in the middle of a flush": [
        Fault(0.5, "rule", 0, 5.0, deed="stop after", table="attempts"),
        Fault(1.0, "rule", 1, 4.0, deed="late", table="student_days"),
        Fault(2.0, "third worker", seconds=3.0, sigkill=True),
    ],
    "door, broker and store killed": [
        Fault(1.0, "kill front", seconds=1.0),
        Fault(1.5, "kill ingest"),
        Fault(2.0, "kill broker"),
        Fault(3.0, "rule", -1, 4.0, deed="hang after", table="statements"),
    ],
    "a switch and a rebuild while workers die and sleep": [
        Fault(0.2, "calibration use", seconds=3.0, sigkill=True),
        Fault(0.3, "rebuild"),
        Fault(1.5, "stop worker", 0, 4.0),
        Fault(2.5, "rule", 1, deed="kill after", table="student_states"),
        Fault(4.0, "stop worker", 1, 5.0),
    ],
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_statement_counts_once_whatever_happens(name: str, runner: Runner) -> None:
    verdict = runner.run(Schedule(1_000_000 + list(SCHEDULES).index(name), SCHEDULES[name]))
    assert verdict.holds, str(verdict)


def test_copies_that_nobody_remembers_are_taken_out_again(stack: FaultStack, runner: Runner) -> None:
    stack.run_door(forgetful.DOOR)
    stack.run_workers(FORGETFUL)
    try:
        verdict = runner.run(Schedule(1_000_100, [Fault(1.0, "kill worker", 0)]))
    finally:
        stack.run_workers(WORKER)
        stack.run_door(DOOR)
    assert verdict.holds, str(verdict)


def test_what_was_right_has_stayed_right(runner: Runner) -> None:
    late = runner.audit()
    assert not late, "\n".join(map(str, late))


@pytest.mark.parametrize("variant", TRIED)
def test_a_broken_invariant_is_caught(variant: str, stack: FaultStack) -> None:
    seed = 2_000_000 + 10 * list(VARIANTS).index(variant)
    told = broken(stack, variant, seed)
    assert told.works, f"a variant has to work while nothing happens: {told.undisturbed}"
    assert told.noticed, f"{variant} went unnoticed: {told.provoked.line()}"
