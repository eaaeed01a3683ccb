"""Whether chances mean what they say: bins of the reliability diagram, and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from infra.runtime.shares import wilson
from streams.measures.scores import pair

Binning = Literal["width", "count"]


class Bin(NamedTuple):
    """Predictions of one bin: their mean, the share that happened with its 95% interval, and how many they are."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


def reliability(outcomes: ArrayLike, chances: ArrayLike, bins: int = 10, by: Binning = "width") -> list[Bin]:
    """Bins in rising order, without empty ones.

    ``width``: equal parts of 0 to 1 (Guo et al. 2017). ``count``: equally many predictions each, equal ones never
    parted, so that the order of rows does not matter. ValueError: a chance outside 0 to 1.
    """
    true, said = pair(outcomes, chances)
    if not said.size:
        return []
    if said.min() < 0 or said.max() > 1:
        raise ValueError("a chance lies between 0 and 1")
    inner = np.arange(1, bins) / bins
    edges = inner if by == "width" else np.unique(np.quantile(said, inner))
    place = np.searchsorted(edges, said, side="right" if by == "width" else "left")
    counts = np.bincount(place, minlength=edges.size + 1)
    predicted, happened = np.bincount(place, said, edges.size + 1), np.bincount(place, true, edges.size + 1)
    return [
        Bin(float(total / n), float(hits / n), *wilson(float(hits), int(n)), int(n))
        for total, hits, n in zip(predicted, happened, counts, strict=True)
        if n
    ]


def ece(outcomes: ArrayLike, chances: ArrayLike, bins: int = 10, by: Binning = "width") -> float:
    """Expected calibration error: mean distance of predicted and observed over bins, weighted by count (Naeini 2015).

    What is called ECE without more words in reports is this with 10 bins of equal width. NaN of nothing.
    """
    return distance(reliability(outcomes, chances, bins, by))


def distance(bins: Sequence[Bin]) -> float:
    """The error of bins that are made already."""
    total = sum(found.n for found in bins)
    if not total:
        return float("nan")
    return sum(found.n * abs(found.predicted - found.observed) for found in bins) / total
