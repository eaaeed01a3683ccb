"""The rounds of the finders, on the worker that owns the first partition: find, put into the log, remember how far.

At least once: what is found again after a crash is in the log twice, and its second time has no effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from sqlalchemy import Engine

from infra.runtime.logging import get_logger
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.settings import Settings
from schemas.events import Item
from streams.corrections.copies import Copies
from streams.corrections.facts import Facts, Void
from streams.corrections.items import Correction
from streams.corrections.links import Links
from streams.corrections.marks import Mark
from streams.corrections.outbox import Lately, Outbox
from streams.corrections.voids import Voids
from streams.dedupe import CLOCK_ERROR_US
from streams.sink import StoppedError
from streams.store import Reader

log = get_logger(__name__)

DAY_US: Final = 24 * 3600 * 1_000_000
OVERLAP_US: Final = CLOCK_ERROR_US
"""Looked at again before a mark: clocks of two ingest processes may be so far apart."""
SLICE_US: Final = 3600 * 1_000_000
"""Most that is looked through for copies at once, by the time of storing."""
SHARE: Final = 0.1
"""Of the time, a finder takes at most so much: in a large district it looks less often."""


class Turn(Protocol):
    """One finder's turn; both are called in a thread, ``settle`` when what was found is in the log."""

    name: str

    def look(self, now: int) -> list[Correction]:
        """What has to be corrected; ``now`` in µs."""

    def settle(self) -> None:
        """Remember how far it looked."""


class VoidsTurn:
    """Voids, from where they were looked for last."""

    name = Voids.name

    def __init__(self, facts: Facts, registry: Engine, metrics: StreamsMetrics) -> None:
        def refuse(_void: Void, why: str) -> None:
            metrics.voids_without_effect.labels(reason=why).inc()

        self._facts = facts
        self._metrics = metrics
        self._mark = Mark(registry, self.name)
        self._voids = Voids(facts, refuse)
        self._settled = 0

    def look(self, now: int) -> list[Correction]:
        self._settled = self._facts.settled_until()
        since = now - DAY_US if self._mark.until is None else self._mark.until
        found = self._voids.look(since - OVERLAP_US, now)
        self._metrics.voids_waiting.set(self._voids.waiting)
        return found

    def settle(self) -> None:
        self._mark.advance(self._settled)


class CopiesTurn:
    """Copies, slice by slice from where they were looked for last."""

    name = Copies.name

    def __init__(self, facts: Facts, registry: Engine, copies: Copies) -> None:
        self._facts = facts
        self._mark = Mark(registry, self.name)
        self._copies = copies
        self._settled = 0

    def look(self, now: int) -> list[Correction]:
        settled = self._facts.settled_until()
        since = now - DAY_US if self._mark.until is None else self._mark.until
        behind = since + SLICE_US < settled
        self._settled = since + SLICE_US if behind else settled
        # The last slice is open: what is there already need not wait for the slowest partition.
        return self._copies.look(since - OVERLAP_US, self._settled if behind else now + DAY_US, now)

    def settle(self) -> None:
        self._mark.advance(self._settled)


class LinksTurn:
    """Links, watched for a day each."""

    name = Links.name

    def __init__(self, facts: Facts, links: Links) -> None:
        self._facts = facts
        self._links = links

    def look(self, now: int) -> list[Correction]:
        return self._links.look(self._facts.settled_until(), now)

    def settle(self) -> None:
        self._links.settle()


class Rounds:
    """Runs the finders; ``clock`` tells now in µs, ``seconds`` runs steadily.

    ``read`` waits while the store is away; ``publish`` returns when all items are in the log.
    """

    def __init__(
        self,
        read: Reader,
        registry: Engine,
        settings: Settings,
        publish: Callable[[Sequence[Item]], Awaitable[None]],
        metrics: StreamsMetrics,
        clock: Callable[[], int],
        seconds: Callable[[], float],
    ) -> None:
        self._facts = Facts(read, settings.kafka.generation, settings.kafka.partitions)
        self._registry = registry
        self._settings = settings
        self._lately = Lately(seconds)
        self._outbox = Outbox(publish, self._lately)
        self._metrics = metrics
        self._clock = clock
        self._seconds = seconds
        self._turns: list[tuple[Turn, float]] = []
        self._due: dict[str, float] = {}
        self._costs: dict[str, float] = {}

    async def run(self, mine: Callable[[], bool]) -> None:
        """Go round until cancelled, whenever ``mine`` says that it is this worker's to do.

        A turn that fails is told, and tried again at the next one.
        """
        while True:
            await asyncio.sleep(self._settings.streams.corrections_seconds)
            if not mine():
                # Whoever owns it goes on from the marks; what was in memory here is old when it comes back.
                self._turns = []
                continue
            try:
                await self.once()
            except StoppedError:
                return
            except Exception:
                log.exception("corrections could not be found or published")

    async def once(self) -> None:
        """Each finder that is due has its turn."""
        if not self._turns:
            self._turns = await asyncio.to_thread(self._begin)
        for turn, every in self._turns:
            if self._seconds() < self._due.get(turn.name, 0.0):
                continue
            began = self._seconds()
            try:
                found = await asyncio.to_thread(turn.look, self._clock())
                published = await self._outbox.put(found)
                await asyncio.to_thread(turn.settle)
            finally:
                self._due[turn.name] = self._seconds() + max(every, self._cost(turn.name, began, every) / SHARE)
            for one in published:
                self._metrics.corrections.labels(reason=one.reason).inc()
            if published:
                log.info("corrections put into the log", by=turn.name, corrections=len(published))

    def _cost(self, name: str, began: float, every: float) -> float:
        """What a turn is taken to cost, s: what it took, at most twice what it was taken to cost before. A turn that
        waited for the store to come back does not make the next ones rare."""
        cost = min(self._seconds() - began, 2 * self._costs.get(name, every * SHARE))
        self._costs[name] = max(cost, every * SHARE)
        return cost

    def _begin(self) -> list[tuple[Turn, float]]:
        streams, generation = self._settings.streams, self._settings.kafka.generation
        copies = Copies(self._facts, generation, streams.copies_days * DAY_US)
        links = Links(self._facts, self._registry, self._lately.__contains__)
        return [
            (VoidsTurn(self._facts, self._registry, self._metrics), streams.corrections_seconds),
            (LinksTurn(self._facts, links), streams.corrections_seconds),
            (CopiesTurn(self._facts, self._registry, copies), streams.copies_seconds),
        ]
