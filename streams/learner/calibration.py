"""What is fitted apart from the stream and frozen in it: difficulties, weights, crosses and usual durations."""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from streams.learner.elo import Step
from streams.learner.model import SITUATION_FEATURES, SKILL_FEATURES, STUDENT_FEATURES, hashed

STUDENT = Step(0.3, 0.02)
STUDENT_SKILL = Step(0.5, 0.1)
OWN_STUDENT = Step(0.2, 0.05)
OWN_SKILL = Step(0.2, 0.1)
NO_OWN = Step(0.0, 0.0)


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The logistic (streams.learner.model).

    ``student``, ``skill``, ``situation``: in the order of their features. ``own_student``, ``own_skill``: how fast the
    student's own intercepts follow the logistic's error. ``items``, ``skills``: their logits. ``levels``: logit of an
    item of median difficulty of each skill. ``bits``: the table of crosses has 2**bits places.
    """

    intercept: float
    student: tuple[float, ...]
    skill: tuple[float, ...]
    situation: tuple[float, ...]
    own_student: Step
    own_skill: Step
    items: dict[str, float]
    skills: dict[str, float]
    levels: dict[str, float]
    bits: int
    crosses: str


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored form of a calibration (JSON). One without weights is of the first form: Elo alone."""

    student: Step
    student_skill: Step
    items: dict[str, float]
    skills: dict[str, float]
    medians: dict[str, float]
    durations: dict[str, float] = {}
    weights: Weights | None = None


class KnownItem(NamedTuple):
    """An item as the fold meets it: Elo difficulty, its logit, its hash, mean log1p(ms) of an answer (0: not known)."""

    difficulty: float
    logit: float
    hash: int
    pace: float


class KnownSkill(NamedTuple):
    """A skill as the fold meets it: Elo difficulty, its logit, its hash, logit of its item of median difficulty."""

    difficulty: float
    logit: float
    hash: int
    level: float


FORGETTING: Final = -0.05
"""Logits by log1p(hours since practice), as long as no data with times have told better: a fifth of one in a week."""


def _alone(features: Sequence[str], name: str, weight: float) -> tuple[float, ...]:
    return tuple(weight if feature == name else 0.0 for feature in features)


@dataclass(frozen=True)
class Calibration:
    """One version of the frozen parameters. Version 0 is the prior: nothing is known, every difficulty is 0.

    Without weights the logit is that of Elo: rating of the student and of the skills, less the difficulties.
    ``items``, ``skills``: Elo difficulties, logits; ``medians``: of the items of a skill; ``durations``: mean log1p(ms)
    of the answers to an item.
    """

    version: int = 0
    student: Step = STUDENT
    student_skill: Step = STUDENT_SKILL
    items: dict[str, float] = field(default_factory=dict)
    skills: dict[str, float] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    weights: Weights | None = None

    def __post_init__(self) -> None:
        """Tables for the fold; they follow from the fields."""
        weights = self.weights
        if weights is None:
            weights = Weights(
                0.0, _alone(STUDENT_FEATURES, "student rating", 1.0), _alone(SKILL_FEATURES, "skill rating", 1.0),
                _alone(SITUATION_FEATURES, "hours since practice", FORGETTING), NO_OWN, NO_OWN,
                {name: -value for name, value in self.items.items()},
                {name: -value for name, value in self.skills.items()},
                {
                    name: -(self.medians.get(name, 0.0) + self.skills.get(name, 0.0))
                    for name in self.medians.keys() | self.skills.keys()
                },
                0, "",
            )  # fmt: skip
        known_items = {
            name: KnownItem(
                self.items.get(name, 0.0), weights.items.get(name, 0.0), hashed(name), self.durations.get(name, 0.0)
            )
            for name in self.items.keys() | weights.items.keys() | self.durations.keys()
        }
        known_skills = {
            name: KnownSkill(
                self.skills.get(name, 0.0), weights.skills.get(name, 0.0), hashed(name), weights.levels.get(name, 0.0)
            )
            for name in self.skills.keys() | weights.skills.keys() | weights.levels.keys()
        }
        object.__setattr__(self, "logistic", weights)
        object.__setattr__(self, "known_items", known_items)
        object.__setattr__(self, "known_skills", known_skills)
        object.__setattr__(self, "crosses", unpacked(weights.crosses, weights.bits))
        object.__setattr__(self, "shift", 32 - weights.bits)

    logistic: Weights = field(init=False, repr=False, compare=False)
    known_items: dict[str, KnownItem] = field(init=False, repr=False, compare=False)
    known_skills: dict[str, KnownSkill] = field(init=False, repr=False, compare=False)
    crosses: array[float] = field(init=False, repr=False, compare=False)
    shift: int = field(init=False, repr=False, compare=False)

    def item(self, name: str) -> KnownItem:
        """An item; one never seen is of middling difficulty."""
        return self.known_items.get(name) or KnownItem(0.0, 0.0, hashed(name), 0.0)

    def skill(self, name: str) -> KnownSkill:
        """A skill; one never seen is of middling difficulty."""
        return self.known_skills.get(name) or KnownSkill(0.0, 0.0, hashed(name), 0.0)

    def level(self, name: str) -> float:
        """Logit of an item of median difficulty of a skill; of a skill never seen, 0."""
        known = self.known_skills.get(name)
        return 0.0 if known is None else known.level

    def dumps(self) -> str:
        """Its stored form."""
        return msgspec.json.encode(
            Parameters(
                self.student, self.student_skill, self.items, self.skills, self.medians, self.durations, self.weights
            )
        ).decode()


def loads(version: int, parameters: str) -> Calibration:
    """A calibration of its stored form, also of the first form; raises msgspec.DecodeError, or ValueError for weights
    of another model."""
    found = msgspec.json.decode(parameters, type=Parameters)
    weights = found.weights
    if weights is not None:
        for name, given, wanted in (
            ("student", weights.student, STUDENT_FEATURES),
            ("skill", weights.skill, SKILL_FEATURES),
            ("situation", weights.situation, SITUATION_FEATURES),
        ):
            if len(given) != len(wanted):
                raise ValueError(
                    f"calibration {version} has {len(given)} {name} weights, this release takes {len(wanted)}:"
                    " fit a new one with 'roundtrip calibrate'"
                )
    return Calibration(
        version, found.student, found.student_skill, found.items, found.skills, found.medians, found.durations, weights
    )


def packed(table: Sequence[float]) -> str:
    """A table of crosses as text: numbers of 32 bits, little-endian, deflated, in base 64."""
    numbers = array("f", table)
    return base64.b64encode(zlib.compress(_little(numbers).tobytes(), 6)).decode()


def unpacked(text: str, bits: int) -> array[float]:
    """The table of 2**bits places; ValueError when the text holds another number of them."""
    if not text:
        return array("d", bytes(8 << bits))
    numbers = array("f", zlib.decompress(base64.b64decode(text)))
    if len(numbers) != 1 << bits:
        raise ValueError(f"the table of crosses has {len(numbers)} places, not {1 << bits}")
    return array("d", _little(numbers))


def _little(numbers: array[float]) -> array[float]:
    if memoryview(b"\1\0").cast("H")[0] != 1:
        numbers.byteswap()
    return numbers
