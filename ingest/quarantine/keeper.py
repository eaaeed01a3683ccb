"""Keeps aside what breaks a rule: the registry's side of a POST or PUT of a provider in quarantine."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.logging import get_logger
from infra.runtime.metrics import IngestMetrics
from ingest.credentials import Credential
from ingest.errors import retry_after
from ingest.identifiers import StatementIds
from ingest.minutes import Minutes
from ingest.quarantine.repair import Repair
from ingest.quarantine.split import Kept, Split, as_batch, in_batch, split
from ingest.xapi.faults import Faults
from schemas.registry.lrs import quarantined

log = get_logger(__name__)

_INDEXES_TOLD: Final = 100
_AT_ONCE: Final = 500
_ANSWERED: Final = 200
"""Status under which faults of kept statements are told on the provider's page: the request was answered with it."""


@dataclass(frozen=True)
class Aside:
    """What became of a batch: ``good`` goes on to the acceptance, ``kept`` waits, ``new`` of it was not there."""

    provider_id: str
    good: list[Any]
    kept: list[Kept] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    repaired: int = 0
    mended: dict[str, int] = field(default_factory=dict)

    def ids(self, accepted: Sequence[str]) -> list[str]:
        """Ids of the whole batch in its order, from those of the accepted statements in theirs."""
        own = {one.idx: one.statement_id for one in self.kept}
        rest = iter(accepted)
        return [own[index] if index in own else next(rest) for index in range(len(accepted) + len(own))]

    def headers(self) -> list[tuple[bytes, bytes]]:
        """How many were kept aside or mended, and which (the first hundred): never silently."""
        told = []
        if self.kept:
            indexes = ",".join(str(one.idx) for one in self.kept[:_INDEXES_TOLD])
            told += [
                (b"x-roundtrip-quarantined", str(len(self.kept)).encode()),
                (b"x-roundtrip-quarantined-items", indexes.encode()),
            ]
        if self.repaired:
            told.append((b"x-roundtrip-repaired", str(self.repaired).encode()))
        return told


class Quarantine:
    """Takes faulty batches apart and keeps what is wrong; ``rules`` and ``waiting`` are replaced by the clock."""

    def __init__(
        self, engine: Engine, minutes: Minutes, metrics: IngestMetrics, clock: Callable[[], int], most_waiting: int
    ) -> None:
        self.rules: dict[str, list[Repair]] = {}
        self.waiting: dict[str, int] = {}
        self.mended: dict[str, int] = defaultdict(int)
        self._engine = engine
        self._minutes = minutes
        self._metrics = metrics
        self._clock = clock
        self._most = most_waiting
        self._ids = StatementIds()
        self.threads = ThreadPoolExecutor(1, thread_name_prefix="quarantine")

    def close(self) -> None:
        """Release the thread."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def keep(
        self, request_id: str, value: Any, faults: Faults, of_request: Collection[str], by: Credential, version: str
    ) -> Aside | None:
        """Take a faulty body apart and keep its faulty statements.

        None where the request as a whole is at fault (``of_request``: codes of such rules), or too many wait already.
        What is kept is in the registry when this returns. Raises ApiError 503 where that does not answer.
        """
        batch = as_batch(value, faults, of_request)
        if batch is None:
            return None
        statements, faults = batch
        rules = self.rules.get(by.provider_id, ())
        parts = split(statements, faults, rules, by.provider_id, version, self._ids.new)
        if self.waiting.get(by.provider_id, 0) + len(parts.kept) > self._most:
            return None
        try:
            new = await self._run(partial(self._insert, request_id, parts, by, version)) if parts.kept else []
        except SQLAlchemyError:
            raise retry_after(503, "the registry does not answer: try again", 2, statements=len(statements)) from None
        return Aside(by.provider_id, parts.good, parts.kept, new, parts.repaired, parts.mended)

    def answered(self, request_id: str, aside: Aside) -> None:
        """The rest of the batch was accepted: count what was kept and mended, and tell the provider's page."""
        provider_id, now = aside.provider_id, self._clock()
        if aside.kept:
            faults = [in_batch(one.idx, fault) for one in aside.kept for fault in one.faults]
            self._minutes.kept_aside(provider_id, now, len(aside.kept))
            self._minutes.refused(provider_id, now, request_id, _ANSWERED, faults)
            self._metrics.quarantined.labels(provider_id).inc(len(aside.kept))
            self.waiting[provider_id] = self.waiting.get(provider_id, 0) + len(aside.new)
        if aside.repaired:
            self._metrics.mended.labels(provider_id).inc(aside.repaired)
            for rule, times in aside.mended.items():
                self.mended[rule] += times
        log.info(
            "a batch was taken apart",
            provider=provider_id,
            request_id=request_id,
            accepted=len(aside.good),
            kept_aside=len(aside.kept),
            repaired=aside.repaired,
        )

    async def take_back(self, aside: Aside) -> None:
        """The rest of the batch was not accepted, so nothing of it is: the client sends it again."""
        if aside.new:
            try:
                await self._run(partial(self._delete, aside.new))
            except SQLAlchemyError as error:
                log.warning("kept statements of a refused batch stay in quarantine", error=type(error).__name__)

    async def _run(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)

    def _insert(self, request_id: str, parts: Split, by: Credential, version: str) -> list[str]:
        now = self._clock()
        rows = {
            one.item_id: {
                "item_id": one.item_id,
                "provider_id": by.provider_id,
                "credential": by.key[:64],
                "request_id": request_id,
                "idx": one.idx,
                "received_at": now,
                "version": version,
                "statement": one.statement.decode(),
                "faults": msgspec.json.encode(one.faults).decode(),
            }
            for one in parts.kept
        }
        own = quarantined.c.item_id
        with self._engine.begin() as connection:
            wanted = list(rows)
            for first in range(0, len(wanted), _AT_ONCE):
                there = select(own).where(own.in_(wanted[first : first + _AT_ONCE]))
                for item_id in connection.execute(there).scalars():
                    del rows[item_id]
            if rows:
                connection.execute(insert(quarantined), list(rows.values()))
        return list(rows)

    def _delete(self, items: list[str]) -> None:
        with self._engine.begin() as connection:
            for first in range(0, len(items), _AT_ONCE):
                some = items[first : first + _AT_ONCE]
                connection.execute(delete(quarantined).where(quarantined.c.item_id.in_(some)))
