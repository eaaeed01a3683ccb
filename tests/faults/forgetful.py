"""Processes that remember next to nothing, as after hours and many statements: ``-m tests.faults.forgetful worker``.

A schedule is short: all its statements would be in memory, and every copy would be known when it comes. These workers
have to ask the store, and what it cannot tell (a copy of another student or moment) is found on the clock and taken out
again. ``door`` is an ingest that knows no id, as while its store does not answer: it lets such copies in.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from infra.runtime.settings import Settings
from ingest import app as door
from ingest.duplicates.local import LocalReservations
from ingest.duplicates.stored import StoredIds
from ingest.duplicates.taking import Taking
from streams import app, processor, store
from streams.dedupe import Memories

FORGETFUL: Final = ("-m", "tests.faults.forgetful", "worker")
DOOR: Final = ("-m", "tests.faults.forgetful", "door")
REMEMBERED: Final = 8


def forget() -> None:
    """Make the workers of this process so."""
    vars(store)["WARMED"] = REMEMBERED
    vars(processor)["Memories"] = _few


def _few(_limit: int, generation: int) -> Memories:
    return Memories(REMEMBERED, generation)


def know_nothing() -> None:
    """Make ingest in this process so."""

    async def take(_self: LocalReservations, requests: Sequence[Sequence[Taking]]) -> list[list[int]]:
        return [[] for _ in requests]

    def maybe(_self: StoredIds, _ids: Sequence[str | None], _codes: Sequence[bytes | None]) -> list[str]:
        return []

    LocalReservations.take = take  # type: ignore[method-assign, assignment]
    StoredIds.maybe = maybe  # type: ignore[method-assign, assignment]


def main() -> int:
    """Forget, then run as the command does."""
    if sys.argv[1] == "door":
        know_nothing()
        return door.serve(Settings())
    forget()
    return app.serve(Settings())


if __name__ == "__main__":
    sys.exit(main())
