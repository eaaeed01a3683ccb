"""The rules over all that is known of a student, in the real ClickHouse engine."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import Engine, insert, update

from infra.dev.front.process import Front
from infra.runtime import clickhouse, registry
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings, Settings
from schemas import extensions, verbs
from schemas.registry.insight import line_items
from schemas.registry.tables import calendar, enrollments, schools, sections, students
from streams.evaluation import Evaluator
from streams.facts import FactsReader
from streams.roster import RosterSync
from streams.rows import tables
from streams.rows.days import LocalDays, as_number
from streams.sink import Sink
from tests.fixtures.envelopes import seeded_uuid

pytestmark = pytest.mark.clickhouse

_RNG = random.Random(23)
STUDENTS = sorted(seeded_uuid(_RNG) for _ in range(12))
ONE = STUDENTS[0]
FIRST = date(2026, 9, 7)
SCHOOL_DAYS = [FIRST + timedelta(days=7 * week + day) for week in range(12) for day in range(5)]
GRADES = dict.fromkeys(STUDENTS, 9) | {STUDENTS[1]: 5}
ZONE = ZoneInfo(Settings().district.timezone)
STAMPS = {"created_at": 1, "updated_at": 5}
EMPTY = {"digest": 0, "generation": 1, "partition": 2, "idx": 0, "skills": ()}


@pytest.fixture
def settings(clickhouse_front: Front, tmp_path: Path) -> Settings:
    database = f"rules_{tmp_path.name.replace('-', '_')}"
    store = ClickHouseSettings(host=clickhouse_front.host, port=clickhouse_front.port, database=database)
    made = Settings(data_dir=tmp_path, clickhouse=store)
    clickhouse.migrate(made.clickhouse)
    return made


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    made = Sink(partial(open_clickhouse, settings.clickhouse), threading.Event())
    yield made
    made.close()


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = registry.open_registry(settings.registry_url())
    registry.migrate(made)
    with made.begin() as connection:
        school = {"school_id": "high", "name": "High", "lowest_grade": 5, "highest_grade": 12}
        connection.execute(insert(schools), [school, {**school, "school_id": "upper", "lowest_grade": 9}])
        connection.execute(
            insert(sections),
            [
                {"section_id": key, "school_id": "high", "name": name, "subject": subject, "grade": 9}
                for key, name, subject in (("m9", "Math 9", "Math"), ("e9", "English 9", "ELA"), ("a9", "Art", "art"))
            ],
        )
        connection.execute(insert(calendar), [{"school_id": "", "day": day, "in_session": True} for day in SCHOOL_DAYS])
        connection.execute(
            insert(students),
            [
                {
                    "student_id": one,
                    "school_id": "high",
                    "grade": grade,
                    "linked": True,
                    "created_at": 1,
                    "updated_at": 5,
                }
                for one, grade in GRADES.items()
            ],
        )
        connection.execute(
            insert(enrollments),
            [{"section_id": key, "student_id": one} for one in STUDENTS for key in ("m9", "e9", "a9")],
        )
        connection.execute(insert(line_items), [*_work(), *_marks()])
    yield made
    made.dispose()


def _work() -> list[dict[str, object]]:
    return [
        {
            "line_item_id": f"w{n:02}", "section_id": "m9", "title": f"Sheet {n}", "kind": "work", "updated_at": 1,
            "activity_id": f"https://lms.example/assignments/{n:02}", "due_on": day, "term": "", "credits": None,
        }
        for n, day in enumerate(SCHOOL_DAYS[1::2])
    ]  # fmt: skip


def _marks() -> list[dict[str, object]]:
    return [
        {
            "line_item_id": f"mark-{key}", "section_id": key, "title": "Mark", "kind": "mark", "updated_at": 1,
            "activity_id": f"https://sis.example/marks/{key}", "due_on": SCHOOL_DAYS[30], "term": "fall",
            "credits": 0.5,
        }
        for key in ("m9", "e9", "a9")
    ]  # fmt: skip


def at(day: date, hour: int = 12) -> int:
    return round(datetime.combine(day, time(hour), ZONE).timestamp() * 1e6)


def write_days(sink: Sink, student: str, days: list[date], watermark: int = 1, **counts: int) -> None:
    values = {
        "statements": 3, "activity": 3, "attempts": 0, "successes": 0, "duration_ms": 0, "attended": 1, "absent": 0,
        "incidents": 0, **counts,
    }  # fmt: skip
    rest = {"providers": ("lms",), "generation": 1, "partition": 2, "watermark": watermark}
    rows = [{"student_id": student, "day": as_number(day), "first_at": at(day), "last_at": at(day), **values, **rest}
            for day in days]  # fmt: skip
    assert not sink.insert(
        tables.STUDENT_DAYS, [tuple(row[name] for name in tables.STUDENT_DAYS.names) for row in rows]
    )


def state(
    sink: Sink, student: str, verb: str, activity: str, day: date, score: float | None = None, behavior: str = ""
) -> str:
    """Write what a statement leaves in the store; returns its id."""
    statement_id = seeded_uuid(_RNG)
    context = {"extensions": {extensions.BEHAVIOR: behavior}} if behavior else {}
    common = {
        **EMPTY, "student_id": student, "timestamp": at(day), "statement_id": statement_id, "stored": at(day),
        "provider_id": "lms" if "lms" in activity else "sis", "verb": verb, "offset": _RNG.randrange(1 << 40),
    }  # fmt: skip
    statement = {
        **common, "verb_iri": f"https://x.example/{verb}", "activity": activity, "actor": "x.1",
        "registration": "00000000-0000-0000-0000-000000000000", "statement": msgspec.json.encode({"context": context}),
    }  # fmt: skip
    assert not sink.insert(tables.STATEMENTS, [tuple(statement[name] for name in tables.STATEMENTS.names)])
    if score is not None:
        attempt = {**common, "item": activity, "outcome": score, "duration_ms": -1}
        assert not sink.insert(tables.ATTEMPTS, [tuple(attempt[name] for name in tables.ATTEMPTS.names)])
    return statement_id


def hand_in(sink: Sink, student: str, items: range, score: float = 0.9) -> None:
    for n in items:
        activity, due = f"https://lms.example/assignments/{n:02}", SCHOOL_DAYS[1 + 2 * n]
        state(sink, student, verbs.SUBMITTED, activity, due)
        state(sink, student, verbs.SCORED, activity, due + timedelta(days=1), score)


def evaluator_at(day: date, settings: Settings, sink: Sink, engine: Engine) -> Evaluator:
    now = int(datetime(day.year, day.month, day.day, 18, tzinfo=UTC).timestamp() * 1e6)
    made = Evaluator(sink, engine, settings.district, clock=lambda: now, seconds=lambda: 0.0)
    assert made.refresh()
    return made


def reasons(settings: Settings) -> dict[tuple[str, str], str]:
    with open_clickhouse(settings.clickhouse) as client:
        query = "SELECT toString(student_id), rule, reason FROM warnings FINAL WHERE status = 'open' ORDER BY ALL"
        return {(row[0], row[1]): row[2] for row in client.query(query).result_rows}


def test_each_kind_of_fact_raises_its_warning_with_the_students_own_numbers(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    lasting = {"attempts": 20, "successes": 18, "duration_ms": 2_400_000}
    for student in STUDENTS[2:]:
        write_days(sink, student, SCHOOL_DAYS[:40], **lasting)
        hand_in(sink, student, range(19))
    slipping = [ONE, STUDENTS[1]]
    for student in slipping:
        write_days(sink, student, SCHOOL_DAYS[:25], **lasting)
        write_days(sink, student, SCHOOL_DAYS[25:40:2], attempts=6, successes=2, duration_ms=300_000)
        write_days(sink, student, SCHOOL_DAYS[26:40:2], activity=0, attended=0, absent=1, incidents=1)
        hand_in(sink, student, range(10))
        state(sink, student, verbs.REPORTED, "https://sis.example/behavior", SCHOOL_DAYS[28], behavior="suspension")
        for key, share in (("m9", 0.45), ("e9", 0.5), ("a9", 0.9)):
            state(sink, student, verbs.SCORED, f"https://sis.example/marks/{key}", SCHOOL_DAYS[31], share)
    evaluator = evaluator_at(SCHOOL_DAYS[40], settings, sink, engine)
    assert evaluator.evaluate(STUDENTS) == {ONE}
    assert not evaluator.evaluate(STUDENTS)
    assert reasons(settings) == {
        (ONE, "chronic_absence"): "Absent 7 of 40 school days this year (18 %).",
        (ONE, "rising_absence"): "Absent 7 of the last 20 school days; 0 of 20 before that.",
        (ONE, "incidents"): "7 behaviour incidents, 1 with a suspension, in 40 school days, the last on 29 Oct;"
        " 0 in the 40 before that.",
        (ONE, "failing_core"): "Failing mark in 2 of 2 core courses: 45 % in Math 9, 50 % in English 9.",
        (ONE, "off_track"): "0.5 credits earned after 31 of 180 school days, 0.86 are on track;"
        " failed 2 core courses (English 9, Math 9).",
        (ONE, "missing_work"): "9 of the 9 pieces of work due in 18 school days are missing; 0 of 10 before that.",
        (ONE, "falling_success"): "10 of 30 right in the last 5 active days (33 %); 90 % of 400 before.",
        (ONE, "less_time"): "25 min of activity in the last 10 school days; 6 h 40 min before that.",
        (ONE, "slower_pace"): "9 answers a day on the last 10 active days; 20 a day before that.",
    }


def test_a_suspension_alone_raises_and_is_withdrawn_when_it_is_taken_back(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:20])
    write_days(sink, ONE, [SCHOOL_DAYS[10]], watermark=2, incidents=1)
    day = SCHOOL_DAYS[10]
    behavior = partial(state, sink, ONE, verbs.REPORTED, "https://sis.example/behavior", day)
    statement_id = behavior(behavior="suspension")
    evaluator = evaluator_at(SCHOOL_DAYS[15], settings, sink, engine)
    assert evaluator.evaluate([ONE]) == {ONE}
    assert list(reasons(settings)) == [(ONE, "incidents")]
    removal = (ONE, at(day), statement_id, "voided", "a voiding statement", 0, 1, 2, 99, at(day))
    assert not sink.insert(tables.REMOVALS, [removal])
    assert evaluator.evaluate([ONE]) == {ONE}
    assert not reasons(settings)


def test_work_that_hardly_anyone_of_the_section_handed_in_is_missing_of_nobody(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:20])
    hand_in(sink, STUDENTS[5], range(9))
    evaluator = evaluator_at(SCHOOL_DAYS[20], settings, sink, engine)
    assert not evaluator.evaluate(STUDENTS)
    hand_in(sink, STUDENTS[6], range(9))
    again = evaluator_at(SCHOOL_DAYS[20], settings, sink, engine)
    assert again.evaluate(STUDENTS) == {*STUDENTS} - {STUDENTS[1], *STUDENTS[5:7]}


def test_work_that_is_waived_is_missing_of_nobody(settings: Settings, sink: Sink, engine: Engine) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:20])
    for student in STUDENTS[5:7]:
        hand_in(sink, student, range(9))
    for n in range(9):
        state(sink, ONE, verbs.WAIVED, f"https://lms.example/assignments/{n:02}", SCHOOL_DAYS[0])
    found = evaluator_at(SCHOOL_DAYS[20], settings, sink, engine).evaluate(STUDENTS)
    assert found == {*STUDENTS} - {ONE, STUDENTS[1], *STUDENTS[5:7]}


def test_a_day_on_which_a_whole_school_is_recorded_absent_is_held_against_nobody(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:18])
        write_days(sink, student, SCHOOL_DAYS[18:26], attended=0, absent=1)
    assert not evaluator_at(SCHOOL_DAYS[26], settings, sink, engine).evaluate(STUDENTS)


def test_a_grade_that_is_not_known_is_watched_where_the_school_teaches_no_lower_ones(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    unknown = dict.fromkeys(STUDENTS[:6], "upper") | dict.fromkeys(STUDENTS[6:], "high")
    with engine.begin() as connection:
        for student, school in unknown.items():
            connection.execute(
                update(students).where(students.c.student_id == student).values(grade=None, school_id=school)
            )
    RosterSync(sink, engine).sync()
    for student in STUDENTS:
        write_days(sink, student, SCHOOL_DAYS[:26])
    for student in (STUDENTS[0], STUDENTS[6]):
        write_days(sink, student, SCHOOL_DAYS[20:26], watermark=2, attended=0, absent=1)
    assert evaluator_at(SCHOOL_DAYS[26], settings, sink, engine).evaluate(STUDENTS) == {STUDENTS[0]}


def test_who_is_in_no_section_has_no_expected_work_and_a_team_hands_in_for_each_of_its_members(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    for student in STUDENTS[:2]:
        write_days(sink, student, SCHOOL_DAYS[:5])
    stranger = seeded_uuid(_RNG)
    write_days(sink, stranger, SCHOOL_DAYS[:5])
    credit = {
        **EMPTY, "student_id": ONE, "timestamp": at(SCHOOL_DAYS[1]), "statement_id": seeded_uuid(_RNG),
        "stored": at(SCHOOL_DAYS[1]), "provider_id": "lms", "verb": verbs.SUBMITTED, "offset": 7,
        "activity": "https://lms.example/assignments/00", "outcome": -1.0, "duration_ms": -1,
    }  # fmt: skip
    assert not sink.insert(tables.CREDITS, [tuple(credit[name] for name in tables.CREDITS.names)])
    reader = FactsReader(sink, engine, LocalDays(settings.district.timezone))
    assert reader.refresh(as_number(SCHOOL_DAYS[5]))
    assert not reader.refresh(as_number(SCHOOL_DAYS[5]))
    found = reader.of([ONE, stranger])
    assert (found[stranger].facts.work, found[stranger].school, found[stranger].facts.grade) == ((), "", None)
    first, second, *_ = found[ONE].facts.work
    assert (first.submitted, first.providers, first.core) == (as_number(SCHOOL_DAYS[1]), ("lms",), True)
    assert second.submitted is None


def test_a_changed_calendar_is_seen_after_half_a_minute_and_a_change_of_long_ago_after_ten_minutes(
    settings: Settings, sink: Sink, engine: Engine
) -> None:
    RosterSync(sink, engine).sync()
    write_days(sink, ONE, SCHOOL_DAYS[:20])
    noon, passed = at(SCHOOL_DAYS[20]), 0.0
    evaluator = Evaluator(sink, engine, settings.district, clock=lambda: noon, seconds=lambda: passed)
    assert evaluator.refresh()
    assert not evaluator.silences()
    assert not evaluator.refresh()
    with engine.begin() as connection:
        connection.execute(insert(calendar), {"school_id": "high", "day": SCHOOL_DAYS[19], "in_session": False})
    passed = 31.0
    assert evaluator.refresh()
    for student in STUDENTS:
        write_days(sink, student, [SCHOOL_DAYS[3]], watermark=2, attended=0, absent=1)
    passed = 632.0
    assert evaluator.refresh()
    passed = 663.0
    assert not evaluator.refresh()


@pytest.mark.parametrize(("stored_on", "at_once"), [(SCHOOL_DAYS[20], True), (SCHOOL_DAYS[1], False)])
def test_who_begins_to_record_is_known_at_once_and_whose_records_come_late_on_the_next_day(
    stored_on: date, at_once: bool, settings: Settings, sink: Sink, engine: Engine
) -> None:
    reader = FactsReader(sink, engine, LocalDays(settings.district.timezone))
    state(sink, ONE, verbs.ATTENDED, "https://sis.example/day", SCHOOL_DAYS[0])
    reader.refresh(as_number(SCHOOL_DAYS[20]))
    assert [*reader.recorders] == ["sis"]
    state(sink, ONE, verbs.ABSENT, "https://lms.example/day", stored_on)
    reader.refresh(as_number(SCHOOL_DAYS[20]))
    assert [*reader.recorders] == (["lms", "sis"] if at_once else ["sis"])
    reader.refresh(as_number(SCHOOL_DAYS[21]))
    assert [*reader.recorders] == ["lms", "sis"]
