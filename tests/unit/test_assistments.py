"""The replay of ASSISTments: from files to statements, the same ones each time."""

from pathlib import Path

import numpy as np
import pytest

from infra.dev.replay import assistments
from infra.dev.replay.dataset import DataSetError, Response, SkillMatrix, locate, responses
from infra.dev.replay.verify import Figures
from ingest.xapi.faults import Faults
from ingest.xapi.timestamps import microseconds
from ingest.xapi.validation.statements import batch
from tests.fixtures.answers import write_answers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_answers(tmp_path, [(5, 0, 0), (5, 1, 1), (7, 2, 1), (5, 2, 0)], [[0], [1, 2], []])
    return tmp_path


def test_responses_keep_the_order_of_the_file(folder: Path):
    told = list(responses(locate(folder, "test")[0]))
    assert told == [
        Response(1, 5, 0, False),
        Response(2, 5, 1, True),
        Response(3, 7, 2, True),
        Response(4, 5, 2, False),
    ]
    assert list(responses(folder / "test.tsv", limit=2)) == told[:2]


def test_the_folder_above_is_found_as_well(folder: Path, tmp_path: Path):
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "knowledge_tracing").symlink_to(folder, target_is_directory=True)
    assert locate(tmp_path / "above", "test")[0].name == "test.tsv"
    with pytest.raises(DataSetError, match=r"no train\.tsv"):
        locate(folder, "train")


def test_an_item_has_the_skills_of_its_row_in_the_matrix(folder: Path):
    matrix = SkillMatrix(folder / "q_mat.npz")
    assert [matrix.skills_of(item) for item in (0, 1, 2, 3, -1)] == [[0], [1, 2], [], [], []]
    assert (matrix.items, matrix.skills) == (3, 3)


def test_a_broken_line_is_named(folder: Path):
    with (folder / "test.tsv").open("a") as file:
        file.write("5\t1\t0\tperhaps\t0\n")
    with pytest.raises(DataSetError, match=r"line 6: .*perhaps"):
        list(responses(folder / "test.tsv"))


def test_a_matrix_of_another_kind_is_refused(tmp_path: Path):
    np.savez(tmp_path / "q_mat.npz", format=np.bytes_(b"coo"))
    with pytest.raises(DataSetError, match="CSR"):
        SkillMatrix(tmp_path / "q_mat.npz")


def test_statements_keep_the_rules_and_their_ids(folder: Path):
    told = list(responses(folder / "test.tsv"))
    statements = [assistments.statement("test", response) for response in told]
    faults = Faults()
    batch(statements, faults, version_2=True)
    assert faults == []
    assert statements == [assistments.statement("test", response) for response in told]
    assert len({statement["id"] for statement in statements}) == 4
    assert assistments.statement("train", told[0])["id"] != statements[0]["id"]


def test_statement_and_attempt_of_a_response_say_the_same(folder: Path):
    for response in responses(folder / "test.tsv"):
        statement = assistments.statement("test", response)
        attempt = assistments.attempt("test", response, [2, 1])
        assert attempt.key == (microseconds(statement["timestamp"]), statement["id"])
        assert attempt.item == statement["object"]["id"]
        assert attempt.outcome == float(statement["result"]["success"])
        assert attempt.skills == ["A09.001", "A09.002"]


def test_times_rise_strictly_within_a_student(folder: Path):
    own = [r for r in responses(folder / "test.tsv") if r.user == 5]
    times = [assistments.attempt("test", response, []).timestamp for response in own]
    assert times == sorted(set(times))


def figures(**changed: int) -> Figures:
    right = {
        "responses": 10, "attempts": 10, "attempts_differing": 0, "students": 2, "skill_states": 3,
        "skill_states_differing": 0, "student_states_differing": 0, "accepted": 20, "answered": 19,
        "stored": 10, "duplicates": 9, "dead_lettered": 1, "records_behind": 0,
    }  # fmt: skip
    return Figures(**{**right, **changed})


def test_a_store_agrees_when_nothing_differs_and_the_counts_balance():
    assert figures().holds
    assert "unaccounted: 0" in str(figures())


@pytest.mark.parametrize(
    "changed",
    [{"attempts": 9}, {"attempts_differing": 1}, {"skill_states_differing": 1}, {"student_states_differing": 1},
     {"accepted": 21}, {"answered": 21}, {"records_behind": 1}, {"stored": 9, "duplicates": 10}],
)  # fmt: skip
def test_any_difference_is_told(changed: dict[str, int]):
    assert not figures(**changed).holds
    assert "DISAGREES" in str(figures(**changed))
