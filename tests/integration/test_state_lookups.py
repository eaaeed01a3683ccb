"""The worker finds the newest row of each key by itself: it must be the one that FINAL would show."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings
from schemas.tables import migrations
from streams.learner.state import LearnerState, SkillState
from streams.rows import tables
from streams.rows.engagement import DayCount
from streams.rows.states import Stamp, no_skill_row, no_student_row, skill_row, student_row
from streams.sink import Sink
from streams.store import ClickHouseStore

pytestmark = pytest.mark.clickhouse

STUDENT = "2b4f1f3e-1111-4222-8333-444455556666"
OTHER = "2b4f1f3e-1111-4222-8333-444455557777"
DAY = 20_700
TABLES_BEFORE = 12
STATES = ("skill_states", "student_states")


class Written:
    """A database of its own in which nothing is merged, so that rows of equal keys stay."""

    def __init__(self, client: Client) -> None:
        self._sink = Sink(lambda: client, threading.Event())
        self.store = ClickHouseStore(self._sink.read, 1)
        for table in ("skill_states", "student_states", "student_days"):
            client.command(f"SYSTEM STOP MERGES {table}")

    def skill(self, student: str, rating: float, watermark: int, activation: int = 0) -> None:
        row = skill_row(student, "algebra", SkillState(attempts=1, rating=rating), _stamp(watermark, activation))
        assert not self._sink.insert(tables.SKILL_STATES, [row])

    def student(self, student: str, rating: float, watermark: int, activation: int = 0) -> None:
        learner = LearnerState(rating, 1, (1, STUDENT))
        assert not self._sink.insert(
            tables.STUDENT_STATES, [student_row(student, learner, _stamp(watermark, activation))]
        )

    def nothing(self, student: str, watermark: int) -> None:
        stamp = _stamp(watermark, 0)
        assert not self._sink.insert(tables.SKILL_STATE_REMOVALS, [no_skill_row(student, "algebra", stamp)])
        assert not self._sink.insert(tables.STUDENT_STATE_REMOVALS, [no_student_row(student, stamp)])

    def day(self, student: str, statements: int, watermark: int, *, removed: bool = False) -> None:
        count = DayCount()
        count.statements, count.watermark = statements, watermark
        row = count.row(student, DAY, 1, 0)
        if removed:
            assert not self._sink.insert(tables.STUDENT_DAY_REMOVALS, [(*row, 1)])
        else:
            assert not self._sink.insert(tables.STUDENT_DAYS, [row])


def _stamp(watermark: int, activation: int) -> Stamp:
    return Stamp(1, activation, 1, 0, watermark)


@pytest.fixture
def written(clickhouse_front: Front) -> Iterator[Written]:
    settings = ClickHouseSettings(host=clickhouse_front.host, port=clickhouse_front.port, database="lookups")
    clickhouse.migrate(settings)
    with clickhouse.open_clickhouse(settings) as client:
        yield Written(client)
        client.command("DROP DATABASE lookups")


def test_the_row_with_the_highest_watermark_counts_whenever_it_was_written(written: Written) -> None:
    for rating, watermark in ((1.0, 10), (2.0, 30), (3.0, 20)):
        written.skill(STUDENT, rating, watermark)
        written.student(STUDENT, rating, watermark)
    for statements, watermark in ((1, 10), (2, 30), (3, 20)):
        written.day(STUDENT, statements, watermark)
    found = written.store.learners([STUDENT, OTHER])
    assert set(found) == {STUDENT}
    assert found[STUDENT].watermark == 30
    assert found[STUDENT].state.rating == found[STUDENT].state.skills["algebra"].rating == 2.0
    assert written.store.days([(STUDENT, DAY)])[STUDENT, DAY].statements == 2
    assert written.store.days_of([STUDENT])[STUDENT, DAY].statements == 2


def test_the_last_switch_of_the_calibration_comes_before_any_watermark(written: Written) -> None:
    for rating, watermark, activation in ((1.0, 5, 2), (2.0, 50, 1)):
        written.skill(STUDENT, rating, watermark, activation)
        written.student(STUDENT, rating, watermark, activation)
    (found,) = written.store.learners([STUDENT]).values()
    assert (found.watermark, found.state.rating, found.state.skills["algebra"].rating) == (5, 1.0, 1.0)


def test_of_equal_rows_the_one_written_last_counts_since_a_rebuild_corrects_so(written: Written) -> None:
    for number in range(12):
        written.skill(STUDENT, float(number), 7)
        written.student(STUDENT, float(number), 7)
        written.day(STUDENT, number, 7)
    (found,) = written.store.learners([STUDENT]).values()
    assert (found.state.rating, found.state.skills["algebra"].rating) == (11.0, 11.0)
    assert written.store.days([(STUDENT, DAY)])[STUDENT, DAY].statements == 11


def test_what_nothing_is_left_of_is_not_found_until_something_comes_after_it(written: Written) -> None:
    written.skill(STUDENT, 1.0, 10)
    written.student(STUDENT, 1.0, 10)
    written.day(STUDENT, 1, 10)
    written.nothing(STUDENT, 20)
    written.day(STUDENT, 0, 20, removed=True)
    written.skill(STUDENT, 1.5, 15)
    assert not written.store.learners([STUDENT])
    assert not written.store.days([(STUDENT, DAY)])
    written.skill(STUDENT, 2.0, 30)
    written.student(STUDENT, 2.0, 30)
    written.day(STUDENT, 4, 30)
    assert written.store.learners([STUDENT])[STUDENT].state.skills["algebra"].rating == 2.0
    assert written.store.days_of([STUDENT])[STUDENT, DAY].statements == 4


def test_states_are_the_same_after_their_tables_were_made_anew(
    clickhouse_front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ClickHouseSettings(host=clickhouse_front.host, port=clickhouse_front.port, database="lookups_anew")
    every = migrations()
    monkeypatch.setattr(clickhouse, "migrations", lambda: every[:TABLES_BEFORE])
    clickhouse.migrate(settings)
    with clickhouse.open_clickhouse(settings) as client:
        before = Written(client)
        for rating, watermark, activation in ((1.0, 5, 2), (2.0, 50, 1), (3.0, 5, 2)):
            before.skill(STUDENT, rating, watermark, activation)
            before.student(STUDENT, rating, watermark, activation)
        asked = [client.query(f"SELECT *, precedence FROM {table} FINAL").result_rows for table in STATES]
        monkeypatch.setattr(clickhouse, "migrations", lambda: every)
        clickhouse.migrate(settings)
        assert [client.query(f"SELECT *, precedence FROM {table} FINAL").result_rows for table in STATES] == asked
        (found,) = Written(client).store.learners([STUDENT]).values()
        assert (found.watermark, found.torn, found.state.rating) == (5, False, 3.0)
        client.command("DROP DATABASE lookups_anew")
