"""Counted up in constant memory, the figures are those of all answers at once."""

from __future__ import annotations

import random

import pytest

from streams.measures.reliability import ece
from streams.measures.scores import auc, log_loss
from streams.tallies import Tally


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_measures(seed: int) -> None:
    rng = random.Random(seed)
    chances = [rng.randrange(1_000) / 1_000 + 0.0005 for _ in range(2_000)]
    outcomes = [float(rng.random() < chance**2) for chance in chances]
    tally = Tally()
    for number, (chance, outcome) in enumerate(zip(chances, outcomes, strict=True)):
        tally.add(str(number // 10), chance, outcome)
    found = tally.figures()
    assert (found["answers"], found["students"]) == (2_000, 200)
    assert found["auc"] == pytest.approx(auc(outcomes, chances))
    assert found["log_loss"] == pytest.approx(log_loss(outcomes, chances))
    assert found["ece"] == pytest.approx(ece(outcomes, chances))
    assert found["right"] == pytest.approx(sum(outcomes) / 2_000)


def test_half_right_is_half_a_right_and_half_a_wrong_answer() -> None:
    tally = Tally()
    tally.add("a", 0.3, 0.5)
    assert tally.figures()["auc"] == 0.5
    assert tally.figures()["ece"] == pytest.approx(0.2)


def test_nothing_and_one_kind_of_outcome_have_no_auc() -> None:
    tally = Tally()
    assert set(tally.figures().values()) == {0, None}
    tally.add("a", 1.0, 1.0)
    found = tally.figures()
    assert (found["auc"], found["ece"]) == (None, 0.0)
    assert found["log_loss"] == pytest.approx(0.0)
