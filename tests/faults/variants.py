"""Workers with one invariant broken each, to show that the harness sees it: ``-m tests.faults.variants NAME``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.runtime.settings import Settings
from streams import app, dedupe, processor
from streams.agents.intake import Intake
from streams.rows.arrival import Arrival
from streams.store import ClickHouseStore
from tests.faults.schedule import WORKERS, Fault, Schedule


def acknowledge_before_flush() -> None:
    """What is read counts as done before it is written."""
    call = Intake.__call__

    async def early(self: Intake, messages: Sequence[Any]) -> None:
        for message in messages:
            self._offsets.done(message.tp, message.offset + 1)
        await self._offsets.commit()
        await call(self, messages)

    Intake.__call__ = early  # type: ignore[method-assign]


def drop_the_watermark() -> None:
    """What is read back from the store does not tell what was folded in already."""
    ClickHouseStore._own = lambda self, generation, offset: -1  # type: ignore[method-assign]


def dedupe_without_offsets() -> None:
    """What the store knows is a duplicate, also when it is the same record delivered again."""
    judge = dedupe.judge

    def forgetful(
        arrival: Arrival, memory: dedupe.PartitionMemory, stored: Mapping[dedupe.Key, dedupe.Seen]
    ) -> dedupe.Verdict:
        known = stored.get(dedupe.key_of(arrival))
        if known is not None and known.digest == arrival.item.digest:
            return dedupe.Verdict.DUPLICATE
        return judge(arrival, memory, stored)

    processor.judge = forgetful  # type: ignore[attr-defined]


VARIANTS: dict[str, tuple[Callable[[], None], str]] = {
    "acknowledge-before-flush": (acknowledge_before_flush, "statements"),
    "drop-the-watermark": (drop_the_watermark, "sink_flushes"),
    "dedupe-without-offsets": (dedupe_without_offsets, "attempts"),
}
"""How each breaks, and the table at whose insert a kill shows it."""


def provoking(variant: str, seed: int) -> Schedule:
    """Both workers are killed when they are about to write a table."""
    table = VARIANTS[variant][1]
    faults = [Fault(0.0, "rule", worker, deed="kill", table=table) for worker in range(WORKERS)]
    return Schedule(seed, faults, statements=120, seconds=1.5, patience=30.0)


def main() -> int:
    """Break, then run a worker as the command does."""
    VARIANTS[sys.argv[1]][0]()
    return app.serve(Settings())


if __name__ == "__main__":
    sys.exit(main())
