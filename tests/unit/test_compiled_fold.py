"""The compiled fold does to a state what the Python does, to the last bit; what it is not sure of it leaves alone."""

from __future__ import annotations

import random
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from streams.learner import fold as folding
from streams.learner.calibration import Calibration
from streams.learner.fold import extend, in_python
from streams.learner.state import Attempt, LearnerState
from tests.fixtures.calibrations import drawn

ITEMS = [f"https://items.example/{number}" for number in range(30)]
SKILLS = [f"skill-{number}" for number in range(8)]
BEGAN_US = 1_790_000_000_000_000
STEPS_US = (0, 1, 60_000_000, 3_600_000_000, 8 * 86_400_000_000)


def answers(rng: random.Random, count: int, at: int) -> list[Attempt]:
    """Some with times and some without, in haste, half right, of several skills or none, of names never heard of."""
    found = []
    for _ in range(count):
        at += rng.choice(STEPS_US)
        skills = rng.sample([*SKILLS, "new", "ä€"], rng.choice([0, 1, 1, 1, 2, 3]))
        outcome = rng.choice([0.0, 1.0, 1.0, 0.5, rng.random()])
        lasted = rng.choice([-1, 0, 300, rng.randrange(100_000)])
        found.append(Attempt(at, f"{rng.getrandbits(60):x}", rng.choice([*ITEMS, "new"]), skills, outcome, lasted))
    return found


def told(state: LearnerState) -> Any:
    """All of a state, numbers as they are written to the last digit."""
    skills = [(name, one.values(), one.low, one.high, one.memory) for name, one in state.skills.items()]
    return repr((state.rating, state.attempts, state.last, state.memory, skills))


def test_the_extension_was_built() -> None:
    assert compiled("streams.learner._fold") is not None, "python requirements/extension.py --required"


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**9), st.booleans(), st.booleans(), st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_the_extension_comes_to_the_same_state(seed: int, timed: bool, prior: bool, parts: list[int]) -> None:
    rng = random.Random(seed)
    calibration = Calibration() if prior else drawn(rng, ITEMS, SKILLS)
    one, other, at = LearnerState(), LearnerState(), BEGAN_US if timed else 0
    for count in parts:
        some = answers(rng, count, at)
        at = some[-1].timestamp if some else at
        touched = folding.extension.extend(one, some, calibration)
        assert touched == in_python(other, some, calibration)
        assert told(one) == told(other)


GOOD = Attempt(BEGAN_US, "s", "item", ["a"], 1.0, 5_000)


@pytest.mark.parametrize(
    "odd",
    [
        GOOD._replace(outcome=1), GOOD._replace(outcome=1.5), GOOD._replace(skills=["a", "b", "a"]),
        (*GOOD[:3], ("a",), *GOOD[4:]), GOOD._replace(timestamp=2**60), GOOD._replace(duration_ms=2**70),
        GOOD._replace(skills=[f"s{number}" for number in range(12)]), tuple(GOOD)[:5],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_python_with_the_state_as_it_was(odd: Any) -> None:
    state = LearnerState()
    extend(state, [GOOD], Calibration())
    before = told(state)
    assert folding.extension.extend(state, [GOOD, odd], Calibration()) is None
    assert told(state) == before


def test_a_state_that_something_else_was_made_of_is_left_to_the_python() -> None:
    for spoil in (
        lambda state: setattr(state, "rating", 0), lambda state: setattr(state, "memory", [0.0]),
        lambda state: setattr(state, "last", [0, ""]), lambda state: state.memory.__setitem__(1, -1.0),
        lambda state: setattr(state.skills["a"], "memory", array("f", bytes(52))),
        lambda state: setattr(state.skills["a"], "memory", bytes(104)), lambda state: state.skills.update(a=None),
    ):  # fmt: skip
        state = LearnerState()
        extend(state, [GOOD], Calibration())
        spoil(state)
        assert folding.extension.extend(state, [GOOD], Calibration()) is None


def test_each_calibration_is_read_anew() -> None:
    rng = random.Random(2)
    states = {}
    for calibration in [drawn(rng, ITEMS, SKILLS), drawn(rng, ITEMS, SKILLS), Calibration()] * 2:
        some = answers(random.Random(1), 20, BEGAN_US)
        found, expected = LearnerState(), LearnerState()
        extend(found, some, calibration)
        in_python(expected, some, calibration)
        assert told(found) == told(expected)
        states[id(calibration)] = told(found)
    assert len(set(states.values())) == 3
