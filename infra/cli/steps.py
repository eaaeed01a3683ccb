"""Progress of work that goes by steps: a bar for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.dev.bar import Bar

if TYPE_CHECKING:
    from streams.evaluating.asking import Tell


@contextmanager
def bars() -> Iterator[Tell]:
    """What a step is told to; the bar of the step before ends."""
    bar: Bar | None = None
    current = ""

    def tell(step: str, done: int, total: int) -> None:
        nonlocal bar, current
        if bar is None or step != current:
            if bar:
                bar.__exit__(None, None, None)
            current, bar = step, Bar(step, total).__enter__()
        bar.show(done, f"{done:,} of {total:,}" if total else f"{done:,}", total)

    try:
        yield tell
    finally:
        if bar:
            bar.__exit__(None, None, None)
