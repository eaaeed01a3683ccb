"""A student's skill states as the fold of the attempts in (timestamp, statement id) order, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable

from streams.learner.calibration import Calibration
from streams.learner.elo import mean, sigmoid
from streams.learner.explaining import band
from streams.learner.state import BEFORE_ALL, HELD, INFORMATION, Attempt, Key, LearnerState, SkillState
from streams.learner.words import settle

__all__ = ["BEFORE_ALL", "Attempt", "Key", "LearnerState", "SkillState", "extend", "fold"]

_RECENT_SHARE = 1.0 - 0.5 ** (1.0 / 5.0)
"""Weight of the newest outcome in an average with a half-life of five attempts."""


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
    for timestamp, statement_id, item, names, outcome, _ in attempts:
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
        chance = sigmoid(logit)
        error = outcome - chance
        information = chance * (1.0 - chance)
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
            skill.memory[INFORMATION] += information
            skill.mastery, skill.low, skill.high = band(
                state.rating + skill.rating - median_difficulty(name), skill.memory[INFORMATION]
            )
            skill.memory[HELD] = settle(skill.memory[HELD] if seen else None, skill.low, skill.high)
        touched.update(names)
    return touched


def fold(attempts: Iterable[Attempt], calibration: Calibration) -> LearnerState:
    """State of a set of attempts, which may come in any order and hold repetitions of a key."""
    unique = {attempt.key: attempt for attempt in attempts}
    state = LearnerState()
    extend(state, [unique[key] for key in sorted(unique)], calibration)
    return state
