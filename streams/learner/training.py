"""The logistic of a calibration: AdaGrad over blocks of attempts (Duchi, Hazan, Singer 2011).

Every item, skill and place in the table of crosses is drawn to zero by a ridge: the fewer answers it has seen, the
more. While it learns, the student's own intercepts follow the error as they do in the stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from streams.learner.blocks import CROSS, DENSE, ITEM, SKILL, Block, Columns, Floats
from streams.learner.calibration import FORGETTING, OWN_SKILL, OWN_STUDENT
from streams.learner.elo import mean, sigmoid
from streams.learner.model import SITUATION_FEATURES

RATE: Final = 0.05
RATE_SLOWING: Final = 0.7
SPARSE_RATE: Final = 0.4
SPARSE_SLOWING: Final = 0.5
RIDGES: Final = np.array((0.5, 0.5, 0.5, 8.0, 1.5, 8.0, 8.0))
"""Of each kind of sparse parameter: answers as expected that it is drawn back by. Chosen by cross-validation."""
PARTS: Final = 5
"""Of a logit: the intercept, the dense features, the item, its skills, the crosses."""
ROUNDS: Final = 20
SURE: Final = 5.0
"""How strongly the scales of the parts are drawn to 1."""
_TIME: Final = DENSE - len(SITUATION_FEATURES) + SITUATION_FEATURES.index("hours since practice")


class Training:
    """Parameters as they are learned: dense weights, and what is sparse in one vector."""

    def __init__(self, columns: Columns, places: int) -> None:
        self._columns = columns
        size = columns.crosses + places
        self.dense, self._dense_squares = np.zeros(DENSE), np.full(DENSE, 1e-4)
        self.dense[_TIME] = FORGETTING
        self.sparse, self._squares, self._seen = np.zeros(size), np.ones(size), np.zeros(size)

    def learn(self, student: Iterable[Block], number: int) -> float:
        """Learn from one student in pass ``number``; the log loss of what was expected, summed over the answers."""
        loss = 0.0
        own = _Own(self._columns)
        rate, sparse_rate = RATE / (1.0 + RATE_SLOWING * number), SPARSE_RATE / (1.0 + SPARSE_SLOWING * number)
        for block in student:
            n = len(block.outcomes)
            sparse = np.bincount(block.rows, block.shares * self.sparse[block.columns], n)
            # einsum: unlike a product by BLAS, it adds in the same order on every machine.
            errors = own.follow(block, np.einsum("ij,j->i", block.dense, self.dense) + sparse)
            chances = np.clip(block.outcomes - errors, 1e-9, 1.0 - 1e-9)
            loss -= float(np.sum(block.outcomes * np.log(chances) + (1.0 - block.outcomes) * np.log1p(-chances)))
            found, places = np.unique(block.columns, return_inverse=True)
            if not number:
                self._seen[found] += np.bincount(places)
            drawn_back = np.bincount(places, RIDGES[block.kinds]) * self.sparse[found] / self._seen[found]
            pull = np.bincount(places, block.shares * errors[block.rows]) - drawn_back
            self._squares[found] += pull * pull
            self.sparse[found] += sparse_rate * pull / np.sqrt(self._squares[found])
            slope = np.einsum("i,ij->j", errors, block.dense)
            self._dense_squares += slope * slope
            self.dense += rate * slope / np.sqrt(self._dense_squares)
        return loss

    def parts(self, student: Iterable[Block]) -> tuple[Floats, Floats, Floats]:
        """Of a student who was not learned from: parts of the logits, shape (n, PARTS), what the own intercepts added,
        and the outcomes, each of shape (n,)."""
        own = _Own(self._columns)
        found, added, outcomes = [], [], []
        for block in student:
            n = len(block.outcomes)
            values = block.shares * self.sparse[block.columns]
            sparse = [
                np.bincount(block.rows[chosen], values[chosen], n)
                for chosen in (block.kinds == ITEM, block.kinds == SKILL, block.kinds >= CROSS)
            ]
            dense = np.einsum("ij,j->i", block.dense[:, 1:], self.dense[1:])
            parts = np.column_stack([np.ones(n), dense, *sparse])
            logits = parts[:, 1:].sum(axis=1) + self.dense[0]
            chances = np.clip(block.outcomes - own.follow(block, logits), 1e-9, 1.0 - 1e-9)
            found.append(parts)
            added.append(np.log(chances) - np.log1p(-chances) - logits)
            outcomes.append(block.outcomes)
        return np.concatenate(found), np.concatenate(added), np.concatenate(outcomes)

    def scale(self, scales: Floats) -> None:
        """Scale the parts, the intercept being set; see ``scales_of``."""
        self.dense[0] = scales[0]
        self.dense[1:] *= scales[1]
        items = len(self._columns.items)
        self.sparse[:items] *= scales[2]
        self.sparse[items : self._columns.crosses] *= scales[3]
        self.sparse[self._columns.crosses :] *= scales[4]


def scales_of(intercept: float, parts: Floats, added: Floats, outcomes: Floats) -> Floats:
    """Intercept and scales under which the parts say best what became of answers that nothing was learned from.

    They shrink what was fitted too closely, so that chances are calibrated: a logistic on the parts by Newton's method,
    drawn to what there is (Platt 1999, with one slope for each part).
    """
    start = np.array([intercept, *[1.0] * (PARTS - 1)])
    scales = start.copy()
    for _ in range(ROUNDS):
        chances = 1.0 / (1.0 + np.exp(-np.clip(np.einsum("ij,j->i", parts, scales) + added, -30.0, 30.0)))
        slope = np.einsum("ij,i->j", parts, outcomes - chances) - SURE * (scales - start)
        bend = np.einsum("ij,i,ik->jk", parts, chances * (1.0 - chances), parts) + SURE * np.eye(PARTS)
        scales = scales + np.linalg.solve(bend, slope)
    scales[1:] = np.clip(scales[1:], 0.0, 1.25)
    # Rounded, so that the last bits of a solver do not tell machines apart.
    return np.round(scales, 6)


class _Own:
    """The student's own intercepts, of all skills and of each."""

    def __init__(self, columns: Columns) -> None:
        self._first, self._end = len(columns.items), columns.crosses
        self._all, self._answers = 0.0, 0
        self._skills: dict[int, tuple[float, int]] = {}

    def follow(self, block: Block, logits: Floats) -> Floats:
        """Errors of the outcomes, one after the other, each of them moving the intercepts."""
        of_rows: list[list[int]] = [[] for _ in logits]
        among = (block.columns >= self._first) & (block.columns < self._end)
        for row, column in zip(block.rows[among].tolist(), block.columns[among].tolist(), strict=True):
            of_rows[row].append(column)
        errors = []
        for logit, outcome, skills in zip(logits.tolist(), block.outcomes.tolist(), of_rows, strict=True):
            own = [self._skills.get(skill, (0.0, 0)) for skill in skills]
            if own:
                logit += mean([value for value, _ in own])
            error = outcome - sigmoid(logit + self._all)
            errors.append(error)
            self._all += OWN_STUDENT.k(self._answers) * error
            self._answers += 1
            for skill, (value, tried) in zip(skills, own, strict=True):
                self._skills[skill] = value + OWN_SKILL.k(tried) * error, tried + 1
        return np.array(errors)
