"""Best-LR, the strongest batch logistic regression of Gervet et al. 2020, as a baseline.

One-hot items and skills, log1p of the student's right and wrong answers so far by skill, and of all; fitted in one go
by scikit-learn on the training students, frozen on the test students.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from math import log1p
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix

from streams.learner.state import Attempt
from streams.measures.scores import Floats

MOST: Final = 500_000
"""Answers that are fitted on: of a larger set the first students up to there."""
_TOTALS: Final = 2


def best_lr(train: Iterable[tuple[str, Attempt]], test: Iterable[tuple[str, Attempt]], seed: int) -> Floats:
    """Chances of the test answers, in their order. Outcomes count as right from a half on."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    columns: dict[tuple[str, str], int] = {}
    past, right = _matrix(train, columns, grow=True, most=MOST)
    if right.min() == right.max():
        return np.full(_matrix(test, columns, grow=False)[1].size, right.mean())
    model = LogisticRegression(C=1.0, max_iter=150, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(past, right)
    return np.asarray(model.predict_proba(_matrix(test, columns, grow=False)[0])[:, 1], dtype=np.float64)


def _matrix(
    rows: Iterable[tuple[str, Attempt]], columns: dict[tuple[str, str], int], *, grow: bool, most: int | None = None
) -> tuple[csr_matrix, Floats]:
    """Features (answers x columns) and outcomes; a column met for the first time is added, or left out."""
    found: list[int] = []
    values: list[float] = []
    ends = [0]
    outcomes: list[float] = []
    last = None
    counts: dict[tuple[str, str], float] = {}
    total = [0.0, 0.0]

    def put(kind: str, name: str, value: float) -> None:
        key = kind, name
        place = columns.get(key)
        if place is None:
            if not grow:
                return
            place = columns[key] = len(columns) + _TOTALS
        found.append(place)
        values.append(value)

    for student, attempt in rows:
        if student != last:
            if most is not None and len(outcomes) >= most:
                break
            last, counts, total = student, {}, [0.0, 0.0]
        found += range(_TOTALS)
        values += map(log1p, total)
        put("item", attempt.item, 1.0)
        for skill in attempt.skills:
            put("skill", skill, 1.0)
            for kind in ("right", "wrong"):
                if before := counts.get((kind, skill), 0.0):
                    put(kind, skill, log1p(before))
            counts["right", skill] = counts.get(("right", skill), 0.0) + attempt.outcome
            counts["wrong", skill] = counts.get(("wrong", skill), 0.0) + 1.0 - attempt.outcome
        total[0] += attempt.outcome
        total[1] += 1.0 - attempt.outcome
        ends.append(len(found))
        outcomes.append(1.0 if attempt.outcome >= 0.5 else 0.0)
    shape = len(outcomes), len(columns) + _TOTALS
    return csr_matrix((values, found, ends), shape=shape), np.array(outcomes)
