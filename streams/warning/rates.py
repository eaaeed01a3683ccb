"""Shares and means, and whether a change between two stretches of days is more than chance explains. Prefix sums make
each stretch a subtraction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

LEAST_Z = 2.33
"""One-sided 1 % of the normal distribution."""
STRICT_Z = 4.0
"""For what varies from day to day: the answers of a day depend on each other, times have long tails, and the rules look
every day, so that chance has many tries."""


class Rate(NamedTuple):
    """So many among all."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """Hits by all; 0 where there are none."""
        return self.hits / self.of if self.of else 0.0


def differs(more: Rate, less: Rate, least_z: float = LEAST_Z) -> bool:
    """Whether the first share is above the second by more than chance (pooled two-proportion z-test)."""
    pooled = (more.hits + less.hits) / (more.of + less.of)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / more.of + 1.0 / less.of))
    return more.share > less.share if error == 0.0 else (more.share - less.share) / error >= least_z


class Mean(NamedTuple):
    """Mean of some values, how many they are, and their variance."""

    mean: float
    size: int
    variance: float

    def below(self, other: Mean) -> bool:
        """Whether this mean is below the other by more than the spread of both explains (Welch)."""
        error = math.sqrt(self.variance / self.size + other.variance / other.size)
        return self.mean < other.mean if error == 0.0 else (other.mean - self.mean) / error >= STRICT_Z


class Series:
    """Values in order, with the mean of any stretch of them."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = list(values)
        self._sums = [0.0, *accumulate(self.values)]
        self._squares = [0.0, *accumulate(value * value for value in self.values)]

    def average(self, start: int, end: int) -> float:
        """The mean alone, which costs less than what is known of it."""
        return (self._sums[end] - self._sums[start]) / (end - start)

    def mean(self, start: int, end: int) -> Mean:
        """Of the values from ``start``, included, to ``end``, excluded; at least one."""
        count = end - start
        mean = self.average(start, end)
        spread = (self._squares[end] - self._squares[start]) / count - mean * mean
        return Mean(mean, count, max(spread, 0.0) * count / max(count - 1, 1))


def sums(values: Sequence[int]) -> list[int]:
    """Prefix sums: the sum of a stretch is the difference of two."""
    return [0, *accumulate(values)]
