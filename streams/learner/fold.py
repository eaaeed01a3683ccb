"""A student's skill states as the fold of the attempts in (timestamp, statement id) order, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.learner.calibration import Calibration
from streams.learner.elo import mean, sigmoid

_RECENT_SHARE = 1.0 - 0.5 ** (1.0 / 5.0)
"""Weight of the newest outcome in an average with a half-life of five attempts."""

Key = tuple[int, str]
"""Place of an attempt in the order of the fold: timestamp (µs), statement id."""
BEFORE_ALL: Key = (-(2**63), "")


class Attempt(NamedTuple):
    """Evidence of skill, in the order of the fold when sorted (keys are unique within a student)."""

    timestamp: int
    statement_id: str
    item: str
    skills: list[str]
    outcome: float

    @property
    def key(self) -> Key:
        """Its place in the order of the fold."""
        return self.timestamp, self.statement_id


class SkillState:
    """What a student is taken to know of one skill; see the table skill_states."""

    __slots__ = ("attempts", "first_at", "last_at", "mastery", "rating", "recent", "successes")

    def __init__(
        self,
        attempts: int = 0,
        successes: float = 0.0,
        rating: float = 0.0,
        mastery: float = 0.0,
        recent: float = 0.0,
        first_at: int = 0,
        last_at: int = 0,
    ) -> None:
        self.attempts = attempts
        self.successes = successes
        self.rating = rating
        self.mastery = mastery
        self.recent = recent
        self.first_at = first_at
        self.last_at = last_at

    def values(self) -> tuple[int, float, float, float, float, int, int]:
        """All fields, in the order of the constructor."""
        return self.attempts, self.successes, self.rating, self.mastery, self.recent, self.first_at, self.last_at


class LearnerState:
    """All skills of a student, and what they share; ``last`` is the key of the last attempt folded in."""

    __slots__ = ("attempts", "last", "rating", "skills")

    def __init__(self, rating: float = 0.0, attempts: int = 0, last: Key = BEFORE_ALL) -> None:
        self.rating = rating
        self.attempts = attempts
        self.last = last
        self.skills: dict[str, SkillState] = {}


def extend(state: LearnerState, attempts: Iterable[Attempt], calibration: Calibration) -> set[str]:
    """Fold further attempts in, in place; returns the skills that changed.

    The attempts are sorted and all after ``state.last``: then extending is the same as folding all from the start,
    operation by operation.
    """
    touched: set[str] = set()
    first, slowing = calibration.student
    skill_first, skill_slowing = calibration.student_skill
    difficulty, median_difficulty = calibration.difficulty, calibration.median_difficulty
    skills = state.skills
    for timestamp, statement_id, item, names, outcome in attempts:
        own = []
        for name in names:
            skill = skills.get(name)
            if skill is None:
                skill = skills[name] = SkillState()
            own.append(skill)
        logit = state.rating - difficulty(item, names)
        if own:
            # With one skill its rating is the mean: so it is with nearly all items.
            logit += own[0].rating if len(own) == 1 else mean([skill.rating for skill in own])
        error = outcome - sigmoid(logit)
        # Step.k, written out: it is done for each attempt.
        state.rating += first / (1.0 + slowing * state.attempts) * error
        state.attempts += 1
        state.last = (timestamp, statement_id)
        for name, skill in zip(names, own, strict=True):
            seen = skill.attempts
            skill.rating += skill_first / (1.0 + skill_slowing * seen) * error
            if seen:
                skill.recent += _RECENT_SHARE * (outcome - skill.recent)
            else:
                skill.recent = outcome
                skill.first_at = timestamp
            skill.attempts = seen + 1
            skill.successes += outcome
            skill.last_at = timestamp
            skill.mastery = sigmoid(state.rating + skill.rating - median_difficulty(name))
        touched.update(names)
    return touched


def fold(attempts: Iterable[Attempt], calibration: Calibration) -> LearnerState:
    """State of a set of attempts, which may come in any order and hold repetitions of a key."""
    unique = {attempt.key: attempt for attempt in attempts}
    state = LearnerState()
    extend(state, [unique[key] for key in sorted(unique)], calibration)
    return state
