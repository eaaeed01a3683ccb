"""What pages and reports count with alike: the interval of a share, and which groups are too small to show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Final

_Z95: Final = 1.959964


def wilson(count: float, size: float) -> tuple[float, float]:
    """95% score interval of a share (Wilson 1927): right also for small groups and shares near 0 or 1."""
    if size == 0:
        return 0.0, 1.0
    share, square = count / size, _Z95**2 / size
    middle = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * sqrt(share * (1 - share) / size + square / (4 * size))
    return max(0.0, middle - half), min(1.0, middle + half)


def hidden_groups(sizes: Mapping[str, int], threshold: int) -> frozenset[str]:
    """Groups whose every cell is hidden: the small ones, and others so that no total gives them away.

    Hidden groups number at least two and the threshold together: one alone could be found by subtraction. Empty
    groups hide nobody.
    """
    inhabited = {name: size for name, size in sizes.items() if size > 0}
    hidden = {name for name, size in inhabited.items() if size < threshold}
    if not hidden:
        return frozenset()
    rest = sorted((name for name in inhabited if name not in hidden), key=lambda name: (inhabited[name], name))
    while rest and (len(hidden) < 2 or sum(inhabited[name] for name in hidden) < threshold):
        hidden.add(rest.pop(0))
    return frozenset(hidden)
