"""Why a chance is what it is: terms that add up to its logit; and mastery as people see it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from streams.learner.calibration import Calibration
from streams.learner.elo import sigmoid
from streams.learner.meeting import in_haste, meet, predict
from streams.learner.model import (
    CROSSES,
    HOUR_US,
    SITUATION_FEATURES,
    SKILL_FEATURES,
    STUDENT_FEATURES,
    WEEK_US,
    skill_values,
    student_values,
)
from streams.learner.state import (
    BALANCE,
    INFORMATION,
    SKILL_OWN,
    SKILL_PART,
    STUDENT_OWN,
    STUDENT_PART,
    Attempt,
    LearnerState,
    SkillState,
)

__all__ = ["Mastery", "Term", "band", "explain", "mastery", "predict", "rapid"]

PRIOR_VARIANCE: Final = 1.0
"""Variance of a skill's rating of which nothing is known, logits²."""
BAND: Final = 1.645
"""Standard deviations on either side of a 90 % interval."""


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
    """Terms of the logit of an attempt that is still to come: their contributions add up to it, but for rounding.

    Names are those of the features of streams.learner.model, with "level" (the intercept), "item", "skills" (mean of
    the item's skills), "student's own" and "skill's own" (what the logistic's error taught), and the crosses. Terms
    that weigh nothing in this calibration are left out.
    """
    logistic = calibration.logistic
    met = meet(state, attempt.item, attempt.skills, attempt.timestamp, calibration)
    terms = [
        Term("level", 1.0, logistic.intercept, logistic.intercept),
        Term("item", 1.0, met.item.logit, met.item.logit),
        Term("skills", 1.0, met.told, met.told),
    ]
    terms += _terms(STUDENT_FEATURES, student_values(state), logistic.student)
    terms.append(_own("student's own", state.memory[STUDENT_OWN]))
    if met.own:
        each = [skill_values(skill) for skill in met.own]
        terms += _terms(SKILL_FEATURES, [math.fsum(v) / len(each) for v in zip(*each, strict=True)], logistic.skill)
        terms.append(_own("skill's own", math.fsum(s.memory[SKILL_OWN] for s in met.own) / len(each)))
    terms += _terms(SITUATION_FEATURES, met.values, logistic.situation)
    for name, place in zip(CROSSES, met.places, strict=True):
        if place >= 0:
            terms.append(_own(name, calibration.crosses[place]))
    return [term for term in terms if term.weight]


def _own(name: str, value: float) -> Term:
    return Term(name, 1.0, value, value)


def _terms(names: Sequence[str], values: Sequence[float], weights: Sequence[float]) -> Iterator[Term]:
    for name, value, weight in zip(names, values, weights, strict=True):
        yield Term(name, value, weight, value * weight)


def rapid(state: LearnerState, attempt: Attempt, calibration: Calibration) -> bool:
    """Whether an attempt was answered in haste, told by the state before it and its item's usual duration."""
    pace = calibration.item(attempt.item).pace
    return attempt.duration_ms >= 0 and in_haste(state, math.log1p(attempt.duration_ms), pace)


def mastery(state: LearnerState, skill: str, now_us: int, calibration: Calibration) -> Mastery:
    """Mastery of a skill at a moment, crosses off, decayed by the time since it was practised; of one never tried, what
    the student's other answers and the skill's difficulty say."""
    known = state.skills.get(skill) or SkillState()
    logistic = calibration.logistic
    logit = logistic.intercept + state.memory[STUDENT_PART] + known.memory[SKILL_PART] + calibration.level(skill)
    if known.attempts and now_us > known.last_at > 0:
        gap = now_us - known.last_at
        since = math.log1p(gap / HOUR_US)
        by_name = dict(zip(SITUATION_FEATURES, logistic.situation, strict=True))
        faded = by_name["hours since practice"] * since
        faded += by_name["hours since practice x balance"] * since * known.memory[BALANCE]
        if gap > WEEK_US:
            faded += by_name["practice over a week ago"]
        # Who comes back late may be better for other reasons: time alone teaches nobody.
        logit += min(0.0, faded)
    return band(logit, known.memory[INFORMATION])


def band(logit: float, information: float) -> Mastery:
    """The interval that the information of the answers leaves open."""
    wide = BAND / math.sqrt(1.0 / PRIOR_VARIANCE + information)
    return Mastery(sigmoid(logit), sigmoid(logit - wide), sigmoid(logit + wide))
