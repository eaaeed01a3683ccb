"""The responses of ASSISTments 2009 and the skills of its items, as files give them.

Format: a tab-separated file with the columns user_id, item_id, timestamp, correct, skill_id in the order of answering
within a user; and ``q_mat.npz``, a scipy CSR matrix of items by base skills.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Response(NamedTuple):
    """One answer; ``line`` is its line in the file, 1 for the first after the header."""

    line: int
    user: int
    item: int
    correct: bool


class DataSetError(ValueError):
    """A file that is not there, or is not what it should be."""


def locate(data: Path, split: str) -> tuple[Path, Path]:
    """Files of responses and of skills in a folder, or below it in knowledge_tracing; raises DataSetError."""
    for folder in (data, data / "knowledge_tracing"):
        if (responses := folder / f"{split}.tsv").is_file() and (skills := folder / "q_mat.npz").is_file():
            return responses, skills
    raise DataSetError(f"{data}: no {split}.tsv beside a q_mat.npz there; --data takes the folder that holds both")


def responses(path: Path, limit: int = 0) -> Iterator[Response]:
    """Responses in the order of the file, the first ``limit`` of them (0: all); raises DataSetError."""
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file, delimiter="\t"), 1):
            if limit and line > limit:
                return
            try:
                yield Response(line, int(row["user_id"]), int(row["item_id"]), _right(row["correct"]))
            except (KeyError, TypeError, ValueError) as error:
                raise DataSetError(f"{path}, line {line + 1}: {error!r}") from error


def _right(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError(f"correct is {value!r}, neither 0 nor 1")
    return value == "1"


class SkillMatrix:
    """Base skills of each item."""

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as parts:
                if parts["format"].item() != b"csr":
                    raise DataSetError(f"{path}: a CSR matrix is expected, not {parts['format'].item()!r}")
                self._indices = parts["indices"]
                self._starts = parts["indptr"]
                self._values = parts["data"]
                self.items, self.skills = (int(n) for n in parts["shape"])
        except (OSError, KeyError, ValueError) as error:
            raise DataSetError(f"{path}: {error}") from error

    def skills_of(self, item: int) -> list[int]:
        """Numbers of the item's base skills, ascending; empty for an item the matrix does not know."""
        if not 0 <= item < self.items:
            return []
        row = slice(int(self._starts[item]), int(self._starts[item + 1]))
        return sorted(int(skill) for skill, value in zip(self._indices[row], self._values[row], strict=True) if value)
