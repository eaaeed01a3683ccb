"""Evaluation of the score on a folder in OULAD's layout: the same with other groups, and faults in words."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path

import pytest

from schemas.reports import decode, encode
from streams.evaluating.asking import DataFaultError, quiet
from streams.evaluating.oulad import GROUPS, MARK_DELAY, courses
from streams.evaluating.warnings import run
from streams.evaluating.weeks import Cost, rows_of
from streams.ranking.events import MARKED, SUBMITTED
from tests.fixtures.course_folder import read, write, write_courses


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_courses(tmp_path_factory.mktemp("courses"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "courses"))


def rows(folder: Path, *wanted: str) -> list[tuple[object, ...]]:
    found = courses(folder, wanted or ("2020B",), quiet)
    return [tuple(seen.row) for course in found for seen in rows_of(course, (4, 8), Cost())]


def test_a_report_tells_each_week_with_and_without_clicks_beside_the_baselines(made):
    report = run(made, "2020B", "2020J")
    assert decode(encode(report)).measures.keys() >= {
        f"week{week}.{inputs}.{measure}"
        for week in (2, 4, 8, 12)
        for inputs in ("no_clicks", "clicks")
        for measure in ("auc", "log_loss", "ece", "precision5", "precision10", "precision20", "boosting.auc")
    }
    assert report.measures["week8.no_clicks.auc"] > 0.65
    assert report.measures["week8.no_clicks.auc"] > report.measures["week8.no_clicks.majority.auc"] == 0.5
    assert {"rules.week8.precision", "rules.week8.recall", "event_us"} <= report.measures.keys()
    titles = [section.title for section in report.sections]
    assert "For whom it is wrong, week 8, without clicks" in titles
    modules = next(table for section in report.sections for table in section.tables if table.title == "Modules")
    assert [row[0] for row in modules.rows] == ["AAA 2020J", "CCC 2020J"]  # nothing was known of CCC before


def test_who_a_student_is_changes_no_score(folder, made):
    before = rows(made)
    header, *people = read(folder / "studentInfo.csv")
    rng = random.Random(3)
    for column in (place for place, name in enumerate(header) if name in GROUPS):
        values = [row[column] for row in people]
        rng.shuffle(values)
        for row, value in zip(people, values, strict=True):
            row[column] = value
    write(folder / "studentInfo.csv", [header, *people])
    assert rows(folder) == before


def test_without_any_column_of_groups_scores_are_the_same_and_the_audit_is_left_out(folder, made):
    table = read(folder / "studentInfo.csv")
    kept = [place for place, name in enumerate(table[0]) if name not in GROUPS]
    write(folder / "studentInfo.csv", [[row[place] for place in kept] for row in table])
    assert rows(folder) == rows(made)
    report = run(folder, "2020B", "2020J", clicks=False)
    assert not [section for section in report.sections if section.title.startswith("For whom")]


def test_files_may_be_gzipped_and_clicks_may_come_in_parts(folder, made):
    header, *clicks = read(folder / "studentVle.csv")
    (folder / "studentVle.csv").unlink()
    write(folder / "studentVle_0.csv", [header, *clicks[: len(clicks) // 2]])
    write(folder / "studentVle_1.csv", [header, *clicks[len(clicks) // 2 :]])
    for name in ("studentVle_1", "studentAssessment"):
        path = folder / f"{name}.csv"
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert rows(folder) == rows(made)


def test_without_clicks_there_is_a_report_on_the_rest(tmp_path):
    report = run(write_courses(tmp_path, clicks=False), "2020B", "2020J")
    assert not [name for name in report.measures if ".clicks." in name]
    with pytest.raises(DataFaultError, match=r"studentVle\.csv lacks them"):
        run(tmp_path, "2020B", "2020J", clicks=True)


def test_a_mark_is_visible_a_week_after_the_work_was_handed_in(made):
    student = next(one for course in courses(made, ["2020B"], quiet) for one in course.students if len(one.events) > 20)
    handed_in = {event.item: event.day for event in student.events if event.kind == SUBMITTED}
    marked = {event.item: event.day for event in student.events if event.kind == MARKED}
    assert marked == {item: day + MARK_DELAY for item, day in handed_in.items()}


def test_those_who_have_left_are_ranked_no_more(made):
    (course, *_) = courses(made, ["2020B"], quiet)
    seen = list(rows_of(course, (8,), Cost()))
    assert len(seen) < len(course.students)
    assert all(one.left is None or one.left > 56 for one in seen)


@pytest.mark.parametrize("name", ["courses", "studentInfo", "assessments", "studentAssessment", "studentRegistration"])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / f"{name}.csv").unlink()
    with pytest.raises(DataFaultError, match=rf"{name}\.csv is not in .*unpack it"):
        run(folder, "2020B", "2020J")


def test_a_column_that_is_missing_is_named(folder):
    table = read(folder / "assessments.csv")
    write(folder / "assessments.csv", [row[:-1] for row in table])
    with pytest.raises(DataFaultError, match=r"assessments\.csv has no column weight"):
        run(folder, "2020B", "2020J")


def test_a_presentation_that_is_not_there_is_named_beside_those_that_are(made):
    with pytest.raises(DataFaultError, match="no presentation 2021B: it has 2020B, 2020J"):
        run(made, "2020B", "2021B")
    with pytest.raises(DataFaultError, match="cannot be fitted on and tested on"):
        run(made, "2020B+2020J", "2020J")


def test_the_same_seed_gives_the_same_report(made):
    one, other = (run(made, "2020B", "2020J", clicks=False, seed=4).measures for _ in range(2))
    timed = {name for name in one if name.endswith("_us")}
    assert {name: one[name] for name in one.keys() - timed} == {name: other[name] for name in other.keys() - timed}
