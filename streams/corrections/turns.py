"""A finder's turn: from where it looked last to where the sinks are, and how far that was."""

from __future__ import annotations

from typing import Final, Protocol

from sqlalchemy import Engine

from infra.runtime.metrics import StreamsMetrics
from streams.corrections.copies import Copies
from streams.corrections.facts import Facts, Void
from streams.corrections.items import Correction
from streams.corrections.links import Links
from streams.corrections.marks import Mark
from streams.corrections.voids import Voids
from streams.dedupe import CLOCK_ERROR_US

DAY_US: Final = 24 * 3600 * 1_000_000
OVERLAP_US: Final = CLOCK_ERROR_US
"""Looked at again before a mark: clocks of two ingest processes may be so far apart."""
SLICE_US: Final = 3600 * 1_000_000
"""Most that is looked through for copies at once, by the time of storing."""


class Turn(Protocol):
    """``look`` and ``settle`` are called in a thread, ``settle`` when what was found is in the log.

    ``behind``: there is more to look through, which need not wait for the next round.
    """

    name: str
    behind: bool

    def look(self, now: int) -> list[Correction]:
        """What has to be corrected; ``now`` in µs."""

    def settle(self) -> None:
        """Remember how far it looked."""


class VoidsTurn:
    """Voids, from where they were looked for last."""

    name = Voids.name
    behind = False

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
        # The first look of a worker is at all voiding statements without effect, wherever it begins.
        since = now - DAY_US if self._mark.until is None else self._mark.until
        found = self._voids.look(since - OVERLAP_US, now)
        self._metrics.voids_waiting.set(self._voids.waiting)
        return found

    def settle(self) -> None:
        self._mark.advance(self._settled)


class CopiesTurn:
    """Copies, slice by slice from where they were looked for last, else from the very first statement."""

    name = Copies.name

    def __init__(self, facts: Facts, registry: Engine, copies: Copies) -> None:
        self._facts = facts
        self._mark = Mark(registry, self.name)
        self._copies = copies
        self._settled = 0
        self.behind = False

    def look(self, now: int) -> list[Correction]:
        settled = self._facts.settled_until()
        since = self._mark.until
        if since is None:
            since = self._facts.earliest() or now
        self.behind = since + SLICE_US < settled
        self._settled = since + SLICE_US if self.behind else settled
        # The last slice is open: what is there already need not wait for the slowest partition.
        until = self._settled if self.behind else now + DAY_US
        return self._copies.look(since - OVERLAP_US, until, settled, now)

    def settle(self) -> None:
        self._mark.advance(self._settled)


class LinksTurn:
    """Links, watched for a day each."""

    name = Links.name
    behind = False

    def __init__(self, facts: Facts, links: Links) -> None:
        self._facts = facts
        self._links = links

    def look(self, now: int) -> list[Correction]:
        return self._links.look(self._facts.settled_until(), now)

    def settle(self) -> None:
        self._links.settle()
