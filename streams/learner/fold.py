"""A student's skill states as the fold of the attempts in (timestamp, statement id) order, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable
from math import log1p
from typing import Final

from infra.runtime.compiled import compiled
from streams.learner.calibration import Calibration
from streams.learner.elo import sigmoid
from streams.learner.explaining import band
from streams.learner.meeting import Met, in_haste, logit_of, meet
from streams.learner.model import NO_SKILL, skill_part, student_part
from streams.learner.state import (
    BALANCE,
    BASE,
    BEFORE_ALL,
    HELD,
    INFORMATION,
    ITEM_PLACES,
    ITEMS,
    LAST_ITEM,
    LAST_RIGHT,
    LAST_SKILLS,
    LATEST,
    PACE,
    PACED,
    PATTERN,
    PLACE,
    RAPID,
    SKILL_2,
    SKILL_5,
    SKILL_20,
    SKILL_ERROR,
    SKILL_LOSSES,
    SKILL_OWN,
    SKILL_PART,
    SKILL_WINS,
    STUDENT_2,
    STUDENT_5,
    STUDENT_20,
    STUDENT_ERROR,
    STUDENT_LOSSES,
    STUDENT_OWN,
    STUDENT_PART,
    STUDENT_WINS,
    Attempt,
    Key,
    LearnerState,
    SkillState,
)
from streams.learner.words import settle

__all__ = ["BEFORE_ALL", "Attempt", "Key", "LearnerState", "SkillState", "extend", "fold", "learn"]

SHARE_2: Final = 1.0 - 0.5 ** (1.0 / 2.0)
SHARE_5: Final = 1.0 - 0.5 ** (1.0 / 5.0)
SHARE_20: Final = 1.0 - 0.5 ** (1.0 / 20.0)
"""Weights of the newest outcome in averages with half-lives of 2, 5 and 20 attempts."""
HASTE: Final = 0.3
"""What an answer in haste counts."""


def extend(state: LearnerState, attempts: Iterable[Attempt], calibration: Calibration) -> set[str]:
    """Fold further attempts in, in place; returns the skills that changed.

    The attempts are sorted and all after ``state.last``: then extending is the same as folding all from the start,
    operation by operation.
    """
    if extension is not None:
        attempts = list(attempts)
        touched: set[str] | None = extension.extend(state, attempts, calibration)
        if touched is not None:
            return touched
    return in_python(state, attempts, calibration)


def in_python(state: LearnerState, attempts: Iterable[Attempt], calibration: Calibration) -> set[str]:
    """The same, without the extension; what is unusual is done here."""
    touched: set[str] = set()
    logistic = calibration.logistic
    level, intercept = calibration.level, logistic.intercept
    for attempt in attempts:
        timestamp, _, item, names, outcome, _ = attempt
        met = meet(state, item, names, timestamp, calibration)
        chance = sigmoid(logit_of(state, met, calibration))
        own = learn(state, met, attempt, outcome - chance, calibration)
        memory = state.memory
        standing = memory[STUDENT_PART] = student_part(state, logistic.student)
        standing += intercept
        information = chance * (1.0 - chance)
        for name, skill in zip(names, own, strict=True):
            memory = skill.memory
            memory[INFORMATION] += information
            part = memory[SKILL_PART] = skill_part(skill, logistic.skill)
            skill.mastery, skill.low, skill.high = band(standing + part + level(name), memory[INFORMATION])
            memory[HELD] = settle(memory[HELD] if skill.attempts > 1 else None, skill.low, skill.high)
        touched.update(names)
    return touched


def learn(state: LearnerState, met: Met, attempt: Attempt, error: float, calibration: Calibration) -> list[SkillState]:
    """Move ratings, counts and averages by an attempt, ``error`` being that of the logistic; the states of its skills.

    What follows from the weights, the parts of the logit and mastery, is left to the caller.
    """
    timestamp, statement_id, _, names, outcome, duration_ms = attempt
    memory, seen = state.memory, state.attempts
    weight = 1.0
    if duration_ms >= 0:
        pace, paced = log1p(duration_ms), memory[PACED]
        if in_haste(state, pace, met.item.pace):
            weight = HASTE
            memory[RAPID] += 1.0
        else:
            memory[PACE] += (pace - memory[PACE]) / (1.0 + (paced if paced < 100.0 else 100.0))
            memory[PACED] = paced + 1.0
    surprise = weight * (outcome - sigmoid(met.expected))
    error *= weight
    share_2, share_5, share_20 = weight * SHARE_2, weight * SHARE_5, weight * SHARE_20
    about = outcome - BASE
    right, wrong = weight * outcome, weight * (1.0 - outcome)
    logistic = calibration.logistic
    first, slowing = calibration.student_skill
    own_first, own_slowing = logistic.own_skill
    bit = 1 if outcome > 0.5 else 0
    own = []
    for name, skill in zip(names, met.own, strict=True):
        if skill is NO_SKILL:
            # An item may name a skill twice.
            skill = state.skills.setdefault(name, SkillState())
        own.append(skill)
        of_skill, tried = skill.memory, skill.attempts
        skill.rating += first / (1.0 + slowing * tried) * surprise
        if tried:
            skill.recent += SHARE_5 * (outcome - skill.recent)
        else:
            skill.recent = outcome
            skill.first_at = timestamp
        skill.attempts = tried + 1
        skill.successes += outcome
        skill.last_at = timestamp
        wins = of_skill[SKILL_WINS] = of_skill[SKILL_WINS] + right
        losses = of_skill[SKILL_LOSSES] = of_skill[SKILL_LOSSES] + wrong
        of_skill[BALANCE] = log1p(wins) - log1p(losses)
        of_skill[SKILL_2] += share_2 * (about - of_skill[SKILL_2])
        of_skill[SKILL_5] += share_5 * (about - of_skill[SKILL_5])
        of_skill[SKILL_20] += share_20 * (about - of_skill[SKILL_20])
        of_skill[SKILL_ERROR] += share_5 * (surprise - of_skill[SKILL_ERROR])
        of_skill[SKILL_OWN] += own_first / (1.0 + own_slowing * tried) * error
        of_skill[PLACE] = seen + 1.0
        pattern = (int(of_skill[PATTERN]) or 1) * 2 + bit
        of_skill[PATTERN] = float(pattern if pattern < 16 else (pattern & 7) | 8)
    first, slowing = calibration.student
    own_first, own_slowing = logistic.own_student
    state.rating += first / (1.0 + slowing * seen) * surprise
    state.attempts = seen + 1
    state.last = (timestamp, statement_id)
    memory[STUDENT_WINS] += right
    memory[STUDENT_LOSSES] += wrong
    memory[STUDENT_2] += share_2 * (about - memory[STUDENT_2])
    memory[STUDENT_5] += share_5 * (about - memory[STUDENT_5])
    memory[STUDENT_20] += share_20 * (about - memory[STUDENT_20])
    memory[STUDENT_ERROR] += share_5 * (surprise - memory[STUDENT_ERROR])
    memory[STUDENT_OWN] += own_first / (1.0 + own_slowing * seen) * error
    memory[LATEST] = about
    item = met.item.hash
    memory[LAST_ITEM], memory[LAST_SKILLS], memory[LAST_RIGHT] = float(item), float(met.skills), float(bit)
    place = ITEMS + 3 * (item % ITEM_PLACES)
    if memory[place] != item + 1:
        memory[place], memory[place + 1], memory[place + 2] = item + 1.0, 0.0, 0.0
    memory[place + 1] += right
    memory[place + 2] += wrong
    return own


def fold(attempts: Iterable[Attempt], calibration: Calibration) -> LearnerState:
    """State of a set of attempts, which may come in any order and hold repetitions of a key."""
    unique = {attempt.key: attempt for attempt in attempts}
    state = LearnerState()
    extend(state, [unique[key] for key in sorted(unique)], calibration)
    return state


extension = compiled("streams.learner._fold")
"""Does the same in a tenth of the time; see streams/learner/_fold.c."""
if extension is not None:
    extension.configure(LearnerState, SkillState, SHARE_2, SHARE_5, SHARE_20)
