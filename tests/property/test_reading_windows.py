"""Pages of a store in memory: whatever the windows and the sizes of pages, every statement once and in order."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ingest.reading.windows import Shares, Window, Windows

MOMENTS = st.lists(st.integers(1, 60), min_size=1, max_size=40)
BOUND = st.none() | st.integers(0, 61)
ROWS = st.none() | st.integers(1, 50) | st.just(1 << 40)


def inside(window: Window, moment: int) -> bool:
    return (window.since is None or moment > window.since) and (window.until is None or moment <= window.until)


def counted_off(moments: list[int], *, ascending: bool) -> Callable[[Window, int], int | None]:
    """What the store answers: the moment of the n-th statement of a window."""

    def moment(window: Window, rows: int) -> int | None:
        within = sorted((one for one in moments if inside(window, one)), reverse=not ascending)
        return within[rows - 1] if len(within) >= rows else None

    return moment


def windows_over(moments: list[int], whole: Window, *, ascending: bool) -> Windows:
    return Windows(whole, counted_off(moments, ascending=ascending), ascending=ascending)


@given(MOMENTS, BOUND, BOUND, st.booleans(), st.lists(ROWS, min_size=1))
def test_every_moment_is_in_one_window_and_windows_are_in_order(
    moments: list[int], since: int | None, until: int | None, ascending: bool, sizes: list[int | None]
) -> None:
    whole = Window(since, until)
    windows = windows_over(moments, whole, ascending=ascending)
    handed_out: list[Window] = []
    while (window := windows.next(sizes[len(handed_out) % len(sizes)])) is not None:
        handed_out.append(window)
        if windows.rows is not None:
            assert sum(inside(window, one) for one in moments) >= windows.rows
        assert len(handed_out) < 200, "windows do not end"
    for moment in moments:
        holding = [window for window in handed_out if inside(window, moment)]
        assert len(holding) == int(inside(whole, moment))
    ordered = [
        moment for window in handed_out for moment in sorted(moments, reverse=not ascending) if inside(window, moment)
    ]
    assert ordered == sorted((moment for moment in moments if inside(whole, moment)), reverse=not ascending)


@given(MOMENTS, st.booleans(), ROWS, st.randoms(use_true_random=False))
def test_a_window_that_was_narrowed_leaves_the_rest_to_the_next(
    moments: list[int], ascending: bool, rows: int | None, dice: random.Random
) -> None:
    windows = windows_over(moments, Window(None, None), ascending=ascending)
    found: list[int] = []
    for _ in range(200):
        window = windows.next(rows)
        if window is None:
            break
        within = [moment for moment in moments if inside(window, moment)]
        if within and dice.random() < 0.5:
            window = windows.narrow(window, dice.choice(within))
        found += sorted((moment for moment in moments if inside(window, moment)), reverse=not ascending)
    assert found == sorted(moments, reverse=not ascending)


def test_a_window_holds_as_many_statements_as_are_asked_for() -> None:
    windows = windows_over(list(range(1000)), Window(None, None), ascending=False)
    assert windows.next(10) == Window(989, None)
    assert windows.next(100) == Window(889, 989)
    assert windows.next(None) == Window(None, 889)
    assert windows.next(None) is None


def test_more_statements_than_there_are_and_too_many_to_count_are_all_that_is_left() -> None:
    assert windows_over([1, 2, 3], Window(None, None), ascending=True).next(4) == Window(None, None)
    assert windows_over([1, 2, 3], Window(None, None), ascending=True).next(1 << 40) == Window(None, None)


def test_what_matched_seldom_is_looked_for_among_more_statements() -> None:
    shares = Shares()
    for _ in range(10):
        shares.learn("seldom", 10_000, 10)
        shares.learn("often", 100, 90)
    assert 80_000 < shares.rows("seldom", 100) < 150_000
    assert shares.rows("often", 100) < 200


def test_what_never_matches_is_looked_for_among_more_and_more() -> None:
    shares = Shares()
    before = shares.rows("never", 100)
    for _ in range(5):
        shares.learn("never", shares.rows("never", 100), 0)
    assert shares.rows("never", 100) > 100 * before
