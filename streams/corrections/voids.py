"""Voided statements: taken out of the record of each student that they are credited to (xAPI 1.0.3 part 2, 2.3.2).

The voiding may come before the statement that it voids, or days after it. A provider voids its own statements alone,
and nobody voids a voiding statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from infra.runtime.logging import get_logger
from schemas import verbs
from streams.corrections.facts import Facts, Void
from streams.corrections.items import VOIDED, Correction, Key, Removed, Standing, removal

log = get_logger(__name__)

OTHER_PROVIDER: Final = "other_provider"
VOIDING_STATEMENT: Final = "voiding_statement"
MOST_WAITING: Final = 200_000
"""Voiding statements kept in memory whose target has not come; those beyond are looked for when a worker starts."""


class Decided(NamedTuple):
    """What becomes of voiding statements: corrections, those that wait for their target, those without effect."""

    corrections: list[Correction]
    waiting: list[Void]
    refused: list[tuple[Void, str]]


def decide(voids: Iterable[Void], rows: Iterable[Standing], removed: Mapping[Key, Removed], now: int) -> Decided:
    """Pure: ``rows`` stand under the ids of the targets, ``removed`` tells which of them are out already."""
    by_id: dict[str, list[Standing]] = defaultdict(list)
    for row in rows:
        by_id[row.key.statement_id].append(row)
    decided = Decided([], [], [])
    for void in voids:
        primary = [row for row in by_id[void.target] if not row.credited]
        own = [row for row in primary if row.provider_id == void.provider_id]
        if not primary:
            decided.waiting.append(void)
        elif not own:
            decided.refused.append((void, OTHER_PROVIDER))
        elif any(row.verb == verbs.VOIDED for row in own):
            decided.refused.append((void, VOIDING_STATEMENT))
        else:
            decided.corrections.extend(
                removal(row, VOIDED, void.statement_id, now)
                for row in by_id[void.target]
                if row.provider_id == void.provider_id and is_in(removed.get(row.key))
            )
    return decided


def is_in(removed: Removed | None) -> bool:
    """Whether a row is part of its student's record."""
    return removed is None or removed.restored


class Voids:
    """Looks for voiding statements that arrived, and for the targets of those that wait; one thread at a time.

    ``refuse`` is told of each voiding statement that has no effect, once.
    """

    name = "voids"

    def __init__(self, facts: Facts, refuse: Callable[[Void, str], None]) -> None:
        self._facts = facts
        self._refuse = refuse
        self._waiting: dict[str, Void] = {}
        self._unsettled: dict[str, Void] = {}
        self._refused: set[str] = set()
        self._begun = False

    def look(self, since: int, now: int) -> list[Correction]:
        """What has to be taken out, by what was stored since then; the first time, by all that is stored.

        All rows of what was stored before ``since`` (µs) are written: until then, more credits of a target may come.
        """
        fresh = {void.statement_id: void for void in self._facts.voids(since)}
        if not self._begun:
            fresh.update((void.statement_id, void) for void in self._facts.voids_to_watch(since))
            self._begun = True
        arrived = self._facts.arrived({void.target for void in self._waiting.values()}, since)
        fresh.update((name, void) for name, void in self._waiting.items() if void.target in arrived)
        fresh.update(self._unsettled)
        rows = self._facts.standing(void.target for void in fresh.values())
        decided = decide(fresh.values(), rows, self._facts.removed(row.key for row in rows), now)
        for name in fresh:
            self._waiting.pop(name, None)
        self._waiting.update((void.statement_id, void) for void in decided.waiting)
        self._forget()
        young = {row.key.statement_id for row in rows if row.stored >= since}
        self._unsettled = {name: void for name, void in fresh.items() if void.target in young}
        for void, why in decided.refused:
            self._tell(void, why)
        return decided.corrections

    @property
    def waiting(self) -> int:
        """Voiding statements whose target has not come."""
        return len(self._waiting)

    def _forget(self) -> None:
        for name in list(islice(self._waiting, max(len(self._waiting) - MOST_WAITING, 0))):
            del self._waiting[name]

    def _tell(self, void: Void, why: str) -> None:
        if void.statement_id in self._refused:
            return
        if len(self._refused) >= MOST_WAITING:
            self._refused.clear()
        self._refused.add(void.statement_id)
        self._refuse(void, why)
        log.warning(
            "a voiding statement has no effect", why=why, statement=void.statement_id, target=void.target,
            provider=void.provider_id,
        )  # fmt: skip
