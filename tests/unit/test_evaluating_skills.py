"""Evaluation of skill states on a folder of answers: what is read, what is named when it is missing, what is told."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, save_npz

from schemas.reports import Report, decode, encode
from streams.evaluating.asking import DataFaultError
from streams.evaluating.batch import best_lr
from streams.evaluating.skills import run
from streams.evaluating.tsv import read
from streams.learner.state import Attempt
from streams.measures.scores import auc
from tests.fixtures.answering import SKILLS, answers

HEADING = ("user_id", "item_id", "timestamp", "correct", "skill_id")


def write(path: Path, rows: Iterable[Mapping[str, object]], names: Iterable[str] = HEADING) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), delimiter="\t", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def lines(found: Iterable[tuple[str, Attempt]], **further: object) -> list[dict[str, object]]:
    """As the layout has them: skills by one id, items by number."""
    return [
        {
            "user_id": student, "item_id": attempt.item.split()[1], "timestamp": attempt.timestamp // 1_000_000,
            "correct": int(attempt.outcome), "skill_id": "+".join(attempt.skills), **further,
        }
        for student, attempt in found
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "train.tsv", lines(answers(60, seed=1)))
    write(tmp_path / "test.tsv", lines(answers(24, seed=2)))
    return tmp_path


def with_matrix(folder: Path) -> Path:
    matrix = np.zeros((40, 4))
    for _, attempt in answers(60, seed=1):
        matrix[int(attempt.item.split()[1]), [SKILLS.index(skill) for skill in attempt.skills]] = 1
    save_npz(folder / "q_mat.npz", csr_matrix(matrix))
    return folder


def test_ours_stands_beside_baselines_with_its_cost(folder: Path) -> None:
    report = run(with_matrix(folder), seed=1)
    main = report.sections[0].tables[0]
    assert [str(row[0]).split(",")[0] for row in main.rows] == [
        "ours", "best logistic", "multilevel Elo alone", "item and skill mean", "majority: the same for all",
    ]  # fmt: skip
    measures = report.measures
    assert measures["auc"] > measures["item_mean.auc"] > measures["majority.auc"] == 0.5
    assert 0.0 < measures["ece"] < 0.1
    assert 0.0 < measures["p50_us"] <= measures["p99_us"]
    assert measures["n"] == 24 * 40
    assert "2,400 answers of 60 students (40 items, 4 skills" in report.data
    assert decode(encode(report)).measures == measures


def test_all_but_the_cost_is_the_same_each_time(folder: Path) -> None:
    def told(report: Report) -> dict[str, float]:
        return {name: value for name, value in report.measures.items() if "_us" not in name}

    assert told(run(folder, seed=1)) == told(run(folder, seed=1))


def test_without_a_matrix_the_skills_are_those_of_the_file(folder: Path) -> None:
    train, _ = read(folder)
    assert {skill for _, attempt in train.rows() for skill in attempt.skills} >= {"add", "add+divide"}
    with_matrix(folder)
    train, _ = read(folder)
    assert {skill for _, attempt in train.rows() for skill in attempt.skills} == {"0", "1", "2", "3"}


def test_answers_without_skills_and_with_times_are_evaluated_too(tmp_path: Path) -> None:
    for name, seed in (("train.tsv", 1), ("test.tsv", 2)):
        rows = lines(answers(30, seed, timed=True))
        for number, row in enumerate(rows):
            row["skill_id"] = ["nan", "", "-1", row["skill_id"]][number % 4]
        write(tmp_path / name, rows)
    train, _ = read(tmp_path)
    first = next(iter(train.by_student.values()))
    assert (first[0].skills, first[3].skills != []) == ([], True)
    assert [attempt.timestamp for attempt in first[:2]] == [1_000_000, 3_601_000_000]
    assert run(tmp_path).measures["auc"] > 0.6


def test_times_that_are_all_the_same_are_none(folder: Path) -> None:
    assert {attempt.timestamp for _, attempt in read(folder)[0].rows()} == {0}


def test_groups_are_told_of_where_the_file_has_them(folder: Path) -> None:
    rows = [
        {**row, "school": "north" if int(str(row["user_id"])[-1]) % 2 else "south"}
        for row in lines(answers(40, seed=2))
    ]
    write(folder / "test.tsv", rows, (*HEADING, "school"))
    table = run(folder).sections[-1].tables[0]
    assert table.title == "By school"
    assert [row[:2] for row in table.rows] == [["north", 20], ["south", 20]]


@pytest.mark.parametrize("lacking", ["user_id", "item_id", "timestamp", "correct", "skill_id"])
def test_a_missing_column_is_named(folder: Path, lacking: str) -> None:
    write(folder / "test.tsv", lines(answers(3, seed=2)), [name for name in HEADING if name != lacking])
    with pytest.raises(DataFaultError, match=rf"test\.tsv: column {lacking} missing"):
        run(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "test.tsv").unlink()
    with pytest.raises(DataFaultError, match=r"test\.tsv"):
        run(folder)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("correct", "2", "correct is 2, not between 0 and 1"),
        ("correct", "yes", "line 2: could not convert string to float"),
        ("item_id", "", "line 2: item_id is empty"),
        ("timestamp", "today", "line 2: could not convert"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(folder: Path, column: str, value: str, words: str) -> None:
    write(folder / "train.tsv", [{**row, column: value} for row in lines(answers(2, seed=1))])
    with pytest.raises(DataFaultError, match=words):
        run(folder)


def test_a_student_may_not_be_in_both_files(folder: Path) -> None:
    write(folder / "test.tsv", lines(answers(3, seed=1)))
    with pytest.raises(DataFaultError, match="split the data by student"):
        run(folder)


def test_a_matrix_that_is_none_is_named(folder: Path) -> None:
    (folder / "q_mat.npz").write_bytes(b"no matrix")
    with pytest.raises(DataFaultError, match=r"q_mat\.npz is no sparse matrix"):
        run(folder)


def test_the_best_batch_logistic_knows_more_than_chance_and_counts_only_what_was_before() -> None:
    test = answers(20, seed=2)
    said = best_lr(answers(60, seed=1), test, seed=1)
    assert auc([attempt.outcome for _, attempt in test], said) > 0.7
    turned = [(student, attempt._replace(outcome=1.0 - attempt.outcome)) for student, attempt in test[:1]] + test[1:]
    assert best_lr(answers(60, seed=1), turned, seed=1)[0] == said[0]
