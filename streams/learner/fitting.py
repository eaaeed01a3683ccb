"""The fit of a calibration from attempts that come student by student, in memory bounded by items and skills.

The source is read twice, so it is a callable that begins anew and gives the same attempts each time: once for the
difficulties, once for the features, which then stand in a temporary file (about 0.4 kB an attempt) for the passes of
the logistic. The same attempts, seed and version give the same calibration, bit by bit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import IO, Final, NamedTuple

import msgspec
import numpy as np

from streams.learner import blocks
from streams.learner.blocks import Block, Columns, Floats, Ints
from streams.learner.calibration import OWN_SKILL, OWN_STUDENT, Calibration, Weights, packed
from streams.learner.difficulties import Difficulties
from streams.learner.elo import mean
from streams.learner.model import SKILL_FEATURES, STUDENT_FEATURES, hashed, place
from streams.learner.state import Attempt
from streams.learner.training import Training, scales_of

Source = Callable[[], Iterable[tuple[str, Attempt]]]
"""Begins anew: student id and attempt, all attempts of a student together and in the order of the fold."""
Progress = Callable[[str, int], None]
"""Told of a pass by its name, and how many attempts of it are done."""

PASSES: Final = 5
HELD_OUT: Final = 5
"""One in so many students is kept aside for the scales of the parts; then all are learned from."""
LEAST_HELD_OUT: Final = 5
MOST_ANSWERS: Final = 500_000
LEAST_BITS: Final = 10
LARGEST_BITS: Final = 20
SPARE_BITS: Final = 2
"""The table of crosses has at least as many times two places as there are answers, so that few crosses share one."""
_DIGITS: Final = 7
_TELL_EVERY: Final = 10_000


class Fitted(NamedTuple):
    """A calibration, and what it was fitted on.

    ``fingerprint``: SHA-256 over all attempts as they came; ``metrics``: figures by name, JSON-able.
    """

    calibration: Calibration
    attempts: int
    students: int
    fingerprint: str
    metrics: Mapping[str, object]


def quiet(step: str, done: int) -> None:
    """A Progress that tells nobody."""


def fit(source: Source, *, version: int, seed: int = 0, progress: Progress | None = None) -> Fitted:
    """Fit on all attempts; raises ValueError when there are none."""
    tell = progress or quiet
    known = Difficulties()
    for student_id, attempt in source():
        known.add(student_id, attempt)
        if known.attempts % _TELL_EVERY == 0:
            tell("difficulties", known.attempts)
    if not known.attempts:
        raise ValueError("there are no attempts to fit a calibration on")
    bits = min(max(known.attempts.bit_length() + SPARE_BITS, LEAST_BITS), LARGEST_BITS)
    elo = known.calibration(version)
    start = replace(elo, weights=msgspec.structs.replace(elo.logistic, bits=bits))
    columns = Columns(_numbered(elo.items), _numbered(elo.skills, len(elo.items)), len(elo.items) + len(elo.skills))
    with tempfile.TemporaryFile() as file:
        begins: list[int] = []
        done = 0
        for _, rows in groupby(source(), key=itemgetter(0)):
            begins.append(file.tell())
            for block in blocks.blocks((attempt for _, attempt in rows), start, columns):
                blocks.write(file, block)
                done += len(block.outcomes)
            tell("features", done)
        students = _Students(file, np.random.default_rng(seed).permutation(len(begins)), begins, seed, tell)
        scales = None
        if (held_out := len(begins) // HELD_OUT) >= LEAST_HELD_OUT:
            training = Training(columns, 1 << bits)
            students.train(training, students.order[held_out:], "scales")
            scales = students.scales(training, students.order[:held_out])
        training = Training(columns, 1 << bits)
        losses = students.train(training, students.order, "weights")
    if scales is not None:
        training.scale(scales)
    fitted = replace(elo, weights=_fitted(training, elo, known, bits))
    return Fitted(
        fitted,
        known.attempts,
        known.students,
        known.fingerprint,
        {"log_loss_by_pass": losses, "scales": [] if scales is None else scales.tolist()},
    )


class _Students:
    """The students in the temporary file, in an order drawn by the seed."""

    def __init__(self, file: IO[bytes], order: Ints, begins: list[int], seed: int, tell: Progress) -> None:
        self.order = order
        self._file, self._begins, self._seed, self._tell = file, begins, seed, tell

    def train(self, training: Training, chosen: Ints, what: str) -> list[float]:
        """All passes over some of them; the log loss of each, as it was before learning from an answer."""
        shuffled = np.random.default_rng(self._seed)
        losses = []
        for number in range(PASSES):
            done, loss = 0, 0.0
            for student in shuffled.permutation(chosen).tolist():
                read = self._blocks(student)
                loss += training.learn(read, number)
                done += sum(len(block.outcomes) for block in read)
                self._tell(f"{what}, pass {number + 1} of {PASSES}", done)
            losses.append(round(loss / done, _DIGITS))
        return losses

    def scales(self, training: Training, chosen: Ints) -> Floats:
        """Scales by some that were not learned from, of the first up to MOST_ANSWERS."""
        found = []
        done = 0
        for student in chosen.tolist():
            found.append(training.parts(self._blocks(student)))
            done += len(found[-1][2])
            if done >= MOST_ANSWERS:
                break
        parts, added, outcomes = (np.concatenate(some) for some in zip(*found, strict=True))
        return scales_of(float(training.dense[0]), parts, added, outcomes)

    def _blocks(self, student: int) -> list[Block]:
        self._file.seek(self._begins[student])
        return list(blocks.student(self._file))


def _numbered(names: Iterable[str], first: int = 0) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, first)}


def _fitted(training: Training, elo: Calibration, known: Difficulties, bits: int) -> Weights:
    dense = [round(value, _DIGITS) for value in training.dense.tolist()]
    sparse = [round(value, _DIGITS) for value in training.sparse[: len(elo.items) + len(elo.skills)].tolist()]
    items = dict(zip(elo.items, sparse, strict=False))
    skills = dict(zip(elo.skills, sparse[len(items) :], strict=True))
    crosses = training.sparse[len(sparse) :]
    students, of_skills = 1 + len(STUDENT_FEATURES), 1 + len(STUDENT_FEATURES) + len(SKILL_FEATURES)
    together = {
        item: items[item]
        + mean([skills[name] for name in names])
        + float(crosses[place(1, sum(map(hashed, names)) & 0xFFFFFFFF, 0, 32 - bits)])
        for item, names in known.skills_of.items()
        if names
    }
    return Weights(
        intercept=dense[0],
        student=tuple(dense[1:students]),
        skill=tuple(dense[students:of_skills]),
        situation=tuple(dense[of_skills:]),
        own_student=OWN_STUDENT,
        own_skill=OWN_SKILL,
        items=items,
        skills=skills,
        levels=known.medians(together),
        bits=bits,
        crosses=packed(crosses.tolist()),
    )
