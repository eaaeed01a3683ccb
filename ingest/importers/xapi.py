"""An import of statements: from a source, through the door, batch by batch, so that it can stop and go on anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, NamedTuple

from ingest.importers.posting import Poster
from ingest.importers.progress import Imports, Progress
from ingest.importers.refusals import Refusals
from ingest.importers.sources import Found, Position, Source
from ingest.xapi.version import ONE, TWO

MAX_BATCH_BYTES: Final = 2 * 1024 * 1024


class Batch(NamedTuple):
    """Statements that are posted together: of one version, in order."""

    statements: list[Found]
    version: str


class Stopped(Exception):  # nothing failed: it was asked for
    """A statement was refused, and the import was to stop at the first one."""


class Import:
    """One run. ``show`` is told after each batch."""

    def __init__(
        self,
        source: Source,
        poster: Poster,
        imports: Imports,
        refusals: Refusals,
        progress: Progress,
        *,
        batch: int,
        default_version: str,
        stop: bool = False,
        show: Callable[[Progress, int, int], None] = lambda progress, done, total: None,
    ) -> None:
        self._source = source
        self._poster = poster
        self._imports = imports
        self._refusals = refusals
        self._batch = batch
        self._default = default_version
        self._stop = stop
        self._show = show
        self.progress = progress
        self.read = progress.accepted + progress.refused
        """Values that came out of the source, those of earlier runs included."""

    async def run(self) -> Progress:
        """Import to the end of the source.

        Raises SourceError, PostingError, Stopped; what was done until then is kept, and another run goes on there.
        """
        position = self.progress.position
        waiting: list[Found] = []
        size = 0
        async with aclosing(self._source.read(position)) as values:
            async for one in values:
                full = len(waiting) >= self._batch or size + len(one.raw) > MAX_BATCH_BYTES
                if waiting and (full or self._version(waiting[0]) != self._version(one)):
                    await self._post(Batch(waiting, self._version(waiting[0])))
                    waiting, size = [], 0
                waiting.append(one)
                size += len(one.raw)
        if waiting:
            await self._post(Batch(waiting, self._version(waiting[0])))
        self._keep(self.progress.position, 0, finished=True)
        return self.progress

    def _version(self, one: Found) -> str:
        """The version that a statement is posted under: its own, so that it is held to the rules it was made by."""
        if one.version:
            return ONE if one.version.startswith("1.") else TWO
        return self._default

    async def _post(self, batch: Batch) -> None:
        raw = [one.raw for one in batch.statements]
        refused = await self._poster.post(raw, batch.version, whole=self._stop)
        if refused and self._stop:
            first = refused[0]
            reasons = "; ".join(f"{one.get('path', '')}: {one.get('message', '')}" for one in first.faults)
            raise Stopped(f"{batch.statements[first.number].place}: {reasons or first.error}")
        for one in refused:
            self._refusals.add(raw[one.number], batch.statements[one.number].place, one)
        self.read += len(raw)
        self._keep(batch.statements[-1].after, len(raw) - len(refused), len(refused))

    def _keep(self, position: Position, accepted: int, refused: int = 0, *, finished: bool = False) -> None:
        self.progress = Progress(
            position,
            self.progress.accepted + accepted,
            self.progress.refused + refused,
            self._refusals.size,
            finished,
        )
        self._imports.save(self.progress, time.time_ns() // 1000)
        self._show(self.progress, self._source.done, self._source.total)
