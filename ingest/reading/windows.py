"""In which stretches of time a page is looked for: the first holds a few thousand statements, then they grow. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

_FIRST: Final = 4_000
_SMALL: Final = 200_000
_GROWTH: Final = 24


class Extent(NamedTuple):
    """What the table holds: rows, and the first and last moment of storing in µs."""

    rows: int
    first: int
    last: int


class Window(NamedTuple):
    """Moments of storing in µs: ``since`` exclusive, ``until`` inclusive, None: open."""

    since: int | None
    until: int | None


class Windows:
    """Hands out windows in the order of the page until all of ``whole`` was handed out."""

    def __init__(self, extent: Extent, whole: Window, *, ascending: bool, at_once: bool) -> None:
        self._extent = extent
        self._whole = whole
        self._left: Window | None = whole
        self._ascending = ascending
        span = max(extent.last - extent.first, 1)
        self._span = span + 1 if at_once or extent.rows <= _SMALL else max(span * _FIRST // extent.rows, 1)

    def next(self) -> Window | None:
        """The next one; None when there is none."""
        left = self._left
        if left is None:
            return None
        window = self._earliest(left) if self._ascending else self._latest(left)
        self._span *= _GROWTH
        self._goes_on(window)
        return window

    def narrow(self, window: Window, moment: int) -> Window:
        """The part of the window handed out last that ends with a moment, inclusive; the rest comes next."""
        part = Window(window.since, moment) if self._ascending else Window(moment - 1, window.until)
        self._span = max(self._span // _GROWTH, 1)
        self._goes_on(part)
        return part

    def _goes_on(self, window: Window) -> None:
        if self._ascending:
            self._left = None if window.until == self._whole.until else Window(window.until, self._whole.until)
        else:
            self._left = None if window.since == self._whole.since else Window(self._whole.since, window.since)

    def _latest(self, left: Window) -> Window:
        base = self._extent.last if left.until is None else min(left.until, self._extent.last)
        lowest = base - self._span
        if lowest < self._extent.first or (left.since is not None and lowest <= left.since):
            return left
        return Window(lowest, left.until)

    def _earliest(self, left: Window) -> Window:
        base = self._extent.first - 1 if left.since is None else max(left.since, self._extent.first - 1)
        highest = base + self._span
        if highest >= self._extent.last or (left.until is not None and highest >= left.until):
            return left
        return Window(left.since, highest)
