"""Folders of answers in the layout of learner-performance-prediction: train.tsv, test.tsv and, if there, q_mat.npz.

Columns: user_id, item_id, timestamp, correct, skill_id; the lines of a user are in the order of answering (layout of
Gervet et al. 2020). q_mat.npz is a sparse matrix, items x base skills: where it is there, skills are taken from it.
"""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.evaluating.asking import DataFaultError, Tell, find, quiet, require_columns
from streams.learner.state import Attempt

COLUMNS: Final = ("user_id", "item_id", "timestamp", "correct")
SKILL: Final = "skill_id"
_NONE: Final = frozenset({"", "nan", "none", "null", "na", "-1"})
_TELL_EVERY: Final = 20_000
_UNITS: Final = ((1e14, 1.0), (1e11, 1e3), (0.0, 1e6))
"""From which value on a moment is in µs, ms, s since 1970; one since another beginning is in seconds."""

Skills = Mapping[int, list[str]]


class Answers(NamedTuple):
    """Answers of a file: by student, and what else the file tells of a student (column, value)."""

    by_student: dict[str, list[Attempt]]
    groups: dict[str, dict[str, str]]

    def rows(self) -> Iterator[tuple[str, Attempt]]:
        """Student by student."""
        for student, attempts in self.by_student.items():
            for attempt in attempts:
                yield student, attempt

    @property
    def n(self) -> int:
        """How many answers there are."""
        return sum(map(len, self.by_student.values()))


def read(folder: Path, tell: Tell = quiet) -> tuple[Answers, Answers]:
    """Answers to fit on, and to test on. DataFaultError: a file, column or value is missing, named with the fix."""
    skills = q_matrix(folder)
    train = answers(find(folder, "train.tsv"), skills, tell)
    test = answers(find(folder, "test.tsv"), skills, tell)
    if both := sorted(train.by_student.keys() & test.by_student.keys()):
        raise DataFaultError(f"student {both[0]} is in train.tsv and in test.tsv: split the data by student")
    return train, test


def q_matrix(folder: Path) -> Skills | None:
    """Base skills by item, named by their column; None when there is no q_mat.npz."""
    path = folder / "q_mat.npz"
    if not path.is_file():
        return None
    from scipy.sparse import load_npz

    try:
        matrix = load_npz(path).tocsr()
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DataFaultError(
            f"q_mat.npz is no sparse matrix of scipy ({error}); leave it out to use skill_id"
        ) from None
    matrix.eliminate_zeros()
    matrix.sort_indices()
    starts, columns = matrix.indptr.tolist(), matrix.indices.tolist()
    return {
        item: [str(column) for column in columns[start:end]]
        for item, (start, end) in enumerate(pairwise(starts))
        if end > start
    }


class _Line(NamedTuple):
    number: int
    moment: float | None
    item: str
    skills: list[str]
    outcome: float


def answers(path: Path, skills: Skills | None, tell: Tell = quiet) -> Answers:
    """The answers of one file."""
    by_student: dict[str, list[_Line]] = {}
    groups: dict[str, dict[str, str]] = {}
    with _open(path) as file:
        reader = csv.DictReader(file, delimiter="\t")
        names = reader.fieldnames or []
        require_columns(path, names, COLUMNS)
        if skills is None and SKILL not in names:
            raise DataFaultError(f"{path.name}: column {SKILL} missing, and there is no q_mat.npz to take skills from")
        others = [name for name in names if name and name not in (*COLUMNS, SKILL)]
        number = 1
        for number, row in enumerate(reader, 2):
            student = row["user_id"]
            try:
                by_student.setdefault(student, []).append(_line(row, number, skills))
            except (AttributeError, TypeError, ValueError) as error:
                raise DataFaultError(f"{path.name}, line {number}: {error}") from None
            for name in others:
                groups.setdefault(name, {})[student] = row[name] or ""
            if number % _TELL_EVERY == 0:
                tell(f"reading {path.name}", number, 0)
    if not by_student:
        raise DataFaultError(f"{path.name} has no lines below its heading")
    tell(f"reading {path.name}", number - 1, 0)
    return Answers(_timed(by_student), groups)


def _line(row: Mapping[str, str], number: int, skills: Skills | None) -> _Line:
    item = row["item_id"]
    for name in ("user_id", "item_id"):
        if row[name].lower() in _NONE:
            raise ValueError(f"{name} is empty")
    outcome = float(row["correct"])
    if not 0.0 <= outcome <= 1.0:
        raise ValueError(f"correct is {row['correct']}, not between 0 and 1")
    told = row["timestamp"]
    moment = None if told.lower() in _NONE else float(told)
    found = None
    if skills is not None:
        try:
            found = skills.get(int(float(item)))
        except ValueError:
            raise ValueError(f"item_id {item} is no number, as a row of q_mat.npz must be") from None
    if found is None:
        skill = row.get(SKILL) or ""
        found = [] if skill.lower() in _NONE else [f"{SKILL} {skill}" if skills is not None else skill]
    return _Line(number, moment, item, found, outcome)


def _timed(by_student: Mapping[str, list[_Line]]) -> dict[str, list[Attempt]]:
    """Attempts with moments in µs from the first one on, which is one second; 0 where the file tells none."""
    moments = [line.moment for lines in by_student.values() for line in lines if line.moment is not None]
    first, largest = min(moments, default=0.0), max(moments, default=0.0)
    unit = next(unit for least, unit in _UNITS if largest >= least or not least)
    none = first == largest  # all the same: the file tells no times

    def at(moment: float | None) -> int:
        return 0 if none or moment is None else int((moment - first) * unit) + 1_000_000

    return {
        student: [Attempt(at(line.moment), f"{line.number:012d}", *line[2:]) for line in lines]
        for student, lines in by_student.items()
    }


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8")
    return path.open(newline="", encoding="utf-8")
