"""The logit of a right answer: features of the student, of each skill and of the situation, and crosses in a table.

P(right) = σ(intercept + student part + mean of the skill parts + item + mean of the skills + situation + crosses). The
parts are sums of weight × value over the features named here; all are zero for a student, or a skill, of whom nothing
is known, so that a fresh state needs no calibration. They follow Gervet, Koedinger, Schneider and Mitchell 2020, "When
is deep learning the best approach to knowledge tracing?" (log counts) and Galyardt and Goldin 2015, "Move your lamp
post" (recency). Only + − × ÷, exp, log1p and whole numbers of 32 bits are used, always in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p
from typing import Final
from zlib import crc32

from streams.learner.state import (
    BALANCE,
    ITEM_PLACES,
    ITEMS,
    LAST_ITEM,
    LAST_RIGHT,
    LAST_SKILLS,
    LATEST,
    PATTERN,
    PLACE,
    SKILL_2,
    SKILL_5,
    SKILL_20,
    SKILL_ERROR,
    SKILL_LOSSES,
    SKILL_OWN,
    SKILL_WINS,
    STUDENT_2,
    STUDENT_5,
    STUDENT_20,
    STUDENT_ERROR,
    STUDENT_LOSSES,
    STUDENT_OWN,
    STUDENT_WINS,
    LearnerState,
    SkillState,
)

STUDENT_FEATURES: Final = (
    "student rating", "student right", "student wrong", "student recent 2", "student recent 5", "student recent 20",
    "student against expectation", "student attempts", "last answer",
)  # fmt: skip
SKILL_FEATURES: Final = (
    "skill rating", "skill right", "skill wrong", "skill recent 2", "skill recent 5", "skill recent 20",
    "skill against expectation", "skill practised", "skill attempts",
)  # fmt: skip
SITUATION_FEATURES: Final = (
    "answers since practice", "answers since practice x balance", "item right before", "item wrong before",
    "same skills again", "same skills again x last answer", "hours since practice", "hours since practice x balance",
    "practice over a week ago", "pause",
)  # fmt: skip
CROSSES: Final = (
    "skills together", "skills x last three", "item x last item", "skills x last skills", "item x ability",
)  # fmt: skip

HOUR_US: Final = 3_600_000_000
WEEK_US: Final = 168 * HOUR_US
NO_SKILL: Final = SkillState()
_32: Final = 0xFFFFFFFF


Situation = tuple[tuple[float, ...], tuple[int, int, int, int, int]]
"""What an answer meets: values in the order of SITUATION_FEATURES, places in the table in that of CROSSES (-1: an item
or skill that the calibration does not know has no place)."""


def hashed(name: str) -> int:
    """A name as a number of 32 bits, the same everywhere."""
    return crc32(name.encode())


def place(cross: int, one: int, other: int, shift: int) -> int:
    """Where a cross of two numbers stands in a table of 2**(32 − shift) places."""
    mixed = (one * 0x9E3779B1 + other * 0x85EBCA77 + cross * 0xC2B2AE3D) & _32
    mixed ^= mixed >> 15
    mixed = (mixed * 0x2C1B3C6D) & _32
    mixed ^= mixed >> 13
    return ((mixed * 0x297A2D39) & _32) >> shift


def student_values(state: LearnerState) -> tuple[float, ...]:
    """Values of STUDENT_FEATURES."""
    memory, seen = state.memory, state.attempts
    return (
        state.rating, log1p(memory[STUDENT_WINS]), log1p(memory[STUDENT_LOSSES]), memory[STUDENT_2],
        memory[STUDENT_5], memory[STUDENT_20], memory[STUDENT_ERROR], seen / (1.0 + seen), memory[LATEST],
    )  # fmt: skip


def skill_values(skill: SkillState) -> tuple[float, ...]:
    """Values of SKILL_FEATURES."""
    memory, seen = skill.memory, skill.attempts
    return (
        skill.rating, log1p(memory[SKILL_WINS]), log1p(memory[SKILL_LOSSES]), memory[SKILL_2], memory[SKILL_5],
        memory[SKILL_20], memory[SKILL_ERROR], 1.0 if seen else 0.0, seen / (1.0 + seen),
    )  # fmt: skip


def student_part(state: LearnerState, weights: tuple[float, ...]) -> float:
    """The student's part of a logit, with what the logistic's own error taught."""
    a, b, c, d, e, f, g, h, i = student_values(state)
    r, s, t, u, v, w, x, y, z = weights
    own = state.memory[STUDENT_OWN]
    return own + a * r + b * s + c * t + d * u + e * v + f * w + g * x + h * y + i * z


def skill_part(skill: SkillState, weights: tuple[float, ...]) -> float:
    """A skill's part of a logit, likewise."""
    a, b, c, d, e, f, g, h, i = skill_values(skill)
    r, s, t, u, v, w, x, y, z = weights
    return skill.memory[SKILL_OWN] + a * r + b * s + c * t + d * u + e * v + f * w + g * x + h * y + i * z


