"""Small groups are not shown, and cannot be found by subtraction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.suppression import FLOOR, Cell, Shown, cell, column, suppress
from infra.runtime.shares import hidden_groups

THRESHOLD = 10


def test_a_group_below_the_threshold_is_not_shown():
    assert cell(9, 4, THRESHOLD).shown is Shown.SMALL
    assert cell(9, 4, THRESHOLD).count is None
    assert cell(10, 4, THRESHOLD).count == 4


@pytest.mark.parametrize(("count", "shown"), [(0, "exact"), (1, "below"), (2, "below"), (3, "exact")])
def test_a_count_of_one_or_two_is_capped_and_none_is_shown(count, shown):
    assert cell(40, count, THRESHOLD).shown == shown


@pytest.mark.parametrize("count", [38, 39, 40])
def test_a_count_of_nearly_all_is_capped(count):
    found = cell(40, count, THRESHOLD)
    assert found.shown is Shown.ABOVE
    assert found.count == 40 - FLOOR


def test_a_single_small_group_hides_the_next_smallest_with_it():
    assert hidden_groups({"a": 60, "b": 50, "c": 7}, THRESHOLD) == {"b", "c"}


def test_small_groups_that_protect_each_other_hide_no_other():
    assert hidden_groups({"a": 60, "b": 50, "c": 7, "d": 8}, THRESHOLD) == {"c", "d"}


def test_small_groups_that_are_few_together_hide_one_more():
    assert hidden_groups({"a": 60, "b": 50, "c": 2, "d": 3}, THRESHOLD) == {"b", "c", "d"}


def test_an_empty_group_protects_nobody():
    assert hidden_groups({"a": 60, "b": 50, "c": 7, "d": 0}, THRESHOLD) == {"b", "c"}


def test_a_capped_cell_does_not_stand_alone():
    cells = column({"a": (60, 12), "b": (50, 1), "c": (40, 6)}, THRESHOLD)
    assert cells["b"].shown is Shown.BELOW
    assert cells["c"].shown is Shown.HELD_BACK
    assert cells["a"].count == 12


def test_rows_keep_what_is_no_count_and_lose_the_size_of_hidden_groups():
    rows = [
        {"school": "a", "n": 60, "warned": 12, "label": "A"},
        {"school": "b", "n": 50, "warned": 9, "label": "B"},
        {"school": "c", "n": 7, "warned": 7, "label": "C"},
    ]
    [a, b, c] = suppress(rows, group="school", size="n", counts=["warned"], threshold=THRESHOLD)
    assert (a["n"], b["n"], c["n"]) == (60, None, None)
    assert [row["label"] for row in (a, b, c)] == ["A", "B", "C"]
    assert c["warned"] == Cell(Shown.SMALL, None, None)
    assert b["warned"] == Cell(Shown.HELD_BACK, None, None)


groups = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.integers(0, 80).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size))),
    min_size=1,
    max_size=8,
)


@given(groups)
def test_no_cell_ever_shows_a_small_group_or_a_small_count(given_groups):
    for name, found in column(given_groups, THRESHOLD).items():
        size, count = given_groups[name]
        if size < THRESHOLD:
            assert found.size is None
            assert found.count is None
        if found.shown is Shown.EXACT:
            assert found.count == count
            assert count == 0 or FLOOR <= count <= size - FLOOR


@given(groups)
def test_subtracting_what_is_shown_from_a_total_never_isolates_a_small_group(given_groups):
    sizes = {name: size for name, (size, _) in given_groups.items() if size > 0}
    hidden = hidden_groups(sizes, THRESHOLD)
    if hidden and hidden != set(sizes):
        assert len(hidden) >= 2
        assert sum(sizes[name] for name in hidden) >= THRESHOLD


@given(groups)
def test_subtracting_never_finds_a_count_that_is_not_shown(given_groups):
    cells = column(given_groups, THRESHOLD)
    unknown = [name for name, found in cells.items() if found.shown is not Shown.EXACT and given_groups[name][0] > 0]
    known = [name for name, found in cells.items() if found.shown is Shown.EXACT and given_groups[name][0] > 0]
    assert len(unknown) != 1 or not known
