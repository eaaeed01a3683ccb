"""Skill states as a fold, and the calibration under which they are folded."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.learner.calibration import Calibration
from streams.learner.elo import mean, sigmoid
from streams.learner.fold import Attempt, LearnerState, extend, fold

NOTHING = Calibration()


def an_attempt(moment: int, outcome: float, skills: list[str] | None = None, item: str = "i") -> Attempt:
    return Attempt(moment, f"s{moment}", item, ["a"] if skills is None else skills, outcome)


attempts = st.lists(
    st.builds(
        Attempt,
        st.integers(0, 9),
        st.sampled_from("pqrs"),
        st.sampled_from(["i", "j"]),
        st.sampled_from([[], ["a"], ["a", "b"], ["c"]]),
        st.sampled_from([0.0, 0.3, 1.0]),
    ),
    max_size=20,
    unique_by=lambda attempt: attempt.key,
)


def as_values(state: LearnerState) -> object:
    skills = {name: skill.values() for name, skill in state.skills.items()}
    return state.rating, state.attempts, state.last, skills


@given(attempts, st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_state(found: list[Attempt], rng: random.Random) -> None:
    shuffled = [*found, *found[:3]]
    rng.shuffle(shuffled)
    assert as_values(fold(shuffled, NOTHING)) == as_values(fold(found, NOTHING))


@given(attempts, st.integers(0, 20))
def test_extending_is_folding_all(found: list[Attempt], cut: int) -> None:
    ordered = sorted(found, key=lambda attempt: attempt.key)
    state = fold(ordered[:cut], NOTHING)
    extend(state, ordered[cut:], NOTHING)
    assert as_values(state) == as_values(fold(found, NOTHING))


def test_right_answers_raise_the_rating_and_wrong_ones_lower_it() -> None:
    up = fold([an_attempt(n, 1.0) for n in range(5)], NOTHING).skills["a"]
    down = fold([an_attempt(n, 0.0) for n in range(5)], NOTHING).skills["a"]
    assert up.mastery > 0.6 > 0.4 > down.mastery
    assert (up.attempts, up.successes, up.first_at, up.last_at) == (5, 5.0, 0, 4)


def test_recent_outcomes_halve_their_weight_in_five_attempts() -> None:
    skill = fold([an_attempt(0, 1.0), *(an_attempt(n, 0.0) for n in range(1, 6))], NOTHING).skills["a"]
    assert skill.recent == pytest.approx(0.5)


def test_an_attempt_without_skills_moves_the_student_alone() -> None:
    state = fold([an_attempt(0, 1.0, skills=[])], NOTHING)
    assert state.rating > 0
    assert not state.skills


def test_a_right_answer_on_a_hard_item_teaches_more() -> None:
    hard = Calibration(1, items={"i": 2.0})
    assert fold([an_attempt(0, 1.0)], hard).rating > fold([an_attempt(0, 1.0)], NOTHING).rating


def test_mastery_is_the_chance_on_an_item_of_median_difficulty() -> None:
    known = Calibration(1, skills={"a": 0.5}, medians={"a": 1.0})
    state = fold([an_attempt(0, 1.0)], known)
    assert state.skills["a"].mastery == pytest.approx(sigmoid(state.rating + state.skills["a"].rating - 1.5))


def test_means_are_added_up_from_left_to_right_on_every_python() -> None:
    assert mean([1e16, 1.0, -1e16]) == 0.0


@pytest.mark.parametrize("logit", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_chances_of_extreme_logits_do_not_overflow(logit: float) -> None:
    assert 0.0 <= sigmoid(logit) <= 1.0
    assert sigmoid(logit) + sigmoid(-logit) == pytest.approx(1.0)
