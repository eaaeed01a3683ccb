"""How far a long command is: a bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY: Final = 5.0


def many(number: int, word: str) -> str:
    """As 1 student, 2 students."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


class Bar:
    """Progress of something up to a total; a context manager. Lines said meanwhile stand above the bar."""

    def __init__(self, what: str, total: int) -> None:
        """``total``: 0 where nobody knows it."""
        self._what, self._total = what, total
        self._said = time.monotonic()
        self._ended = False
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
            self._bar = Progress(*columns)
            self._task = self._bar.add_task(what, total=self._total or None, words="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: int, words: str, total: int = 0) -> None:
        """Say how far it is; the total may be known only later."""
        self._total = total or self._total
        if self._bar:
            self._bar.update(self._task, completed=done, total=self._total or None, words=words)
            return
        whole = 0 < self._total <= done
        if time.monotonic() - self._said >= LINE_EVERY or (whole and not self._ended):
            self._said, self._ended = time.monotonic(), whole
            share = f" {min(100 * done // self._total, 100)}%" if self._total else ""
            self.say(f"{self._what}{share} · {words}")

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, flush=True)
