"""Whatever a student answered: the state is the fold of the set, chances are chances, and their terms add up."""

from __future__ import annotations

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.learner.calibration import Calibration
from streams.learner.elo import sigmoid
from streams.learner.explaining import explain, mastery, predict
from streams.learner.fitting import fit
from streams.learner.fold import extend, fold
from streams.learner.state import SKILL_MEMORY, STUDENT_MEMORY, Attempt, LearnerState
from tests.fixtures.answering import answers

HOUR = 3_600_000_000
ITEMS = ["item 0", "item 7", "item 11", "never seen"]
SKILLS = [[], ["add"], ["multiply", "subtract"], ["new"], ["add", "new"]]


@cache
def fitted() -> Calibration:
    """Of timed answers with durations, so that no weight is idle."""
    return fit(lambda: answers(30, seed=5, timed=True), version=2).calibration


attempts = st.lists(
    st.builds(
        Attempt,
        st.one_of(st.just(0), st.integers(1, 3_000 * HOUR)),
        st.text("0123456789abcdef", min_size=1, max_size=3),
        st.sampled_from(ITEMS),
        st.sampled_from(SKILLS),
        st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
        st.sampled_from([-1, 0, 800, 30_000, 900_000]),
    ),
    max_size=40,
    unique_by=lambda attempt: attempt.key,
)


def as_values(state: LearnerState) -> object:
    """All digits of a state."""
    skills = {
        name: (*skill.values(), skill.low, skill.high, tuple(skill.memory)) for name, skill in state.skills.items()
    }
    return state.rating, state.attempts, state.last, tuple(state.memory), skills


@settings(deadline=None)
@given(attempts, st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_state(found: list[Attempt], rng: random.Random) -> None:
    shuffled = [*found, *found[:3]]
    rng.shuffle(shuffled)
    assert as_values(fold(shuffled, fitted())) == as_values(fold(found, fitted()))


@settings(deadline=None)
@given(attempts, st.data())
def test_any_batching_gives_the_same_state(found: list[Attempt], data: st.DataObject) -> None:
    ordered = sorted(found, key=lambda attempt: attempt.key)
    state = LearnerState()
    while ordered:
        size = data.draw(st.integers(1, len(ordered)))
        touched = extend(state, ordered[:size], fitted())
        assert touched == {skill for attempt in ordered[:size] for skill in attempt.skills}
        ordered = ordered[size:]
    assert as_values(state) == as_values(fold(found, fitted()))


@settings(deadline=None)
@given(attempts, st.sampled_from(ITEMS), st.sampled_from(SKILLS), st.integers(0, 4_000 * HOUR))
def test_a_chance_lies_between_0_and_1_and_is_what_its_terms_add_up_to(
    found: list[Attempt], item: str, skills: list[str], at: int
) -> None:
    state = fold(found, fitted())
    before = as_values(state)
    attempt = Attempt(at, "next", item, skills, 0.0)
    chance = predict(state, attempt, fitted())
    assert 0.0 < chance < 1.0
    total = 0.0
    for term in explain(state, attempt, fitted()):
        assert term.contribution == term.value * term.weight
        total += term.contribution
    assert abs(sigmoid(total) - chance) < 1e-9
    assert as_values(state) == before


@settings(deadline=None)
@given(attempts)
def test_memory_stays_as_long_as_it_is_and_reads_back(found: list[Attempt]) -> None:
    state = fold(found, fitted())
    assert len(state.memory) == STUDENT_MEMORY
    for skill in state.skills.values():
        assert len(skill.memory) == SKILL_MEMORY
        assert all(isinstance(value, float) for value in skill.memory)
    assert all(isinstance(value, float) for value in state.memory)
    assert all(abs(value) < 2**53 for value in state.memory)


@settings(deadline=None)
@given(attempts, st.integers(0, 5_000 * HOUR))
def test_mastery_lies_within_its_interval_and_never_rises_by_waiting(found: list[Attempt], waited: int) -> None:
    state = fold(found, fitted())
    latest = max((attempt.timestamp for attempt in found), default=0)
    for skill in (*state.skills, "unknown"):
        known = mastery(state, skill, latest, fitted())
        assert 0.0 < known.low <= known.chance <= known.high < 1.0
        assert mastery(state, skill, latest + waited, fitted()).chance <= known.chance + 1e-12
