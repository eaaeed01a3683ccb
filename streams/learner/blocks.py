"""Attempts as the numbers that a logistic is fitted on, a student's in one or more blocks, kept in a temporary file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.learner.calibration import Calibration
from streams.learner.fold import learn
from streams.learner.meeting import meet
from streams.learner.model import (
    CROSSES,
    SITUATION_FEATURES,
    SKILL_FEATURES,
    STUDENT_FEATURES,
    skill_values,
    student_values,
)
from streams.learner.state import Attempt, LearnerState

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DENSE: Final = 1 + len(STUDENT_FEATURES) + len(SKILL_FEATURES) + len(SITUATION_FEATURES)
ITEM, SKILL, CROSS = range(3)
"""Kinds of sparse parameters: items, skills, and from CROSS on one for each of the crosses."""
KINDS: Final = CROSS + len(CROSSES)
LONGEST: Final = 256
"""Attempts in a block; a student with more has several."""
_NO_SKILLS: Final = (0.0,) * len(SKILL_FEATURES)
_HEAD: Final = struct.Struct("<3q")


class Block(NamedTuple):
    """n attempts of one student, in their order.

    Attributes:
        last: 1 when it is the student's last block.
        outcomes: shape (n,).
        dense: 1, then the values of the features, shape (n, DENSE).
        rows, columns, shares, kinds: what is sparse: attempt, parameter, value and kind; each of shape (k,).
    """

    last: int
    outcomes: Floats
    dense: Floats
    rows: Ints
    columns: Ints
    shares: Floats
    kinds: Ints


class Columns(NamedTuple):
    """Where the sparse parameters stand: items, then skills, then the table of crosses."""

    items: Mapping[str, int]
    skills: Mapping[str, int]
    crosses: int


def blocks(attempts: Iterable[Attempt], elo: Calibration, columns: Columns) -> Iterator[Block]:
    """A student's blocks, folded under the difficulties alone."""
    state = LearnerState()
    made = _Making()
    for attempt in attempts:
        if len(made.outcomes) == LONGEST:
            yield made.block(0)
            made = _Making()
        met = meet(state, attempt.item, attempt.skills, attempt.timestamp, elo)
        of_skills = _NO_SKILLS
        if met.own:
            each = [skill_values(skill) for skill in met.own]
            of_skills = each[0] if len(each) == 1 else tuple(np.mean(each, axis=0).tolist())
        made.add(columns.items[attempt.item], 1.0, ITEM)
        for name in attempt.skills:
            made.add(columns.skills[name], 1.0 / len(attempt.skills), SKILL)
        for kind, place in enumerate(met.places, CROSS):
            if place >= 0:
                made.add(columns.crosses + place, 1.0, kind)
        made.dense.append((1.0, *student_values(state), *of_skills, *met.values))
        made.outcomes.append(attempt.outcome)
        learn(state, met, attempt, 0.0, elo)
    yield made.block(1)


class _Making:
    def __init__(self) -> None:
        self.outcomes: list[float] = []
        self.dense: list[tuple[float, ...]] = []
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.shares: list[float] = []
        self.kinds: list[int] = []

    def add(self, column: int, share: float, kind: int) -> None:
        self.rows.append(len(self.outcomes))
        self.columns.append(column)
        self.shares.append(share)
        self.kinds.append(kind)

    def block(self, last: int) -> Block:
        return Block(
            last, np.array(self.outcomes), np.array(self.dense), np.array(self.rows, np.int64),
            np.array(self.columns, np.int64), np.array(self.shares), np.array(self.kinds, np.int64),
        )  # fmt: skip


def write(file: IO[bytes], block: Block) -> None:
    """Append a block."""
    file.write(_HEAD.pack(block.last, len(block.outcomes), len(block.rows)))
    for part in block[1:]:
        file.write(part.tobytes())


def student(file: IO[bytes]) -> Iterator[Block]:
    """The blocks of the student that begins at the file's position."""
    last = 0
    while not last:
        last, n, k = _HEAD.unpack(file.read(_HEAD.size))
        yield Block(
            last, _read(file, n), _read(file, n * DENSE).reshape(n, DENSE), _read(file, k).view(np.int64),
            _read(file, k).view(np.int64), _read(file, k), _read(file, k).view(np.int64),
        )  # fmt: skip


def _read(file: IO[bytes], n: int) -> Floats:
    return np.frombuffer(file.read(8 * n), np.float64)
