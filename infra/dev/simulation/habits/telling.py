"""What all habits share: the form of a statement, times, and whether an answer is right."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple

from infra.dev.simulation.chance import chance, sigmoid, uuid4_of
from infra.dev.simulation.content import Provider
from infra.dev.simulation.people import Student
from infra.dev.simulation.skills import ENGLISH, MATH, Skill, taught

ADL: Final = "http://adlnet.gov/expapi/verbs/"
SECOND: Final = 1_000_000
"""µs."""
_KNACK: Final = 0.5


class Told(NamedTuple):
    """One statement of a provider: when it happened (µs since the epoch), the provider, and the statement."""

    at: int
    provider: Provider
    statement: dict[str, Any]


def tell(
    rng: Random,
    provider: Provider,
    student: Student,
    at: int,
    verb: str,
    activity: dict[str, Any],
    **parts: dict[str, Any],
) -> Told:
    """A statement of ``provider`` about ``student``: ``parts`` are result and context, an empty one is left out."""
    statement: dict[str, Any] = {
        "id": uuid4_of(rng),
        "actor": student.actors[provider.provider_id],
        "verb": {"id": verb, "display": {"en-US": verb.rpartition("/")[2]}},
        "object": activity,
    }
    statement |= {name: part for name, part in parts.items() if part}
    statement["timestamp"] = instant(at)
    return Told(at, provider, statement)


def instant(at: int) -> str:
    """A time (µs since the epoch) to the millisecond, as in ISO 8601."""
    return datetime.fromtimestamp(at // 1000 / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def seconds(duration: float) -> str:
    """A duration (s) in ISO 8601, to 0.01 s (xAPI 1.0.3 part 2, 4.6)."""
    return f"PT{duration:.2f}S"


@lru_cache(maxsize=64)
def _taught(subject: str, grade: int) -> list[Skill]:
    return taught(subject, grade)


def skill_for(rng: Random, student: Student, day: int, term_days: int) -> Skill:
    """The skill a student works on: mostly what the class is at, sometimes what came before."""
    skills = _taught(MATH if rng.random() < 0.55 else ENGLISH, student.grade)
    reached = day * len(skills) // max(1, term_days) % len(skills)
    return skills[reached if rng.random() < 0.6 else int(rng.random() * (reached + 1))]


@lru_cache(maxsize=400_000)
def knack(student_id: str, skill_id: str) -> float:
    """What a student is better (or worse) at in one skill than at all else, logits."""
    return chance(student_id, skill_id).gauss(0.0, _KNACK)


def ability_in(student: Student, skill: Skill, day: int) -> float:
    """True ability of a student in a skill, against an item of difficulty 0, logits: hidden from the platform."""
    return student.traits.ability_on(day) + knack(student.student_id, skill.code)


def chance_of_success(student: Student, skill: Skill, day: int, harder: float = 0.0) -> float:
    """Probability of a right answer on an item that is ``harder`` (logits) than its skill's median."""
    return sigmoid(ability_in(student, skill, day) - skill.difficulty - harder)
