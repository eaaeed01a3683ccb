"""A rebuild from its first student to its last: ranges one after the other, each written down, then the exchange.

For a school or a student, rows are corrected in place. For all students, all rows go into tables beside the live ones,
which take their place at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from streams.kept import Reader
from streams.rebuild.comparing import Comparison, Options
from streams.rebuild.differences import Difference
from streams.rebuild.journal import Journal, Step
from streams.rebuild.scope import Scope, parts
from streams.rebuild.shadows import Shadows
from streams.rebuild.store import CommandStore

CATCHING_UP: Final = 3
"""Passes before the exchange, each over what came during the one before it."""


class Rebuild:
    """One run; ``told`` is called after each range with its step and its differences."""

    def __init__(
        self,
        scope: Scope,
        options: Options,
        store: CommandStore,
        shadows: Shadows,
        journal: Journal,
        told: Callable[[Step, Sequence[Difference]], None],
    ) -> None:
        self._scope = scope
        self._options = options
        self._read: Reader = store.read
        self._shadows = shadows
        self._journal = journal
        self._told = told
        self._beside = scope.everyone and not options.check
        self._comparison = Comparison(options, store, shadows if self._beside else None)

    def run(self) -> None:
        """Do what is left to do; raises what clickhouse-connect and aiokafka raise."""
        journal, comparison = self._journal, self._comparison
        if not journal.steps:
            shadows = self._shadows.create() if self._beside else []
            journal.add(Step("begun", written=comparison.offsets(), shadows=shadows, at=self._options.clock()))
        if not self._shadows.exchanged(journal.began.shadows):
            for part in parts(self._read, self._scope, journal.until):
                step, differences = comparison.correct(part)
                journal.add(step)
                self._told(step, differences)
        if self._beside:
            self._exchange()
        journal.add(Step("finished", at=self._options.clock()))

    def _exchange(self) -> None:
        """The end. Killed anywhere in it, it is done again from its beginning and comes to the same."""
        journal, shadows = self._journal, self._shadows
        if shadows.complete():
            self._carry_and_exchange()
        self._options.fold_again(journal.again)
        shadows.drop()

    def _carry_and_exchange(self) -> None:
        journal, shadows = self._journal, self._shadows
        since = journal.began.written
        for _ in range(CATCHING_UP):
            now = self._comparison.offsets()
            shadows.carry_forward(since)
            since = now
        exchanged_at = time.monotonic()
        shadows.exchange(journal.began.shadows)
        shadows.settle(exchanged_at)
        # Until these rows are there, whoever reads their students sees what was before: they are folded again.
        late = shadows.late(journal.began.written)
        journal.add(Step("carried", again=late, at=self._options.clock()))
        shadows.carry_over(journal.began.written)


def take_up(journal: Journal, shadows: Shadows, calibration: int, *, restart: bool) -> bool:
    """Whether a rebuild that was interrupted goes on: not when its beginning is out of date, or it is not wanted.

    One that has begun to exchange tables always does: dropping the old ones would lose what they got last.
    """
    if not journal.resume():
        return False
    known = journal.began.shadows
    if shadows.exchanged(known):
        return True
    if restart or journal.calibration != calibration or (known and shadows.missing(known)):
        journal.begin(calibration)
        return False
    return True
