"""What the ranking is measured beside, on the same rows: no knowledge, single rules, and gradient boosting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from streams.evaluating.weeks import Seen
from streams.ranking.fit import Floats, matrix

MAJORITY: Final = "everybody alike"
MISSED: Final = "rule: missed the last due item"
MARK: Final = "rule: marks so far"
BOOSTING: Final = "gradient boosting, batch"


def baselines(past: Sequence[Seen], here: Sequence[Seen], names: Sequence[str], seed: int) -> dict[str, Floats]:
    """Scores of ``here`` by name; each is fitted on ``past``, rows of the same week of earlier presentations.

    The rule on the last item says the share that had the outcome among those who did and did not miss it; the rule on
    marks the same by tenths of the marks so far. Both take the base rate where nothing fell due or was marked.
    """
    had = np.array([seen.row.had for seen in past], dtype=np.float64)
    base = float(had.mean())
    model = HistGradientBoostingClassifier(
        max_iter=120, learning_rate=0.05, max_depth=4, min_samples_leaf=40, l2_regularization=5.0, random_state=seed,
        early_stopping=False,
    )  # fmt: skip
    before = matrix([seen.row for seen in past], names)
    boosted = (
        model.fit(before, had).predict_proba(matrix([seen.row for seen in here], names))[:, 1]
        if 0 < base < 1
        else np.full(len(here), base)
    )
    missed = _shares([int(seen.missed_last) for seen in past], had, 2, base)
    marks = _shares([_tenth(seen) for seen in past], had, 12, base)
    return {
        MAJORITY: np.full(len(here), base),
        MISSED: np.array([missed[int(seen.missed_last)] for seen in here]),
        MARK: np.array([marks[_tenth(seen)] for seen in here]),
        BOOSTING: np.asarray(boosted, dtype=np.float64),
    }


def _tenth(seen: Seen) -> int:
    return 11 if seen.mark is None else min(10, int(10 * seen.mark))


def _shares(places: Sequence[int], had: Floats, size: int, base: float) -> list[float]:
    """Share with the outcome by place, shrunk to the base rate by ten rows."""
    where = np.array(places, dtype=np.intp)
    counts, hits = np.bincount(where, minlength=size), np.bincount(where, had, minlength=size)
    return [float((hit + 10.0 * base) / (count + 10.0)) for hit, count in zip(hits, counts, strict=True)]
