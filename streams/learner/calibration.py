"""What is fitted apart from the stream and frozen in it: difficulties of items and skills, and the pace of learning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

import msgspec

from streams.learner.elo import Step, mean, sigmoid

STUDENT = Step(0.3, 0.02)
STUDENT_SKILL = Step(0.5, 0.1)
ITEM = Step(0.7, 0.05)
SKILL = Step(0.3, 0.02)


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored form of a calibration (JSON): difficulties in logits, median item difficulty of each skill."""

    student: Step
    student_skill: Step
    items: dict[str, float]
    skills: dict[str, float]
    medians: dict[str, float]
    forgetting: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """One version of the frozen parameters. Version 0 is the prior: nothing is known, every difficulty is 0."""

    version: int = 0
    student: Step = STUDENT
    student_skill: Step = STUDENT_SKILL
    items: dict[str, float] = field(default_factory=dict)
    skills: dict[str, float] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)
    forgetting: float = 0.0
    """Logits that mastery loses by log1p(days since the skill was practised)."""

    def difficulty(self, item: str, skills: list[str]) -> float:
        """Difficulty of an item under its skills, logits; what is unknown counts 0."""
        found = self.items.get(item, 0.0)
        if skills:
            known = self.skills
            found += (
                known.get(skills[0], 0.0) if len(skills) == 1 else mean([known.get(skill, 0.0) for skill in skills])
            )
        return found

    def median_difficulty(self, skill: str) -> float:
        """Difficulty of an item of median difficulty of a skill, logits."""
        return self.medians.get(skill, 0.0) + self.skills.get(skill, 0.0)

    def dumps(self) -> str:
        """Its stored form."""
        return msgspec.json.encode(
            Parameters(self.student, self.student_skill, self.items, self.skills, self.medians, self.forgetting)
        ).decode()


def loads(version: int, parameters: str) -> Calibration:
    """A calibration of its stored form; raises msgspec.DecodeError."""
    found = msgspec.json.decode(parameters, type=Parameters)
    return Calibration(version, *msgspec.structs.astuple(found))


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One attempt as the fit needs it."""

    student_id: str
    item: str
    skills: list[str]
    outcome: float


class _Rating:
    __slots__ = ("n", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.n = 0

    def move(self, step: Step, error: float) -> None:
        self.value += step.k(self.n) * error
        self.n += 1


class Fit:
    """Difficulties from attempts, in one pass over them in (timestamp, statement id) order.

    Items and skills are rated beside the students: the same Elo, read from the other side.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self._students: dict[str, _Rating] = {}
        self._student_skills: dict[tuple[str, str], _Rating] = {}
        self._items: dict[str, _Rating] = {}
        self._skills: dict[str, _Rating] = {}
        self._items_of: dict[str, set[str]] = {}

    def add(self, evidence: Evidence) -> float:
        """Take one attempt in; the chance of success that was given to it before its outcome was looked at."""
        student = self._students.setdefault(evidence.student_id, _Rating())
        item = self._items.setdefault(evidence.item, _Rating())
        own = [self._student_skills.setdefault((evidence.student_id, skill), _Rating()) for skill in evidence.skills]
        skills = [self._skills.setdefault(skill, _Rating()) for skill in evidence.skills]
        logit = student.value - item.value
        if own:
            logit += mean([r.value for r in own]) - mean([r.value for r in skills])
        chance = sigmoid(logit)
        error = evidence.outcome - chance
        student.move(STUDENT, error)
        item.move(ITEM, -error)
        for rating in own:
            rating.move(STUDENT_SKILL, error)
        for rating in skills:
            rating.move(SKILL, -error)
        for skill in evidence.skills:
            self._items_of.setdefault(skill, set()).add(evidence.item)
        self.attempts += 1
        return chance

    def calibration(self, version: int) -> Calibration:
        """What was learned so far."""
        items = {item: rating.value for item, rating in sorted(self._items.items())}
        return Calibration(
            version=version,
            items=items,
            skills={skill: rating.value for skill, rating in sorted(self._skills.items())},
            medians={skill: median(items[i] for i in found) for skill, found in sorted(self._items_of.items())},
        )


def fit(attempts: Iterable[Evidence], version: int) -> Calibration:
    """The calibration of attempts that come in (timestamp, statement id) order."""
    fitted = Fit()
    for evidence in attempts:
        fitted.add(evidence)
    return fitted.calibration(version)
