"""Pages of a store in memory: whatever the windows and the sizes of pages, every statement once and in order."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ingest.reading.windows import Extent, Window, Windows

MOMENTS = st.lists(st.integers(1, 60), min_size=1, max_size=40)
BOUND = st.none() | st.integers(0, 61)


def handed_out(windows: Windows) -> list[Window]:
    found = []
    while (window := windows.next()) is not None:
        found.append(window)
        assert len(found) < 200, "windows do not end"
    return found


def inside(window: Window, moment: int) -> bool:
    return (window.since is None or moment > window.since) and (window.until is None or moment <= window.until)


@given(MOMENTS, BOUND, BOUND, st.booleans(), st.booleans(), st.integers(1, 1 << 30))
def test_every_moment_is_in_one_window_and_windows_are_in_order(
    moments: list[int], since: int | None, until: int | None, ascending: bool, at_once: bool, rows: int
) -> None:
    extent = Extent(rows, min(moments), max(moments))
    whole = Window(since, until)
    windows = handed_out(Windows(extent, whole, ascending=ascending, at_once=at_once))
    for moment in moments:
        holding = [window for window in windows if inside(window, moment)]
        assert len(holding) == int(inside(whole, moment))
    ordered = [
        moment for window in windows for moment in sorted(moments, reverse=not ascending) if inside(window, moment)
    ]
    assert ordered == sorted((moment for moment in moments if inside(whole, moment)), reverse=not ascending)


@given(MOMENTS, st.booleans(), st.integers(1, 1 << 30), st.randoms(use_true_random=False))
def test_a_window_that_was_narrowed_leaves_the_rest_to_the_next(
    moments: list[int], ascending: bool, rows: int, dice: random.Random
) -> None:
    windows = Windows(Extent(rows, min(moments), max(moments)), Window(None, None), ascending=ascending, at_once=False)
    found: list[int] = []
    for _ in range(200):
        window = windows.next()
        if window is None:
            break
        within = [moment for moment in moments if inside(window, moment)]
        if within and dice.random() < 0.5:
            window = windows.narrow(window, dice.choice(within))
        found += sorted((moment for moment in moments if inside(window, moment)), reverse=not ascending)
    assert found == sorted(moments, reverse=not ascending)


def test_a_small_store_is_looked_at_in_one_go() -> None:
    windows = Windows(Extent(1000, 5, 10**9), Window(None, None), ascending=False, at_once=False)
    assert handed_out(windows) == [Window(None, None)]


def test_the_first_window_of_a_large_store_holds_some_thousands() -> None:
    windows = Windows(Extent(10_000_000, 0, 10_000_000_000), Window(None, None), ascending=False, at_once=False)
    first = windows.next()
    assert first == Window(10_000_000_000 - 4_000_000, None)
