"""Quantiles of what was counted in buckets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.events import LATENCY_BOUNDS_MS


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
