"""Workers with one invariant broken each, to show that the harness sees it: ``-m tests.faults.variants NAME``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.runtime.settings import Settings
from schemas.events import DeadLetter
from streams import app, dedupe, folding, history, processor
from streams.agents.intake import Intake
from streams.correcting import Correcting
from streams.corrections.items import Correction
from streams.corrections.outbox import Outbox
from streams.dead_letters import DeadLetters
from streams.pipeline import Pipeline
from streams.rows.arrival import Arrival
from streams.rows.tables import Columns, Row
from streams.running import Running
from streams.sink import Refused, Sink
from streams.store import ClickHouseStore
from tests.faults import schedule
from tests.faults.forgetful import forget
from tests.faults.plan import PLAIN, Traits
from tests.faults.schedule import WORKERS, Schedule

LATE_SECONDS = 8.0
SHIFT = 32


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


def count_the_voided_again() -> None:
    """Whoever folds or counts a student again does not ask what was taken out."""
    for module in (folding, history):
        module.is_out = lambda key, removed: False  # type: ignore[attr-defined]


def last_writer_wins() -> None:
    """States and days are versioned by the time of writing, not by offset: what a zombie writes stays."""
    insert, own = Sink.insert, ClickHouseStore._own

    def timed(self: Sink, columns: Columns, rows: Sequence[Row]) -> list[Refused]:
        if columns.table in ("student_days", "skill_states", "student_states"):
            place, now = columns.names.index("watermark"), int(time.time()) << SHIFT
            rows = [(*row[:place], now + int(str(row[place])), *row[place + 1 :]) for row in rows]
        return insert(self, columns, rows)

    Sink.insert = timed  # type: ignore[method-assign]
    ClickHouseStore._own = (  # type: ignore[method-assign]
        lambda self, generation, offset: own(self, generation, offset & ((1 << SHIFT) - 1) if offset > 0 else offset)
    )


def lose_dead_letters() -> None:
    """A record is acknowledged before its dead letters are kept."""
    publish = DeadLetters.publish
    under_way: set[asyncio.Task[None]] = set()

    async def later(self: DeadLetters, letters: Iterable[DeadLetter]) -> None:
        async def publish_later() -> None:
            await asyncio.sleep(LATE_SECONDS)
            await publish(self, kept)

        if kept := list(letters):
            under_way.add(asyncio.create_task(publish_later()))

    DeadLetters.publish = later  # type: ignore[method-assign]


class _Elsewhere:
    """Tells outcomes and letters at another place than they are about."""

    def __init__(self, reading: Any, place: tuple[int, int, int, int]) -> None:
        self._reading = reading
        self._place = place

    def outcome(self, batch: Any, _place: Any, *rest: Any) -> None:
        self._reading.outcome(batch, self._place, *rest)

    def letter(self, batch: Any, _place: Any, *rest: Any) -> None:
        self._reading.letter(batch, self._place, *rest)


def corrections_count_each_time() -> None:
    """The same correction, put into the log twice, is told twice: each time where the correction stands.

    Each is put there twice, as after a crash before it was remembered. Copies become corrections where memory does not
    reach back to the first of them.
    """
    forget()
    remove, put = Correcting._remove, Outbox.put

    async def twice(self: Outbox, corrections: Iterable[Correction]) -> list[Correction]:
        new = await put(self, corrections)
        await self._publish([one.item for one in new])
        return new

    def at_its_own_place(self: Any, directive: Any, *rest: Any) -> None:
        reading, place = self._reading, (self._generation, directive.partition, directive.offset, directive.idx)
        self._reading = _Elsewhere(reading, place)
        try:
            remove(self, directive, *rest)
        finally:
            self._reading = reading

    Correcting._remove = at_its_own_place  # type: ignore[assignment,method-assign]
    Outbox.put = twice  # type: ignore[method-assign]


def keep_the_former_calibration() -> None:
    """A worker says that it runs under the calibration in use, and folds under the one it began with."""

    async def deaf(self: Pipeline, running: Running, asked_at: float) -> None:
        self.looks.saw(self._processor.running.activation, asked_at)
        self.progress.activation = running.activation

    Pipeline.run_under = deaf  # type: ignore[method-assign]


@dataclass(frozen=True)
class Variant:
    """How to break it, and the faults and statements that show it: those of ``posted`` seconds, of these traits."""

    breaks: Callable[[], None]
    faults: Sequence[schedule.Fault]
    traits: Traits = PLAIN
    posted: float = 1.5


def _each(deed: schedule.Deed, table: str, seconds: float = 0.0, times: int = 1) -> list[schedule.Fault]:
    return [
        schedule.Fault(0.0, "rule", worker, seconds, deed=deed, table=table, times=times) for worker in range(WORKERS)
    ]


VARIANTS = {
    "acknowledge-before-flush": Variant(acknowledge_before_flush, _each("kill", "statements")),
    "drop-the-watermark": Variant(drop_the_watermark, _each("kill", "sink_flushes")),
    "dedupe-without-offsets": Variant(dedupe_without_offsets, _each("kill", "attempts")),
    "count-the-voided-again": Variant(count_the_voided_again, (), Traits(voiding=True, copies=False, moves=False)),
    "last-writer-wins": Variant(
        last_writer_wins, [schedule.Fault(0.1, "rule", 0, 14.0, deed="stop after", table="statements")], posted=12.0
    ),
    "lose-dead-letters": Variant(
        lose_dead_letters, [schedule.Fault(at, "kill worker", worker) for at in (2.0, 5.0) for worker in range(WORKERS)]
    ),
    "corrections-count-each-time": Variant(
        corrections_count_each_time,
        (),
        Traits(voiding=False, copies=True, moves=False),
    ),
    "keep-the-former-calibration": Variant(
        keep_the_former_calibration, [schedule.Fault(0.0, "calibration use")], posted=10.0
    ),
}
"""By name; all are broken by ``make faults ARGS="--break all"``."""


def provoking(name: str, seed: int) -> Schedule:
    """What shows that an invariant is broken."""
    variant = VARIANTS[name]
    statements = 120 if variant.traits == PLAIN else 240
    return Schedule(seed, variant.faults, statements, variant.posted, 20.0, variant.traits)


def main() -> int:
    """Break, then run a worker as the command does."""
    VARIANTS[sys.argv[1]].breaks()
    return app.serve(Settings())


if __name__ == "__main__":
    sys.exit(main())
