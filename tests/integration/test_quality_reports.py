"""Reports on the district's own records: what was warned, what came of it, how often it was wrong, for whom."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, delete, insert, select

from infra.dev.front.process import Front
from infra.runtime import cases, quality
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.quality import STORE
from schemas.cases import Action, Ask, Signal
from schemas.cases_rules import follow
from schemas.registry.insight import case_events, quality_reports
from schemas.registry.insight import cases as registered
from schemas.reports import Estimate, Report, decode, encode
from streams.evaluating import store_skills, store_warnings
from streams.evaluating.asking import DataFaultError
from streams.evaluating.render import html
from streams.evaluating.roster import read_labels, read_roster
from streams.learner.calibration import Calibration
from streams.learner.explaining import predict
from streams.learner.fold import Attempt, fold
from tests.fixtures.district_rows import District, write_district
from tests.fixtures.pages_store import prepared, settings_of

pytestmark = pytest.mark.clickhouse
NOW = datetime.now(UTC)
NOW_US = int(NOW.timestamp() * 1e6)
DAY_US = 86_400_000_000
Store = tuple[Client, Engine, District]


@pytest.fixture(scope="module")
def store(clickhouse_front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A district with warnings; people have looked at forty cases: ten of each answer."""
    settings = settings_of(clickhouse_front, tmp_path_factory.mktemp("quality"), "quality_reports")
    engine = prepared(settings)
    district = write_district(settings, engine, now=NOW)
    with open_clickhouse(settings.clickhouse) as client:
        _work(engine, client, district, NOW.date())
        yield client, engine, district
    engine.dispose()


def _work(engine: Engine, client: Client, district: District, today: date) -> None:
    """Raise cases and act on them, and copy their events as the worker does."""
    rosa = district.staff["counselor"]
    with engine.begin() as connection:
        connection.execute(delete(case_events))
        connection.execute(delete(registered))
    client.command("TRUNCATE TABLE case_events")
    answers = ("incorrect_data", "known_and_handled", "not_concerning", "help")
    for number, student in enumerate(district.of_school("sch-1")[:40]):
        signal = Signal("inactivity", today - timedelta(days=9))
        steps = follow(student, None, None, [signal], today - timedelta(days=9), 100, f"case-{number:03}")
        with engine.begin() as connection:
            cases.store(connection, steps, "", NOW_US - 9 * DAY_US)
        answer = answers[number % 4]
        ask = (
            Ask(Action.INTERVENTION, rosa, today, "talk", kind="mentoring", goal="back on Mondays")
            if answer == "help"
            else Ask(Action.DISMISSED, rosa, today, "looked", dismissal=answer)
        )
        cases.act(engine, steps[-1].case.case_id, ask, NOW_US - 7 * DAY_US)
    with engine.connect() as connection:
        rows = [
            [UUID(row.event_id), UUID(int=int(row.case_id.partition("-")[2])), row.sequence, UUID(row.student_id),
             datetime.fromtimestamp(row.at / 1e6, UTC), row.who, row.action, row.before, row.after, row.why,
             row.details, number]
            for number, row in enumerate(connection.execute(select(case_events)))
        ]  # fmt: skip
    names = [
        "event_id",
        "case_id",
        "sequence",
        "student_id",
        "at",
        "who",
        "action",
        "before",
        "after",
        "why",
        "details",
    ]
    client.insert("case_events", rows, column_names=[*names, "offset"])


def section(report: Report, title: str):
    return next(one for one in report.sections if one.title == title)


def row(table, name: str):
    return next(cells for cells in table.rows if cells[0] == name)


def test_the_report_tells_how_many_warnings_people_called_wrong(store):
    report = store_warnings.run(store[0], store[1], now_us=NOW_US)
    assert report.measures["cases"] == report.measures["judged"] == 40
    assert report.measures["wrong"] == 0.5
    assert any("50 should not have been raised (20 of 40)" in sentence for sentence in report.headlines)
    acted = section(report, "What came of it")
    assert "100 of 100 cases (40 of 40), half of them within 2.0 days" in acted.text
    dismissed = row(acted.tables[1], "No activity")
    assert dismissed[1:3] == [40, 40]
    assert [cell.value for cell in dismissed[3:]] == [0.25] * 4


def test_the_report_counts_warnings_as_the_store_has_them_by_rule(store):
    report = store_warnings.run(store[0], store[1], now_us=NOW_US)
    [(students, warnings)] = (
        store[0]
        .query("SELECT uniqExact(student_id), count() FROM warnings FINAL WHERE rule = 'inactivity'")
        .result_rows
    )
    assert row(section(report, "What was warned").tables[0], "No activity")[1:3] == [students, warnings]


def test_small_schools_are_not_told_and_the_report_has_no_student(store):
    report = store_warnings.run(store[0], store[1], now_us=NOW_US)
    by_school = section(report, "How often it was wrong, for whom").tables[0]
    assert row(by_school, "Harbor")[1] == "n<10"  # seven students
    assert isinstance(row(by_school, "Cedar Grove Middle")[1], Estimate)
    told = encode(report).decode()
    assert not [one["student_id"] for one in store[2].students if one["student_id"] in told]
    assert decode(told) == report
    assert "How often it was wrong" in html(report)


def first_warnings(client: Client) -> dict[str, date]:
    asked = "SELECT toString(student_id), min(raised_on) FROM warnings GROUP BY student_id"
    found: dict[str, date] = {}
    for student, day in client.query(asked).result_rows:
        found[student] = day
    return found


