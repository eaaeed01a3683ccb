"""What statements tell beyond right and wrong: durations, partial credit, retries, time."""

from __future__ import annotations

from dataclasses import replace

from streams.learner.calibration import Calibration
from streams.learner.explaining import explain, mastery, rapid
from streams.learner.fitting import fit
from streams.learner.fold import fold
from streams.learner.state import RAPID, Attempt, LearnerState
from tests.fixtures.answering import answers

DAY = 86_400_000_000
HALF_MINUTE = 30_000
USUAL = Calibration(1, durations={"i": 10.31})  # log1p of half a minute
FITTED = fit(lambda: answers(40, seed=8, timed=True), version=1).calibration


def an_attempt(moment: int, outcome: float, lasted: int = HALF_MINUTE, item: str = "i") -> Attempt:
    return Attempt(moment, f"{moment:020d}", item, ["a"], outcome, lasted)


def steady() -> list[Attempt]:
    """Six answers of half a minute each."""
    return [an_attempt(number + 1, 1.0) for number in range(6)]


def test_an_answer_far_quicker_than_the_student_and_the_item_is_in_haste() -> None:
    state = fold(steady(), USUAL)
    assert rapid(state, an_attempt(10, 0.0, lasted=2_000), USUAL)
    assert not rapid(state, an_attempt(10, 0.0, lasted=8_000), USUAL)


def test_nobody_is_in_haste_where_too_little_is_known() -> None:
    quick = an_attempt(10, 0.0, lasted=500)
    assert not rapid(LearnerState(), quick, USUAL)
    assert not rapid(fold(steady(), USUAL), quick, Calibration())
    assert not rapid(fold(steady(), USUAL), quick._replace(duration_ms=-1), USUAL)


def test_a_student_who_is_always_quick_is_not_in_haste() -> None:
    quick = [an_attempt(number + 1, 1.0, lasted=2_000) for number in range(8)]
    assert fold(quick, USUAL).memory[RAPID] == 0.0


def test_a_guess_in_haste_counts_less_and_is_counted() -> None:
    guessed = fold([*steady(), an_attempt(10, 0.0, lasted=1_000)], USUAL)
    meant = fold([*steady(), an_attempt(10, 0.0)], USUAL)
    assert guessed.memory[RAPID] == 1.0
    assert guessed.rating > meant.rating
    assert guessed.skills["a"].mastery > meant.skills["a"].mastery
    assert guessed.skills["a"].successes == meant.skills["a"].successes


def test_a_fit_learns_how_long_items_take() -> None:
    assert len(FITTED.durations) == 40
    assert all(10.3 < pace < 10.7 for pace in FITTED.durations.values())


def test_partial_credit_teaches_in_part() -> None:
    ratings = [fold([an_attempt(1, outcome)], USUAL).skills["a"].rating for outcome in (0.0, 0.4, 1.0)]
    assert ratings == sorted(ratings)
    assert ratings[0] < ratings[1] < ratings[2]


def test_an_item_that_comes_again_is_remembered_and_a_new_one_is_not_taken_for_it() -> None:
    weighty = replace(FITTED, items={**FITTED.items, "i": 0.0})
    state = fold([an_attempt(1, 1.0), an_attempt(2, 0.0)], weighty)

    def seen(item: str) -> set[str]:
        terms = explain(state, an_attempt(3, 0.0, item=item), weighty)
        return {term.name for term in terms if term.value and term.name in ("item right before", "item wrong before")}

    retried = FITTED.logistic.situation[2] or FITTED.logistic.situation[3]
    assert retried
    assert seen("i")
    assert not seen("j")


def test_mastery_fades_with_time_and_not_below_what_is_known() -> None:
    state = fold(steady(), USUAL)
    chances = [mastery(state, "a", 6 + days * DAY, USUAL).chance for days in (0, 1, 10, 100, 1_000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1] > 0.3


def test_more_answers_make_the_interval_narrower() -> None:
    few, many = (
        fold(steady() * 1 if n == 6 else [an_attempt(m + 1, float(m % 3 > 0)) for m in range(n)], USUAL)
        for n in (6, 60)
    )
    wide, narrow = mastery(few, "a", 60, USUAL), mastery(many, "a", 60, USUAL)
    assert narrow.high - narrow.low < wide.high - wide.low
