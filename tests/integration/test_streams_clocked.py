"""Warnings and roster between the registry and the real ClickHouse engine."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, update

from infra.runtime import registry
from schemas.registry.tables import calendar, enrollments, schools, sections, students
from streams.evaluation import Evaluator
from streams.roster import RosterSync
from streams.rows import tables
from streams.rows.days import as_number
from streams.sink import Sink
from tests.fixtures.envelopes import FIRST_DAY_US, seeded_uuid
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

_RNG = random.Random(11)
STUDENTS = [seeded_uuid(_RNG) for _ in range(8)]
SILENT = STUDENTS[0]
FIRST = date(2026, 9, 7)
SCHOOL_DAYS = [FIRST + timedelta(days=7 * week + day) for week in range(6) for day in range(5)]


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
        connection.execute(
            insert(sections).values(section_id="m7", school_id="north", name="Math 7", subject="math", grade=7)
        )
        connection.execute(insert(calendar), [{"school_id": "", "day": day, "in_session": True} for day in SCHOOL_DAYS])
        connection.execute(
            insert(students),
            [
                {"student_id": s, "school_id": "north", "grade": 7, "linked": True, "created_at": 1, "updated_at": 5}
                for s in STUDENTS
            ],
        )
        connection.execute(insert(enrollments).values(section_id="m7", student_id=SILENT))
    yield made
    made.dispose()


def write_days(sink: Sink, student: str, days: list[date], watermark: int = 1, provider: str = "provider-a") -> None:
    rows = [
        (student, as_number(day), 3, 3, 0, 0, 0, 0, 0, 0, (provider,), FIRST_DAY_US, FIRST_DAY_US, 1, 2, watermark)
        for day in days
    ]
    assert not sink.insert(tables.STUDENT_DAYS, rows)


def evaluator_at(day: date, lab: Lab, sink: Sink, engine: Engine) -> Evaluator:
    noon = int(datetime(day.year, day.month, day.day, 18, tzinfo=UTC).timestamp() * 1e6)
    return Evaluator(sink, engine, lab.settings.district, clock=lambda: noon, seconds=lambda: 0.0)


def warnings_of(lab: Lab) -> list[tuple[object, ...]]:
    with lab.client() as client:
        query = "SELECT rule, raised_on, status, cleared_on, reason FROM warnings FINAL ORDER BY raised_on"
        return [tuple(row) for row in client.query(query).result_rows]


def test_a_student_made_for_an_unknown_actor_is_no_part_of_the_roster_until_linked(
    lab: Lab, sink: Sink, engine: Engine
) -> None:
    unknown = {"student_id": seeded_uuid(_RNG), "linked": False, "created_at": 1, "updated_at": 6}
    with engine.begin() as connection:
        connection.execute(insert(students).values(unknown))
    sync = RosterSync(sink, engine)
    assert sync.sync() == len(STUDENTS)
    with engine.begin() as connection:
        linked = {"linked": True, "school_id": "north", "grade": 7, "updated_at": 10}
        connection.execute(update(students).where(students.c.student_id == unknown["student_id"]).values(linked))
    assert sync.sync() == 1


def test_the_roster_is_copied_without_names_and_again_when_it_changes(lab: Lab, sink: Sink, engine: Engine) -> None:
    sync = RosterSync(sink, engine)
    assert sync.sync() == len(STUDENTS)
    assert sync.sync() == 0
    with engine.begin() as connection:
        connection.execute(update(students).where(students.c.student_id == SILENT).values(grade=8, updated_at=9))
    assert sync.sync() == 1
    with lab.client() as client:
        query = f"SELECT school_id, grade, sections FROM roster FINAL WHERE student_id = '{SILENT}'"
        assert client.query(query).result_rows == [("north", 8, ["m7"])]


def test_silence_raises_a_warning_that_activity_clears_and_late_evidence_withdraws(
    lab: Lab, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS[1:]:
        write_days(sink, student, SCHOOL_DAYS[:27])
    write_days(sink, SILENT, SCHOOL_DAYS[:20])
    evaluator = evaluator_at(SCHOOL_DAYS[25], lab, sink, engine)
    assert evaluator.refresh()
    assert not evaluator.refresh()
    assert sorted(evaluator.students_of(2)) == sorted(STUDENTS)
    assert evaluator.evaluate(STUDENTS) == {SILENT}
    assert not evaluator.evaluate(STUDENTS)
    reason = "No activity on the last 5 of the usual school days (since 5 Oct); before that active on 20 of 20."
    assert warnings_of(lab) == [("inactivity", SCHOOL_DAYS[24], "open", None, reason)]

    write_days(sink, SILENT, SCHOOL_DAYS[25:27])
    later = evaluator_at(SCHOOL_DAYS[26], lab, sink, engine)
    later.refresh()
    assert later.evaluate([SILENT]) == {SILENT}
    assert [row[2:4] for row in warnings_of(lab)] == [("cleared", SCHOOL_DAYS[26])]

    write_days(sink, SILENT, [SCHOOL_DAYS[22]])
    after = evaluator_at(SCHOOL_DAYS[27], lab, sink, engine)
    after.refresh()
    assert after.evaluate([SILENT]) == {SILENT}
    assert [row[2] for row in warnings_of(lab)] == ["withdrawn"]
    assert not after.evaluate([SILENT])


def test_a_school_that_nobody_heard_of_is_not_held_against_a_student(lab: Lab, sink: Sink, engine: Engine) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:20])
    evaluator = evaluator_at(SCHOOL_DAYS[29], lab, sink, engine)
    evaluator.refresh()
    assert not evaluator.evaluate(STUDENTS)
    [(subject, message)] = evaluator.silences().items()
    assert subject == "school north"
    assert message.startswith("Hardly anyone of it was heard of on Thu 15 Oct.")


def test_a_provider_that_falls_silent_is_an_alarm_and_no_warning_for_those_who_work_with_it(
    lab: Lab, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS[:6]:
        write_days(sink, student, SCHOOL_DAYS[:20], provider="provider-b")
    for student in STUDENTS[6:]:
        write_days(sink, student, SCHOOL_DAYS[:28])
    evaluator = evaluator_at(SCHOOL_DAYS[27], lab, sink, engine)
    evaluator.refresh()
    assert not evaluator.evaluate(STUDENTS)
    assert list(evaluator.silences()) == ["provider-b at school north"]