def write_labels(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("student", "outcome", "date"), *rows])
    return path


def test_labels_give_precision_recall_and_lead_time_counted_by_hand(store, tmp_path):
    client, engine, district = store
    first = dict(
        client.query("SELECT toString(student_id), min(raised_on) FROM warnings GROUP BY student_id").result_rows
    )
    warned = sorted(first)[:20]
    quiet = sorted({one["student_id"] for one in district.students if one["linked"]} - set(first))[:10]
    happened = [(one, "1", (first[one] + timedelta(days=14)).isoformat()) for one in warned]
    happened += [(one, "yes", NOW.date().isoformat()) for one in quiet]
    labels = write_labels(tmp_path / "labels.csv", [*happened, ("nobody@x.example", "0", "")])

    report = store_warnings.run(client, engine, now_us=NOW_US, labels=labels)
    linked = {one["student_id"] for one in district.students if one["linked"]}
    assert report.measures["recall"] == pytest.approx(20 / 30)
    assert report.measures["precision"] == pytest.approx(20 / len(linked & set(first)))
    assert report.measures["lead_days"] == 14
    against = section(report, "Against what happened")
    assert "1 rows of the labels name nobody" in against.tables[0].note
    assert "Of 100 students who were warned of" in report.headlines[0]
    assert {table.columns[0].title for table in section(report, "Errors against what happened, for whom").tables} == {
        "School",
        "Grade",
    }


def test_a_warning_after_the_outcome_is_no_warning_of_it(store, tmp_path):
    client, engine, _ = store
    first = dict(
        client.query("SELECT toString(student_id), min(raised_on) FROM warnings GROUP BY student_id").result_rows
    )
    late = [(one, "1", first[one].isoformat()) for one in sorted(first)[:15]]
    report = store_warnings.run(client, engine, now_us=NOW_US, labels=write_labels(tmp_path / "l.csv", late))
    assert report.measures["recall"] == 0.0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("x", "perhaps", "")], "row 2: outcome 'perhaps' is neither 1 nor 0"),
        ([("someone@x.example", "1", "2026-11-20")], "none of its 1 students is on the roster"),
    ],
)
def test_what_is_wrong_with_labels_is_told_by_row(store, tmp_path, rows, said):
    with pytest.raises(DataFaultError, match=said):
        read_labels(write_labels(tmp_path / "labels.csv", rows), store[1], read_roster(store[1]))


def test_a_missing_column_of_labels_is_named(store, tmp_path):
    (tmp_path / "labels.csv").write_text("student,date\nx,2026-11-20\n")
    with pytest.raises(DataFaultError, match="column outcome missing"):
        read_labels(tmp_path / "labels.csv", store[1], read_roster(store[1]))


def test_each_answer_is_predicted_from_earlier_ones_of_the_same_student_alone(store):
    client, _, _ = store
    answers = store_skills.predicted(client, Calibration())
    student = answers.students[0]
    rows = client.query(
        "SELECT toUnixTimestamp64Micro(timestamp), toString(statement_id), item, skills, outcome, duration_ms"
        " FROM attempts FINAL WHERE student_id = {student:String} ORDER BY timestamp, toString(statement_id)",
        parameters={"student": student},
    ).result_rows
    attempts = [Attempt(*row) for row in rows]
    own = np.flatnonzero(answers.student == 0)
    for number in (0, 1, 9):
        before = fold(attempts[:number], Calibration())
        assert answers.said[own[number]] == predict(before, attempts[number], Calibration())
    assert own.size == len(attempts)


def test_the_report_on_skills_has_baselines_a_diagram_and_groups_without_small_ones(store):
    client, engine, _ = store
    report = store_skills.run(client, engine, now_us=NOW_US)
    names = [cells[0] for cells in section(report, "Main figures").tables[0].rows]
    assert names[0].startswith("this model")
    assert len([name for name in names if name.startswith("baseline")]) == 2
    assert 0.5 < report.measures["auc"] < 1
    [figure] = section(report, "Do the chances mean what they say?").figures
    assert figure.kind == "reliability"
    assert row(section(report, "For whom?").tables[0], "Harbor")[1] == "n<10"
    assert decode(encode(report)) == report


def test_an_empty_store_is_told_in_words(clickhouse_front, tmp_path):
    settings = settings_of(clickhouse_front, tmp_path, "quality_empty")
    engine = prepared(settings)
    with open_clickhouse(settings.clickhouse) as client:
        with pytest.raises(DataFaultError, match="no answers in the store yet"):
            store_skills.run(client, engine, now_us=NOW_US)
        with pytest.raises(DataFaultError, match="no warnings in the store yet"):
            store_warnings.run(client, engine, now_us=NOW_US)
    engine.dispose()


def test_the_newest_report_of_a_kind_is_found_and_one_that_cannot_be_read_is_passed_over(store):
    _, engine, _ = store
    made = Report("skills", "T", "D", 1, [], [])
    with engine.begin() as connection:
        quality.keep(connection, made, STORE, 10)
        quality.keep(connection, made, "a09", 20)
        connection.execute(
            insert(quality_reports).values(
                report_id="broken", kind="skills", source=STORE, created_at=30, report=json.dumps({"kind": "other"})
            )
        )
        assert quality.newest(connection, "skills").source == "a09"
        assert quality.newest(connection, "skills", STORE).report == made
        assert quality.newest(connection, "skills", elsewhere=True).source == "a09"
        assert quality.newest(connection, "warnings") is None