def situation(
    state: LearnerState, own: Sequence[SkillState], at: int, item: int, skills: int, shift: int, known: int
) -> Situation:
    """The situation of an answer to come.

    Args:
        state: the student's, before the answer.
        own: the skills of the item, NO_SKILL for those never tried.
        at: moment of the answer, µs; 0 and less: not told.
        item: hash of the item.
        skills: sum of the hashes of its skills, 32 bits.
        shift: of the table.
        known: 1 when the calibration knows the item, plus 2 when it knows all the skills.
    """
    memory = state.memory
    lag = lag_balance = hours = hours_balance = old = 0.0
    ability = 0.0
    pattern, fewest = 1, 1 << 62
    for skill in own:
        remembered, seen = skill.memory, skill.attempts
        ability += skill.rating
        if seen < fewest:
            fewest = seen
            pattern = int(remembered[PATTERN]) or 1
        if seen:
            balance = remembered[BALANCE]
            answers = log1p(state.attempts - remembered[PLACE])
            lag += answers
            lag_balance += answers * balance
            if at > skill.last_at > 0:
                gap = at - skill.last_at
                since = log1p(gap / HOUR_US)
                hours += since
                hours_balance += since * balance
                if gap > WEEK_US:
                    old += 1.0
    n = len(own)
    if n > 1:
        ability /= n
        lag /= n
        lag_balance /= n
        hours /= n
        hours_balance /= n
        old /= n
    before = ITEMS + 3 * (item % ITEM_PLACES)
    right = wrong = 0.0
    if memory[before] == item + 1:
        right, wrong = log1p(memory[before + 1]), log1p(memory[before + 2])
    last_skills = int(memory[LAST_SKILLS])
    same = 1.0 if n and state.attempts and last_skills == skills else 0.0
    last_at = state.last[0]
    pause = log1p((at - last_at) / HOUR_US) if at > last_at > 0 else 0.0
    values = (
        lag, lag_balance, right, wrong, same, same * memory[LATEST], hours, hours_balance, old, pause,
    )  # fmt: skip
    right_before = int(memory[LAST_RIGHT])
    if known & 1:
        level = int((state.rating + ability + 2.25) * 2.0) if state.rating + ability > -2.25 else 0
        by_item = place(3, item, int(memory[LAST_ITEM]) * 2 + right_before, shift)
        by_ability = place(5, item, level if level < 8 else 8, shift)
    else:
        by_item = by_ability = -1
    if known & 2:
        together = place(1, skills, 0, shift)
        by_pattern = place(2, skills, pattern, shift)
        by_skills = place(4, skills, last_skills * 2 + right_before, shift)
    else:
        together = by_pattern = by_skills = -1
    return values, (together, by_pattern, by_item, by_skills, by_ability)
