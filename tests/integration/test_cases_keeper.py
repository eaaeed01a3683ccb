"""From warnings to cases and on to the log and its table, with the real broker and the real ClickHouse engine."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, update

from infra.runtime import cases, registry
from schemas.cases import Action, Ask, State
from schemas.partitioning import partition_of
from schemas.registry.insight import case_events
from schemas.registry.tables import calendar, schools, staff, students
from streams.cases.keeper import CaseKeeper
from streams.cases.outcomes import RuleOutcome, rule_outcomes
from streams.rows import tables
from streams.rows.days import as_number
from streams.sink import Sink
from tests.fixtures.envelopes import seeded_uuid
from tests.fixtures.workers import PARTITIONS, Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

_RNG = random.Random(29)
ADA, BEN, STRANGER = (seeded_uuid(_RNG) for _ in range(3))
WARNED = tables.Columns(
    "warnings",
    ("student_id", "rule", "raised_on", "status", "value", "baseline", "threshold", "evidence_from", "evidence_to",
     "partition", "evaluated_at"),
)  # fmt: skip
MONDAY = date(2026, 9, 7)
SCHOOL_DAYS = [MONDAY + timedelta(days=7 * week + day) for week in range(8) for day in range(5)]


@pytest.fixture
def sink(lab: Lab) -> Iterator[Sink]:
    made = Sink(lab.client, threading.Event())
    yield made
    made.close()


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    made = registry.open_registry(lab.settings.registry_url())
    with made.begin() as connection:
        connection.execute(insert(schools).values(school_id="north", name="North", lowest_grade=6, highest_grade=8))
        connection.execute(insert(calendar), [{"school_id": "", "day": day, "in_session": True} for day in SCHOOL_DAYS])
        for student in (ADA, BEN):
            connection.execute(
                insert(students).values(
                    student_id=student, school_id="north", grade=7, linked=True, created_at=1, updated_at=1
                )
            )
        connection.execute(insert(students).values(student_id=STRANGER, linked=False, created_at=1, updated_at=1))
        connection.execute(insert(staff).values(staff_id="rosa", name="Rosa", email="rosa@x", role="counselor"))
    yield made
    made.dispose()


def warn(sink: Sink, student: str, raised: date, status: str = "open", value: float = 5.0, at: int = 1) -> None:
    day, partition = as_number(raised), partition_of(student, PARTITIONS)
    assert not sink.insert(WARNED, [(student, "inactivity", day, status, value, 0.9, 5.0, day, day, partition, at)])


def keeper(day: date, lab: Lab, sink: Sink, engine: Engine) -> CaseKeeper:
    noon = int(datetime(day.year, day.month, day.day, 18, tzinfo=UTC).timestamp() * 1e6)
    return CaseKeeper(sink, engine, lab.settings.district, clock=lambda: noon)


def history(engine: Engine, student: str) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        query = case_events.select().where(case_events.c.student_id == student)
        rows = connection.execute(query.order_by(case_events.c.at, case_events.c.sequence)).all()
        return [(row.action, row.after) for row in rows]


def test_a_warning_raises_one_case_however_often_and_by_however_many_workers_it_is_looked_at(
    lab: Lab, sink: Sink, engine: Engine
) -> None:
    day = SCHOOL_DAYS[10]
    for student in (ADA, STRANGER):
        warn(sink, student, day)
    together = threading.Barrier(2)

    def look() -> None:
        own = Sink(lab.client, threading.Event())
        together.wait(60)
        keeper(day, lab, own, engine).follow([ADA, BEN, STRANGER])
        own.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert keeper(day, lab, sink, engine).follow([ADA, BEN, STRANGER]) == 0
    assert history(engine, ADA) == [("raised", "raised")]
    assert history(engine, BEN) == []
    assert history(engine, STRANGER) == [], "nobody may see a student whom the roster does not know"


def test_late_evidence_clears_what_nobody_claimed_and_the_cool_down_counts_school_days(
    lab: Lab, sink: Sink, engine: Engine
) -> None:
    raised, closed = SCHOOL_DAYS[10], SCHOOL_DAYS[11]
    warn(sink, ADA, raised)
    keeper(raised, lab, sink, engine).follow([ADA])
    warn(sink, ADA, raised, "withdrawn", at=2)
    keeper(closed, lab, sink, engine).follow([ADA])
    assert history(engine, ADA) == [("raised", "raised"), ("cleared", "cleared")]
    again = SCHOOL_DAYS[15]
    warn(sink, ADA, again)
    cooldown = lab.settings.district.case_cooldown_days
    assert keeper(SCHOOL_DAYS[11 + cooldown - 1], lab, sink, engine).follow([ADA]) == 0
    assert keeper(SCHOOL_DAYS[11 + cooldown], lab, sink, engine).follow([ADA]) == 1
    assert history(engine, ADA)[-1] == ("raised", "raised")


def test_a_severe_warning_does_not_wait_for_the_cool_down(lab: Lab, sink: Sink, engine: Engine) -> None:
    warn(sink, ADA, SCHOOL_DAYS[10])
    keeper(SCHOOL_DAYS[10], lab, sink, engine).follow([ADA])
    with engine.connect() as connection:
        found = cases.open_cases(connection, [ADA])[ADA]
    dismissal = Ask(Action.DISMISSED, "rosa", SCHOOL_DAYS[10], "at a camp", dismissal="known_and_handled")
    cases.act(engine, found.case_id, dismissal, 2)
    assert keeper(SCHOOL_DAYS[12], lab, sink, engine).follow([ADA]) == 0
    warn(sink, ADA, SCHOOL_DAYS[10], value=10.0, at=2)
    assert keeper(SCHOOL_DAYS[13], lab, sink, engine).follow([ADA]) == 1


def test_a_snooze_ends_on_its_day_for_students_of_whom_nothing_is_heard(lab: Lab, sink: Sink, engine: Engine) -> None:
    day = SCHOOL_DAYS[10]
    warn(sink, ADA, day)
    keeper(day, lab, sink, engine).follow([ADA])
    with engine.connect() as connection:
        found = cases.open_cases(connection, [ADA])[ADA]
    cases.act(engine, found.case_id, Ask(Action.SNOOZED, "rosa", day, "camp", day=SCHOOL_DAYS[12]), 2)
    later = keeper(SCHOOL_DAYS[12], lab, sink, engine)
    mine = later.with_open_case({partition_of(ADA, PARTITIONS)}, PARTITIONS)
    assert mine == {ADA}
    assert keeper(SCHOOL_DAYS[11], lab, sink, engine).follow(mine) == 0
    assert later.follow(mine) == 1
    with engine.connect() as connection:
        assert cases.case(connection, found.case_id).state is State.CLAIMED


def test_events_go_through_the_log_into_the_table_and_the_rules_outcomes(lab: Lab, sink: Sink, engine: Engine) -> None:
    day = SCHOOL_DAYS[10]
    warn(sink, ADA, day)
    warn(sink, BEN, day)
    keeper(day, lab, sink, engine).follow([ADA, BEN])
    with engine.connect() as connection:
        found = cases.open_cases(connection, [ADA, BEN])
    ask = Ask(Action.DISMISSED, "rosa", day, "the tablet was away", dismissal="incorrect_data")
    cases.act(engine, found[ADA].case_id, ask, 10**15)
    lab.start_worker()
    with lab.client() as client:
        mine = f"FROM case_events FINAL WHERE student_id IN ('{ADA}', '{BEN}')"
        lab.wait_until(lambda: client.query(f"SELECT count() {mine}").result_rows == [(3,)])
        with engine.begin() as connection:  # as after a crash between the acknowledgement and the mark
            connection.execute(update(case_events).values(published=False))
        lab.wait_until(lambda: client.query(f"SELECT max(offset) {mine}").result_rows[0][0] >= 5)
        assert client.query(f"SELECT count() {mine}").result_rows == [(3,)]
        told = client.query(f"SELECT who, why {mine} AND action = 'dismissed'").result_rows
    assert told == [("rosa", "the tablet was away")]
    assert rule_outcomes(sink.read) == [RuleOutcome("inactivity", 2, 0, 0, 0, 1, 0, 0, 1)]
