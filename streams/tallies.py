"""How well chances foretold outcomes, counted up in constant memory: for more answers than memory holds. Pure."""

from __future__ import annotations

import math
from typing import Final

PLACES: Final = 1_000
"""Chances are told apart to a thousandth; two within one count as equal in the AUC."""
BINS: Final = 10
_EDGE: Final = 1e-15


class Tally:
    """Predicted chances beside outcomes of 0 … 1: half right counts as half a right and half a wrong answer.

    ``students`` are those of the answers, as long as the answers of one come together.
    """

    __slots__ = ("_last", "_loss", "_right", "_said", "_wrong", "answers", "students")

    def __init__(self) -> None:
        self.answers = 0
        self.students = 0
        self._last = ""
        self._loss = 0.0
        self._right: dict[int, float] = {}
        self._wrong: dict[int, float] = {}
        self._said: dict[int, float] = {}

    def add(self, student: str, chance: float, outcome: float) -> None:
        """One answer."""
        if student != self._last:
            self._last = student
            self.students += 1
        self.answers += 1
        place = min(int(chance * PLACES), PLACES - 1)
        self._right[place] = self._right.get(place, 0.0) + outcome
        self._wrong[place] = self._wrong.get(place, 0.0) + 1.0 - outcome
        self._said[place] = self._said.get(place, 0.0) + chance
        safe = min(max(chance, _EDGE), 1.0 - _EDGE)
        self._loss -= outcome * math.log(safe) + (1.0 - outcome) * math.log1p(-safe)

    def figures(self) -> dict[str, float | None]:
        """``answers``, ``students``, ``right`` (share), ``said`` (mean chance), ``auc``, ``log_loss``, ``ece``.

        ECE: mean distance of chance and outcome over BINS bins of equal width, weighted by their answers (Guo et al.
        2017). None where it is not defined.
        """
        right, wrong = sum(self._right.values()), sum(self._wrong.values())
        n = self.answers
        return {
            "answers": n,
            "students": self.students,
            "right": right / n if n else None,
            "said": sum(self._said.values()) / n if n else None,
            "auc": self._ordered() / (right * wrong) if right > 0.0 and wrong > 0.0 else None,
            "log_loss": self._loss / n if n else None,
            "ece": self._distance() / n if n else None,
        }

    def _ordered(self) -> float:
        """Pairs of a right and a wrong answer of which the right one was given the higher chance, equal ones half."""
        found = below = 0.0
        for place in sorted(self._right):
            found += self._right[place] * (below + self._wrong[place] / 2.0)
            below += self._wrong[place]
        return found

    def _distance(self) -> float:
        apart = [0.0] * BINS
        for place, right in self._right.items():
            apart[place * BINS // PLACES] += self._said[place] - right
        return sum(map(abs, apart))
