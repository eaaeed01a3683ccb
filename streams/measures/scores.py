"""How well chances of a yes-or-no outcome discriminate, and how far they are off: one number each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_CLIP: Final = 1e-15  # as scikit-learn: a chance of 0 that happens costs 34.5, not infinity


def pair(outcomes: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays of floats, shape (n,). ValueError: lengths differ, or a value is not what it must be."""
    true, said = np.asarray(outcomes, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if true.ndim != 1 or true.shape != said.shape:
        raise ValueError(f"{true.shape} outcomes and {said.shape} predictions")
    if not np.isin(true, (0.0, 1.0)).all():
        raise ValueError("an outcome is 0 or 1")
    if not np.isfinite(said).all():
        raise ValueError("a prediction is not a number")
    return true, said


def auc(outcomes: ArrayLike, predictions: ArrayLike) -> float:
    """Chance that a random positive is ranked above a random negative, a tie counting half (Hanley & McNeil 1982).

    O(n log n). NaN where one class is missing.
    """
    true, said = pair(outcomes, predictions)
    positives = float(true.sum())
    negatives = true.size - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(said, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]  # ties share their middle rank
    return float((ranks[true == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(outcomes: ArrayLike, chances: ArrayLike) -> float:
    """Mean negative log likelihood, in nats. NaN of nothing."""
    true, said = pair(outcomes, chances)
    kept = np.clip(said, _CLIP, 1 - _CLIP)
    return _mean(-(true * np.log(kept) + (1 - true) * np.log1p(-kept)))


def brier(outcomes: ArrayLike, chances: ArrayLike) -> float:
    """Mean squared error of the chances (Brier 1950). NaN of nothing."""
    true, said = pair(outcomes, chances)
    return _mean((true - said) ** 2)


def rmse(outcomes: ArrayLike, chances: ArrayLike) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(brier(outcomes, chances)))


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
