"""Multilevel Elo: the chance that a student answers right, and what an answer teaches about the student.

P(right) = σ(student + mean skill rating of the student − item difficulty − mean skill difficulty), all in logits.
A rating moves by K·(outcome − P) with K = a / (1 + b·n), n being the answers it has seen (Pelánek 2016,
"Applications of the Elo rating system in adaptive educational systems").
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Step(NamedTuple):
    """K = first / (1 + slowing·n) of one kind of rating."""

    first: float
    slowing: float

    def k(self, n: int) -> float:
        """Factor of the update after ``n`` answers."""
        return self.first / (1.0 + self.slowing * n)


def sigmoid(logit: float) -> float:
    """Chance of a logit; large ones do not overflow."""
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


def mean(values: list[float]) -> float:
    """Mean of at least one value, added from left to right: sum() of floats differs between versions of Python."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)
