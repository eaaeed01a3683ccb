"""Intervals: of shares, and of any measure by drawing again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from infra.runtime.shares import wilson
from schemas.reports import Estimate
from streams.measures.scores import Floats, pair

ROUNDS: Final = 200


def share(count: float, size: int) -> Estimate | None:
    """A share with its Wilson interval; None of nothing."""
    if not size:
        return None
    low, high = wilson(count, size)
    return Estimate(count / size, size, low, high)


def bootstrap(
    measure: Callable[[Floats, Floats], float],
    outcomes: ArrayLike,
    predictions: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Estimate:
    """A measure with its 95% percentile interval (Efron 1979), drawn by whole clusters where they are given.

    ``clusters``: whose row it is; rows of one student are not independent, and drawn apart they would give too narrow
    an interval. ``n`` is the number of rows. Rounds in which the measure is not defined are left out.
    """
    true, said = pair(outcomes, predictions)
    rows = _rows(np.arange(true.size) if clusters is None else np.asarray(clusters))
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(rounds if rows else 0):
        drawn = chance.integers(len(rows), size=len(rows))
        chosen = np.concatenate([rows[number] for number in drawn])
        value = measure(true[chosen], said[chosen])
        if np.isfinite(value):
            found.append(value)
    low, high = np.quantile(found, (0.025, 0.975)) if found else (None, None)
    return Estimate(
        measure(true, said), true.size, None if low is None else float(low), None if high is None else float(high)
    )


def _rows(clusters: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Indices of each cluster's rows."""
    if not clusters.size:
        return []
    _, place = np.unique(clusters, return_inverse=True)
    order = np.argsort(place, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(place[order])) + 1)
