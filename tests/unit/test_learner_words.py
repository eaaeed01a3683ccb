"""Words of mastery: where they begin, that they do not flap, and what time does to them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.learner.calibration import Calibration
from streams.learner.fold import Attempt, fold
from streams.learner.state import HELD
from streams.learner.words import ONCE_MASTERED, Lines, Word, level, settle, word

LINES = Lines(nearly=0.5, mastered=0.7, refresh_days=60, answers=5)
MANY = 9
ORDER = list(Word)
shares = st.floats(0, 1)
intervals = st.lists(st.tuples(shares, shares).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=30)


def held_after(intervals):
    held = None
    for low, high in intervals:
        held = settle(held, low, high)
    return held


def test_without_an_answer_a_skill_is_not_started_whatever_the_model_expects():
    assert word(None, 0.9, 1.0, 0, 0, LINES) is Word.NOT_STARTED


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.75, 0.95, Word.MASTERED),
        (0.70, 0.95, Word.MASTERED),
        (0.69, 0.99, Word.NEARLY),
        (0.50, 0.90, Word.NEARLY),
        (0.20, 0.90, Word.EMERGING),
        (0.10, 0.30, Word.EMERGING),
    ],
)
def test_the_first_word_says_no_more_than_the_lower_end_of_the_interval(low, high, said):
    assert word(settle(None, low, high), low, high, MANY, 0, LINES) is said


def test_mastered_is_kept_until_the_whole_interval_lies_below_the_line():
    held = settle(held_after([(0.72, 0.9), (0.6, 0.8)]), 0.55, 0.7)
    assert level(held, MANY, LINES) is Word.MASTERED
    assert level(settle(held, 0.5, 0.69), MANY, LINES) is Word.NEARLY


def test_nothing_is_mastered_on_a_few_answers_whatever_other_skills_let_expect():
    assert word(0.8, 0.75, 0.9, 4, 0, LINES) is Word.NEARLY
    assert word(0.8, 0.75, 0.9, 5, 0, LINES) is Word.MASTERED


@given(intervals)
def test_the_held_value_never_leaves_the_interval(found):
    held = None
    for low, high in found:
        held = settle(held, low, high)
        assert low <= held <= high


@given(intervals, st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_changes_smaller_than_the_interval_move_a_word_at_most_once(start, steps):
    held = settle(held_after(start), 0.5, 0.8)
    words = [level(held, MANY, LINES)]
    for step in steps:
        middle = 0.65 + 0.1 * step  # the intervals of all of these share a part
        held = settle(held, middle - 0.15, middle + 0.15)
        words.append(level(held, MANY, LINES))
    turns = [(ORDER.index(a) < ORDER.index(b)) for a, b in pairwise(words) if a is not b]
    assert len(set(turns)) <= 1, "a word that went one way comes back only after a change larger than the interval"


@given(intervals)
def test_a_word_goes_up_only_above_a_line_and_down_only_below_it(found):
    held = settle(None, *found[0])
    for low, high in found[1:]:
        before, held = level(held, MANY, LINES), settle(held, low, high)
        after = level(held, MANY, LINES)
        if ORDER.index(after) > ORDER.index(before):
            assert low >= (LINES.mastered if after is Word.MASTERED else LINES.nearly)
        if ORDER.index(after) < ORDER.index(before):
            assert high < (LINES.mastered if before is Word.MASTERED else LINES.nearly)


@given(shares, st.lists(st.floats(0, 400), min_size=2, max_size=10))
def test_time_without_practice_only_ever_takes_away_and_keeps_that_it_was_mastered(held, days):
    words = []
    for day in sorted(days):
        fade = 1 / (1 + day / 50)
        words.append(word(held, held * fade, min(1.0, held + 0.1) * fade, MANY, day, LINES))
    if level(held, MANY, LINES) is Word.MASTERED:
        assert set(words) <= ONCE_MASTERED
    assert [ORDER.index(one) for one in words] == sorted((ORDER.index(one) for one in words), reverse=True)


def test_what_was_mastered_needs_a_refresh_after_the_days_that_the_district_sets():
    assert word(0.8, 0.75, 0.9, MANY, 59, LINES) is Word.MASTERED
    assert word(0.8, 0.75, 0.9, MANY, 60, LINES) is Word.REFRESH
    assert word(0.8, 0.4, 0.6, MANY, 3, LINES) is Word.REFRESH


@given(
    st.lists(st.tuples(st.integers(0, 10**15), st.sampled_from("abc"), shares), max_size=40, unique_by=lambda a: a[0])
)
def test_the_fold_keeps_the_held_value_of_the_intervals_it_gave(answers):
    attempts = [Attempt(at, f"{at:032x}", "item", [skill], outcome) for at, skill, outcome in sorted(answers)]
    seen: dict[str, list[tuple[float, float]]] = {}
    for number, attempt in enumerate(attempts, 1):
        skill = fold(attempts[:number], Calibration()).skills[attempt.skills[0]]
        seen.setdefault(attempt.skills[0], []).append((skill.low, skill.high))
    state = fold(reversed(attempts), Calibration())
    assert {name: skill.memory[HELD] for name, skill in state.skills.items()} == {
        name: held_after(found) for name, found in seen.items()
    }
