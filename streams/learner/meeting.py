"""A student meets an item: what the calibration and the state say of it, and the chance that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.learner.calibration import Calibration, KnownItem
from streams.learner.elo import sigmoid
from streams.learner.model import NO_SKILL, hashed, situation
from streams.learner.state import PACE, PACED, SKILL_PART, STUDENT_PART, Attempt, LearnerState, SkillState

FAR_QUICKER = 1.6094379124341003
"""log 5: an answer is in haste when it took less than a fifth of what the student and the item usually take."""
PACES_NEEDED = 5.0
"""Answers with durations that tell a student's usual one."""


class Met(NamedTuple):
    """An answer to come.

    Attributes:
        own: states of the item's skills, NO_SKILL for those never tried.
        item: what is known of the item.
        skills: sum of the hashes of its skills, 32 bits.
        expected: logit by Elo alone.
        told: mean logit of its skills.
        values, places: see streams.learner.model.Situation.
    """

    own: list[SkillState]
    item: KnownItem
    skills: int
    expected: float
    told: float
    values: tuple[float, ...]
    places: tuple[int, int, int, int, int]


def meet(state: LearnerState, item_name: str, names: Sequence[str], at: int, calibration: Calibration) -> Met:
    """An item with these skills at a moment (µs); the state is not changed."""
    known = 1
    item = calibration.known_items.get(item_name)
    if item is None:
        known = 0
        item = calibration.item(item_name)
    skills = 0
    rating = difficulty = told = 0.0
    own = []
    get, known_skills = state.skills.get, calibration.known_skills
    if names:
        known += 2
        for name in names:
            skill = get(name, NO_SKILL)
            own.append(skill)
            rating += skill.rating
            fitted = known_skills.get(name)
            if fitted is None:
                known &= 1
                skills += hashed(name)
            else:
                difficulty += fitted.difficulty
                told += fitted.logit
                skills += fitted.hash
        n = len(own)
        if n > 1:
            rating /= n
            difficulty /= n
            told /= n
            skills &= 0xFFFFFFFF
    values, places = situation(state, own, at, item.hash, skills, calibration.shift, known)
    return Met(own, item, skills, state.rating + rating - item.difficulty - difficulty, told, values, places)


def logit_of(state: LearnerState, met: Met, calibration: Calibration) -> float:
    """The logit of a right answer."""
    logistic = calibration.logistic
    part = 0.0
    own = met.own
    if own:
        for skill in own:
            part += skill.memory[SKILL_PART]
        if len(own) > 1:
            part /= len(own)
    logit = logistic.intercept + state.memory[STUDENT_PART] + part + met.item.logit + met.told
    a, b, c, d, e, f, g, h, i, j = met.values
    u, v, w, x, y, z, m, n, o, p = logistic.situation
    logit += a * u + b * v + c * w + d * x + e * y + f * z + g * m + h * n + i * o + j * p
    crosses = calibration.crosses
    for place in met.places:
        if place >= 0:
            logit += crosses[place]
    return logit


def predict(state: LearnerState, attempt: Attempt, calibration: Calibration) -> float:
    """Chance of success of an attempt, before it is learned from; its outcome and duration are not looked at."""
    met = meet(state, attempt.item, attempt.skills, attempt.timestamp, calibration)
    return sigmoid(logit_of(state, met, calibration))


def in_haste(state: LearnerState, pace: float, usual: float) -> bool:
    """Whether an answer of log1p(ms) ``pace`` was guessed in haste, the item usually taking ``usual`` (0: not known):
    far quicker than the student and the item (Wise and Kong 2005, response time effort)."""
    memory = state.memory
    return (
        usual > 0.0
        and memory[PACED] >= PACES_NEEDED
        and pace < memory[PACE] - FAR_QUICKER
        and pace < usual - FAR_QUICKER
    )
