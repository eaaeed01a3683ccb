"""The rounds of the finders, on the worker that owns the first partition: find, put into the log, remember how far.

At least once: what is found again after a crash is in the log twice, and its second time has no effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiokafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.logging import get_logger
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.settings import Settings
from schemas.events import Item
from streams.corrections.copies import Copies
from streams.corrections.facts import Facts
from streams.corrections.links import Links
from streams.corrections.outbox import Lately, Offsets, Outbox
from streams.corrections.turns import DAY_US, CopiesTurn, LinksTurn, Turn, VoidsTurn
from streams.sink import StoppedError
from streams.store import Reader

log = get_logger(__name__)

SHARE: Final = 0.1
"""Of the time, a finder takes at most so much: in a large district it looks less often."""


class Rounds:
    """Runs the finders; ``clock`` tells now in µs, ``seconds`` runs steadily.

    ``read`` waits while the store is away; ``publish`` returns the last offsets when all items are in the log.
    """

    def __init__(
        self,
        read: Reader,
        registry: Engine,
        settings: Settings,
        publish: Callable[[Sequence[Item]], Awaitable[Offsets]],
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

        A finder whose turn failed looks again from the same place at its next one.
        """
        while True:
            await asyncio.sleep(self._settings.streams.corrections_seconds)
            if not mine():
                # Whoever owns it goes on from the marks; what was in memory here is old when it comes back.
                self._turns = []
                continue
            try:
                await self.once(mine)
            except StoppedError:
                return

    async def once(self, mine: Callable[[], bool] = lambda: True) -> None:
        """Each finder that is due has its turn; what fails is told.

        What was found while the first partition went to another worker is left to that one.
        """
        try:
            self._turns = self._turns or await asyncio.to_thread(self._begin)
        except SQLAlchemyError as error:
            log.warning("the registry does not answer: no corrections are looked for", error=type(error).__name__)
        for turn, every in self._turns:
            began = self._seconds()
            if began < self._due.get(turn.name, 0.0):
                continue
            try:
                await self._take(turn, mine)
            except StoppedError:
                raise
            except (SQLAlchemyError, KafkaError) as error:
                log.warning("corrections wait: registry or log does not answer", by=turn.name, error=repr(error)[:200])
            except Exception:
                log.exception("corrections could not be found, or not be put into the log", by=turn.name)
            pause = self._cost(turn.name, began, every) / SHARE
            self._due[turn.name] = began + (pause if turn.behind else max(every, pause))

    async def _take(self, turn: Turn, mine: Callable[[], bool]) -> None:
        self._lately.written(await asyncio.to_thread(self._facts.written))
        found = await asyncio.to_thread(turn.look, self._clock())
        if not mine():
            return
        published = await self._outbox.put(found)
        await asyncio.to_thread(turn.settle)
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
