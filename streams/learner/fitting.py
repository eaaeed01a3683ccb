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
from typing import Final, NamedTuple

import msgspec
import numpy as np

from streams.learner import blocks
from streams.learner.blocks import Columns
from streams.learner.calibration import OWN_SKILL, OWN_STUDENT, Calibration, Weights, packed
from streams.learner.difficulties import Difficulties
from streams.learner.elo import mean
from streams.learner.model import SKILL_FEATURES, STUDENT_FEATURES, hashed, place
from streams.learner.state import Attempt
from streams.learner.training import Training

Source = Callable[[], Iterable[tuple[str, Attempt]]]
"""Begins anew: student id and attempt, all attempts of a student together and in the order of the fold."""
Progress = Callable[[str, int], None]
"""Told of a pass by its name, and how many attempts of it are done."""

PASSES: Final = 5
LEAST_BITS: Final = 10
LARGEST_BITS: Final = 20
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
    bits = min(max(known.attempts.bit_length(), LEAST_BITS), LARGEST_BITS)
    elo = known.calibration(version)
    start = replace(elo, weights=msgspec.structs.replace(elo.logistic, bits=bits))
    columns = Columns(_numbered(elo.items), _numbered(elo.skills, len(elo.items)), len(elo.items) + len(elo.skills))
    training = Training(columns, 1 << bits)
    losses = []
    with tempfile.TemporaryFile() as file:
        begins: list[int] = []
        done, loss = 0, 0.0
        for _, rows in groupby(source(), key=itemgetter(0)):
            begins.append(file.tell())
            for block in blocks.blocks((attempt for _, attempt in rows), start, columns):
                blocks.write(file, block)
                done += len(block.outcomes)
            tell("features", done)
        order = np.random.default_rng(seed)
        for number in range(PASSES):
            done, loss = 0, 0.0
            for student in order.permutation(len(begins)).tolist():
                file.seek(begins[student])
                read = list(blocks.student(file))
                loss += training.learn(read, number)
                done += sum(len(block.outcomes) for block in read)
                tell(f"weights, pass {number + 1} of {PASSES}", done)
            losses.append(round(loss / known.attempts, 6))
    fitted = replace(elo, weights=_fitted(training, elo, known, bits))
    return Fitted(fitted, known.attempts, known.students, known.fingerprint, {"log_loss_by_pass": losses})


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
