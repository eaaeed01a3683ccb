"""In which stretches of time a page is looked for: as many statements as should do, then more and more. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

_EACH: Final = 20.0
"""Statements to be looked at for one that matches, until it is known better."""
SPARE: Final = 1.3
"""So many times what should do is looked at."""
_MOST: Final = 2_000_000
"""Statements that are counted off; more are looked at without."""
_KINDS: Final = 4096


class Window(NamedTuple):
    """Moments of storing in µs: ``since`` exclusive, ``until`` inclusive, None: open."""

    since: int | None
    until: int | None


class Shares:
    """Statements that were looked at lately for each that matched, by kind of filter. It tells where to begin, and no
    more."""

    def __init__(self) -> None:
        self._known: dict[Hashable, float] = {}

    def rows(self, kind: Hashable, needed: int) -> int:
        """Statements among which so many should match."""
        return int(needed * self._known.get(kind, _EACH) * SPARE) + 1

    def learn(self, kind: Hashable, rows: float, matching: int) -> None:
        """Of about so many statements so many matched."""
        if len(self._known) >= _KINDS:
            self._known.clear()
        told = max(rows / (matching + 0.5), 1.0)
        self._known[kind] = (self._known.get(kind, told) + told) / 2


class Windows:
    """Hands out windows in the order of the page until all of ``whole`` was handed out."""

    def __init__(self, whole: Window, moment: Callable[[Window, int], int | None], *, ascending: bool) -> None:
        """``moment``: that of the n-th statement of a window in the order of the page, in µs; None where it holds
        fewer."""
        self._whole = whole
        self._left: Window | None = whole
        self._moment = moment
        self._ascending = ascending
        self.rows: int | None = None
        """Statements of the window handed out last, more where several share its last moment; None: not known."""

    def next(self, rows: int | None) -> Window | None:
        """The next one, of so many statements, None: all that is left; None when there is none."""
        if self._left is None:
            return None
        window, self.rows = self._left, None
        if rows is not None and rows <= _MOST and (end := self._moment(window, rows)) is not None:
            window, self.rows = self._part(window, end), rows
        self._goes_on(window)
        return window

    def narrow(self, window: Window, moment: int) -> Window:
        """The part of the window handed out last that ends with a moment, inclusive; the rest comes next."""
        part, self.rows = self._part(window, moment), None
        self._goes_on(part)
        return part

    def _part(self, window: Window, moment: int) -> Window:
        return Window(window.since, moment) if self._ascending else Window(moment - 1, window.until)

    def _goes_on(self, window: Window) -> None:
        if self._ascending:
            self._left = None if window.until == self._whole.until else Window(window.until, self._whole.until)
        else:
            self._left = None if window.since == self._whole.since else Window(self._whole.since, window.since)
