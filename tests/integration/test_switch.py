"""Another calibration taken into use in the real engine: states end as the fold under it, whoever was killed when."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from infra.runtime import registry
from schemas.registry.tables import calibrations
from streams.calibrations import activate, prepare, running_calibration, settle
from streams.corrections.publisher import fold_again
from streams.learner.calibration import Calibration
from streams.rebuild import scope, switching
from streams.rebuild.journal import Journal, Step
from streams.rebuild.run import take_up
from streams.rebuild.shadows import Shadows
from streams.rebuild.store import CommandStore
from streams.rebuild.switching import Desk, NotTakenUpError, Switch
from streams.rows import tables
from streams.running import Running
from tests.fixtures.envelopes import FIRST_DAY_US
from tests.fixtures.rebuilding import Filled, Interrupted
from tests.integration.test_rebuild import fill_in_parts, school_year, taken_out

pytestmark = pytest.mark.clickhouse

VERSIONS = [Calibration(1, skills={"skill-1": 0.7}), Calibration(2, skills={"skill-2": -0.4, "skill-3": 1.0})]


@pytest.fixture
def versions(tmp_path: Path) -> Engine:
    """A registry with two versions, none of them in use."""
    engine = registry.open_registry(f"sqlite:///{tmp_path}/registry.sqlite3")
    registry.migrate(engine)
    with engine.begin() as connection:
        for one in VERSIONS:
            row = {"version": one.version, "active": False, "created_at": 0, "attempts": 0, "parameters": one.dumps()}
            connection.execute(insert(calibrations).values(**row))
    return engine


class Beside:
    """A worker that goes on writing beside a switch, and takes the version up when it hears of it."""

    def __init__(self, filled: Filled, engine: Engine) -> None:
        self.filled = filled
        self.engine = engine
        self.hears = True

    def hear(self) -> None:
        running = running_calibration(self.engine)
        self.filled.processor.run_under(running)
        told = [(self.filled.generation, p, -1, -1, running.activation) for p in range(self.filled.partitions)]
        self.filled.sink.insert(tables.SINK_ACTIVATIONS, told)

    def switch(self, version: int, killed_at: str = "", meanwhile: Callable[[], None] = lambda: None) -> Running:
        """One run of the command; ``meanwhile`` happens after each range, and before each step that may be the last."""
        filled, engine = self.filled, self.engine
        running, options, store = prepare(engine, version), filled.options(), CommandStore(filled.client)
        shadows = Shadows(store, filled.settings, filled.generation, switching.TABLES, switching.SUFFIX)
        journal = Journal(store, f"calibration {version}, switch {running.activation}", filled.generation, version)
        self.resumed = take_up(journal, shadows, version, restart=False)

        def step(name: str, action: Callable[[], None]) -> None:
            meanwhile()
            if name == killed_at:
                raise Interrupted
            action()

        def heard() -> None:
            activate(engine, version)
            if self.hears:
                self.hear()

        def told(_: Step) -> None:
            step("range", lambda: None)

        desk = Desk(lambda: step("activate", heard), lambda: step("settle", lambda: settle(engine, version)))
        Switch(running, options, store, shadows, journal, desk, told).run()
        return running

    def end(self, running: Running) -> None:
        """The worker reads what the command put into the log; then all is as if folded under the version alone."""
        filled = self.filled
        self.hear()
        filled.fill([fold_again(student, FIRST_DAY_US) for student in sorted(set(filled.folded_again))])
        filled.calibration, filled.activation = running.calibration, running.activation
        for table in ("skill_states", "student_states"):
            stamps = set(filled.contents(table, "calibration, activation"))
            assert stamps == {(running.calibration.version, running.activation)}
        assert filled.rebuild(check=True) == []
        assert sum(step.outdated + len(step.left) for step in filled.told) == 0
        assert filled.client.query("SHOW TABLES LIKE '%switched'").result_rows == []
        assert not running_calibration(self.engine).switching


@pytest.fixture
def beside(filled: Filled, versions: Engine, monkeypatch: pytest.MonkeyPatch) -> Beside:
    monkeypatch.setattr(scope, "MOST_STUDENTS", 8)
    monkeypatch.setattr(switching, "GRACE_SECONDS", 0.0)
    return Beside(filled, versions)


def test_a_switch_beside_live_traffic_ends_as_the_fold_under_the_new_version(beside: Beside) -> None:
    items = school_year(21, 700)
    fill_in_parts(beside.filled, items[:400])
    waiting = iter([items[n : n + 20] for n in range(400, len(items), 20)])
    out = iter(items[:40:4])

    def traffic() -> None:
        beside.filled.fill([*next(waiting, []), taken_out(next(out), "voided", now=FIRST_DAY_US)])

    running = beside.switch(1, meanwhile=traffic)
    assert running.activation == 1
    for rest in waiting:
        beside.filled.fill(rest)
    beside.end(running)


@pytest.mark.parametrize("killed_at", ["range", "exchange", "activate", "fold_again", "settle", "drop"])
def test_killed_anywhere_it_goes_on_and_ends_the_same(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    items = school_year(22, 500)
    fill_in_parts(beside.filled, items[:300])
    waiting = iter([items[n : n + 20] for n in range(300, len(items), 20)])

    def traffic() -> None:
        beside.filled.fill(next(waiting, []))

    def killed(*_: object) -> None:
        traffic()
        raise Interrupted

    with monkeypatch.context() as patch:
        if killed_at == "exchange":  # after the first of two tables
            exchanged, command = count(), CommandStore.command
            patch.setattr(
                CommandStore,
                "command",
                lambda store, sql: killed() if sql.startswith("EXCHANGE") and next(exchanged) else command(store, sql),
            )
        elif killed_at == "drop":
            dropped, drop = count(), Shadows.drop
            patch.setattr(Shadows, "drop", lambda shadows: killed() if next(dropped) else drop(shadows))
        elif killed_at == "fold_again":
            patch.setattr(beside.filled, "folded_again", Breaking())
        with pytest.raises(Interrupted):
            beside.switch(1, killed_at, traffic)
    running = beside.switch(1, meanwhile=traffic)
    assert beside.resumed
    assert running.activation == 1, "it is the same switch"
    for rest in waiting:
        beside.filled.fill(rest)
    beside.end(running)


class Breaking(list[str]):
    """The log does not take anything."""

    def extend(self, _: object) -> None:
        raise Interrupted


def test_what_a_worker_of_the_version_before_writes_late_never_wins(beside: Beside) -> None:
    items = school_year(23, 500)
    fill_in_parts(beside.filled, items[:300])
    running = beside.switch(1)
    zombie = Running(Calibration())
    beside.filled.processor.run_under(zombie)
    fill_in_parts(beside.filled, items[300:])
    known = set(beside.filled.contents("student_states", "calibration, watermark"))
    assert {calibration for calibration, _ in known} == {1}
    beside.hears = True
    again = {student for (student,) in beside.filled.contents("attempts", "DISTINCT student_id")}
    beside.filled.folded_again += [str(student) for student in again]
    beside.end(running)


def test_back_to_an_earlier_version_is_a_switch_of_its_own(beside: Beside) -> None:
    fill_in_parts(beside.filled, school_year(24, 200))
    numbers = [beside.switch(version).activation for version in (2, 1, 2)]
    assert numbers == [1, 2, 3]
    beside.end(Running(VERSIONS[1], 3))


def test_a_worker_that_does_not_take_the_version_up_is_waited_for(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_in_parts(beside.filled, school_year(25, 200))
    monkeypatch.setattr(switching, "TAKE_UP_SECONDS", 0.1)
    monkeypatch.setattr(switching, "AWAY_SECONDS", 10.0**12)  # the fixture's workers do not tell the time
    beside.hears = False
    with pytest.raises(NotTakenUpError, match="no worker of partition 0, 1 runs under calibration 1 yet"):
        beside.switch(1)
    assert running_calibration(beside.engine).switching, "what is read back is folded again until the end"
    beside.hear()
    beside.end(beside.switch(1))
