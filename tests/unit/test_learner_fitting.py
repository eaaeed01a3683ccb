"""The fit of a calibration: reproducible, honest about what it has not seen, stored and read back to the last digit."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby

import msgspec
import pytest

from streams.learner.calibration import Calibration, loads
from streams.learner.explaining import mastery, predict
from streams.learner.fitting import Fitted, fit
from streams.learner.fold import extend, fold
from streams.learner.state import Attempt, LearnerState
from streams.measures.scores import auc
from tests.fixtures.answering import answers, difficulty

TRAIN = answers(120, seed=1)
TEST = answers(60, seed=2)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(lambda: TRAIN, version=4, seed=3)


def predicted(rows: list[tuple[str, Attempt]], calibration: Calibration) -> tuple[list[float], list[float]]:
    """Outcomes, and what was expected before each was learned from."""
    outcomes, said = [], []
    for _, own in groupby(rows, key=lambda row: row[0]):
        state = LearnerState()
        for _, attempt in own:
            said.append(predict(state, attempt, calibration))
            outcomes.append(attempt.outcome)
            extend(state, [attempt], calibration)
    return outcomes, said


def test_the_same_attempts_and_seed_give_the_same_calibration_bit_by_bit(fitted: Fitted) -> None:
    again = fit(lambda: iter(TRAIN), version=4, seed=3)
    assert again.calibration.dumps() == fitted.calibration.dumps()
    assert again[1:] == fitted[1:]


def test_another_seed_or_another_attempt_is_told_apart(fitted: Fitted) -> None:
    assert fit(lambda: TRAIN, version=4, seed=4).calibration.dumps() != fitted.calibration.dumps()
    assert fit(lambda: TRAIN[:-1], version=4, seed=3).fingerprint != fitted.fingerprint


def test_a_calibration_is_read_back_as_it_was(fitted: Fitted) -> None:
    back = loads(4, fitted.calibration.dumps())
    assert back == fitted.calibration
    assert predicted(TEST, back) == predicted(TEST, fitted.calibration)


def test_it_finds_which_items_are_hard(fitted: Fitted) -> None:
    logits = fitted.calibration.logistic.items
    easy = [logits[f"item {item}"] for item in range(40) if difficulty(item) < -1.0]
    hard = [logits[f"item {item}"] for item in range(40) if difficulty(item) > 1.0]
    assert min(easy) > max(hard)


def test_it_expects_answers_of_others_better_than_elo_alone(fitted: Fitted) -> None:
    ours = auc(*predicted(TEST, fitted.calibration))
    assert ours > 0.75
    assert ours > auc(*predicted(TEST, replace(fitted.calibration, weights=None))) - 0.005


def test_items_and_skills_never_seen_do_not_spoil_what_is_expected_of_the_others(fitted: Fitted) -> None:
    strange = [
        (student, attempt._replace(item=f"new {attempt.item}", skills=["new"]) if number % 4 == 0 else attempt)
        for number, (student, attempt) in enumerate(TEST)
    ]
    outcomes, said = predicted(strange, fitted.calibration)
    plain_outcomes, plain = predicted(TEST, fitted.calibration)

    def familiar(values: list[float]) -> list[float]:
        return [value for number, value in enumerate(values) if number % 4]

    assert auc(familiar(outcomes), familiar(said)) > auc(familiar(plain_outcomes), familiar(plain)) - 0.02
    assert all(0.05 < chance < 0.98 for chance in said[::4])


def test_nothing_is_fitted_on_nothing() -> None:
    with pytest.raises(ValueError, match="no attempts"):
        fit(lambda: [], version=1)


@pytest.mark.parametrize("rows", [answers(1, seed=9, each=1), [("s", Attempt(0, "a", "i", [], 1.0))]])
def test_a_single_answer_is_enough_to_fit_on(rows: list[tuple[str, Attempt]]) -> None:
    calibration = fit(lambda: rows, version=1).calibration
    assert 0.0 < predict(LearnerState(), rows[0][1], calibration) < 1.0


def test_progress_is_told_of_each_pass() -> None:
    told: list[tuple[str, int]] = []
    fit(lambda: TRAIN[:400], version=1, progress=lambda step, done: told.append((step, done)))
    assert {step for step, _ in told} >= {"features", "weights, pass 1 of 5", "weights, pass 5 of 5"}
    assert told[-1][1] == 400


def test_the_first_form_of_a_calibration_still_loads_as_elo_alone() -> None:
    stored = {
        "student": [0.3, 0.02], "student_skill": [0.5, 0.1], "items": {"i": 1.0}, "skills": {"a": 0.5},
        "medians": {"a": 1.0},
    }  # fmt: skip
    known = loads(7, json.dumps(stored))
    assert known.version == 7
    assert predict(LearnerState(), Attempt(0, "s", "i", ["a"], 1.0), known) == pytest.approx(0.1824255)
    state = fold([Attempt(1, "s", "i", ["a"], 1.0)], known)
    assert state.skills["a"].mastery == mastery(state, "a", 1, known).chance


def test_weights_of_another_model_are_refused_in_words(fitted: Fitted) -> None:
    stored = json.loads(fitted.calibration.dumps())
    stored["weights"]["situation"] = [0.0]
    with pytest.raises(ValueError, match=r"calibration 4 has 1 situation weights.*roundtrip calibrate"):
        loads(4, json.dumps(stored))
    stored["weights"] = {"intercept": 0.0}
    with pytest.raises(msgspec.DecodeError):
        loads(4, json.dumps(stored))
