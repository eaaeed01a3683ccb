"""The first pass of a fit: Elo difficulties of items and skills, usual durations, and what the attempts are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import log1p
from statistics import median
from typing import Final

from streams.learner.calibration import STUDENT, STUDENT_SKILL, Calibration
from streams.learner.elo import Step, sigmoid
from streams.learner.state import Attempt

ITEM: Final = Step(0.7, 0.05)
SKILL: Final = Step(0.3, 0.02)
DURATIONS_NEEDED: Final = 5
"""Answers with durations that tell an item's usual one."""


class Rating:
    """A value that moves by K·error."""

    __slots__ = ("n", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.n = 0

    def move(self, step: Step, error: float) -> None:
        """One step."""
        self.value += step.k(self.n) * error
        self.n += 1


class Difficulties:
    """Items and skills rated beside the students: the same Elo, read from the other side. Memory: items and skills."""

    def __init__(self) -> None:
        self.attempts = self.students = 0
        self.items: dict[str, Rating] = {}
        self.skills: dict[str, Rating] = {}
        self.skills_of: dict[str, tuple[str, ...]] = {}
        self._durations: dict[str, tuple[float, int]] = {}
        self._digest = hashlib.sha256()
        self._last: str | None = None
        self._student, self._own = Rating(), dict[str, Rating]()

    def add(self, student_id: str, attempt: Attempt) -> None:
        """Take one attempt in; those of a student come together."""
        if student_id != self._last:
            self._last = student_id
            self._student, self._own = Rating(), {}
            self.students += 1
        self._digest.update(repr((student_id, *attempt)).encode())
        _, _, name, names, outcome, duration_ms = attempt
        item = self.items.get(name) or self.items.setdefault(name, Rating())
        self.skills_of[name] = tuple(names)
        own = [self._own.get(skill) or self._own.setdefault(skill, Rating()) for skill in names]
        skills = [self.skills.get(skill) or self.skills.setdefault(skill, Rating()) for skill in names]
        logit = self._student.value - item.value
        if own:
            logit += (_total(own) - _total(skills)) / len(own)
        error = outcome - sigmoid(logit)
        self._student.move(STUDENT, error)
        item.move(ITEM, -error)
        for rating in own:
            rating.move(STUDENT_SKILL, error)
        for rating in skills:
            rating.move(SKILL, -error)
        if duration_ms >= 0:
            total, n = self._durations.get(name, (0.0, 0))
            self._durations[name] = total + log1p(duration_ms), n + 1
        self.attempts += 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all attempts as they came."""
        return self._digest.hexdigest()

    def calibration(self, version: int) -> Calibration:
        """A calibration without weights."""
        items = {name: rating.value for name, rating in sorted(self.items.items())}
        return Calibration(
            version=version,
            items=items,
            skills={name: rating.value for name, rating in sorted(self.skills.items())},
            medians=self.medians(items),
            durations={
                name: total / n for name, (total, n) in sorted(self._durations.items()) if n >= DURATIONS_NEEDED
            },
        )

    def medians(self, items: dict[str, float]) -> dict[str, float]:
        """Median over the items of each skill."""
        of_skill: dict[str, list[float]] = {}
        for item, skills in self.skills_of.items():
            for skill in skills:
                of_skill.setdefault(skill, []).append(items[item])
        return {skill: median(found) for skill, found in sorted(of_skill.items())}


def _total(ratings: Iterable[Rating]) -> float:
    total = 0.0
    for rating in ratings:
        total += rating.value
    return total
