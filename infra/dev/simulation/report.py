"""What was posted, counted and shown: a progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY: Final = 5.0


@dataclass(slots=True)
class Report:
    """Counts of one run, in statements; ``duplicates`` were sent again on purpose and are in no other count."""

    posted: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    retried: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Accepted statements a second."""
        return self.accepted / max(self.seconds, 1e-9)

    def __str__(self) -> str:
        return (
            f"posted {self.posted:,} · accepted {self.accepted:,} · duplicates sent {self.duplicates:,} · "
            f"rejected {self.rejected:,} · requests sent again {self.retried:,} · {self.seconds:.1f} s · "
            f"{self.rate:,.0f} statements/s"
        )


class Bar:
    """Progress from 0 to ``total`` of some unit, with the rate of accepted statements."""

    def __init__(self, what: str, total: int, report: Report) -> None:
        self._what, self._total, self._report = what, max(total, 1), report
        self._said = 0.0
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
            self._bar = Progress(*columns)
            self._task = self._bar.add_task(what, total=self._total, words="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: int, words: str = "") -> None:
        """Say how far it is; lines are written at most every few seconds, and at the end."""
        told = f"{words + ' · ' if words else ''}{self._report.accepted:,} kept · {self._report.rate:,.0f}/s"
        if self._bar:
            self._bar.update(self._task, completed=done, words=told)
        elif done >= self._total or time.monotonic() - self._said >= _LINE_EVERY:
            self._said = time.monotonic()
            say(f"{self._what} {100 * done // self._total}% · {told}")


def say(line: str) -> None:
    """One line to standard output, at once."""
    print(line, flush=True)
