"""Uncertainty and quantiles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from schemas.events import LATENCY_BOUNDS_MS

_Z95: Final = 1.959964


def wilson(count: int, size: int) -> tuple[float, float]:
    """95% score interval of a share (Wilson 1927): right also for small groups and shares near 0 or 1."""
    if size == 0:
        return 0.0, 1.0
    share, square = count / size, _Z95**2 / size
    middle = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * sqrt(share * (1 - share) / size + square / (4 * size))
    return max(0.0, middle - half), min(1.0, middle + half)


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """Milliseconds below which a share of what was counted in buckets of LATENCY_BOUNDS_MS lies.

    Linear within a bucket. What lies above the last bound is taken to lie at it. None where nothing was counted.
    """
    total = sum(buckets)
    if not total:
        return None
    wanted, seen = share * total, 0
    lower = 0.0
    for count, upper in zip(buckets, LATENCY_BOUNDS_MS, strict=False):
        if count and seen + count >= wanted:
            return lower + (upper - lower) * (wanted - seen) / count
        seen += count
        lower = float(upper)
    return lower
