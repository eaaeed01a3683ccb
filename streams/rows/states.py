"""Rows of skill_states and student_states: what a state is, and up to where and under what it was folded."""

from __future__ import annotations

from typing import NamedTuple

from streams.learner.state import LearnerState, SkillState
from streams.rows.arrival import NO_UUID
from streams.rows.tables import Row


class Stamp(NamedTuple):
    """What a row says of itself; see the tables."""

    calibration: int
    activation: int
    generation: int
    partition: int
    watermark: int


def skill_row(student_id: str, skill: str, state: SkillState, stamp: Stamp) -> Row:
    """Row of skill_states. The state lives on, and its memory with it: the row has one of its own."""
    return (student_id, skill, *state.values(), state.low, state.high, state.memory[:], *stamp)


def student_row(student_id: str, learner: LearnerState, stamp: Stamp) -> Row:
    """Row of student_states, likewise."""
    return (student_id, learner.rating, learner.attempts, *learner.last, learner.memory[:], *stamp)


def no_skill_row(student_id: str, skill: str, stamp: Stamp) -> Row:
    """Row of a skill of which nothing is left: readers with FINAL do not see it."""
    return (student_id, skill, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0, 1.0, [], *stamp, 1)


def no_student_row(student_id: str, stamp: Stamp) -> Row:
    """Row of a student of whom nothing is left."""
    return (student_id, 0.0, 0, 0, NO_UUID, [], *stamp, 1)
