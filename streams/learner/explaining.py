"""Why a chance is what it is: terms that add up to its logit; and mastery as people see it."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from streams.learner.calibration import Calibration
from streams.learner.elo import mean, sigmoid
from streams.learner.state import INFORMATION, Attempt, LearnerState, SkillState

PRIOR_VARIANCE: Final = 1.0
"""Variance of a skill's rating of which nothing is known, logits²."""
BAND: Final = 1.645
"""Standard deviations on either side of a 90 % interval."""
DAY_US: Final = 86_400_000_000


class Term(NamedTuple):
    """One part of a logit: contribution = weight · value."""

    name: str
    value: float
    weight: float
    contribution: float


class Mastery(NamedTuple):
    """Chance of success on an item of median difficulty of a skill, and its 90 % interval."""

    chance: float
    low: float
    high: float


def explain(state: LearnerState, attempt: Attempt, calibration: Calibration) -> list[Term]:
    """Terms of the logit of an attempt that is still to come, from left to right: their contributions add up to it."""
    own = [state.skills.get(name) for name in attempt.skills]
    terms = [Term("student", state.rating, 1.0, state.rating)]
    if own:
        rating = mean([0.0 if skill is None else skill.rating for skill in own])
        terms.append(Term("skill", rating, 1.0, rating))
    difficulty = calibration.difficulty(attempt.item, attempt.skills)
    terms.append(Term("difficulty", difficulty, -1.0, -difficulty))
    return terms


def predict(state: LearnerState, attempt: Attempt, calibration: Calibration) -> float:
    """Chance of success of an attempt, before it is learned from; its outcome and duration are not looked at."""
    logit = 0.0
    for term in explain(state, attempt, calibration):
        logit += term.contribution
    return sigmoid(logit)


def mastery(state: LearnerState, skill: str, now_us: int, calibration: Calibration) -> Mastery:
    """Mastery of a skill at a moment, decayed by the time since it was practised; of one never tried, the prior."""
    known = state.skills.get(skill) or SkillState()
    logit = state.rating + known.rating - calibration.median_difficulty(skill)
    days = (now_us - known.last_at) / DAY_US if known.attempts and now_us > known.last_at else 0.0
    return band(logit - calibration.forgetting * math.log1p(days), known.memory[INFORMATION])


def band(logit: float, information: float) -> Mastery:
    """The interval that the information of the answers leaves open."""
    wide = BAND / math.sqrt(1.0 / PRIOR_VARIANCE + information)
    return Mastery(sigmoid(logit), sigmoid(logit - wide), sigmoid(logit + wide))
