"""What the quarantine does beside the requests: reads rules, applies them to what waits, replays what was repaired."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, select, update

from infra.runtime import quarantine
from infra.runtime.logging import get_logger
from infra.runtime.metrics import IngestMetrics
from infra.runtime.quarantine import Item
from ingest.credentials import Credential
from ingest.errors import ApiError
from ingest.quarantine.keeper import Quarantine
from ingest.quarantine.repair import Repair, RepairFaultError, apply, check, check_text, rule, write
from ingest.xapi import terms
from ingest.xapi.parse import DECODER, SORTED
from ingest.xapi.timestamps import format_microseconds
from schemas.registry.lrs import quarantined, repairs

log = get_logger(__name__)

_POLL_SECONDS: Final = 1.0
_AT_ONCE: Final = 200
_LEAST_STATUS_OF_OURS: Final = 500
_LATER: Final = frozenset({408, 425, 429})

Accept = Callable[[list[dict[str, Any]], Credential, str], Awaitable[list[str]]]
"""The acceptance of a POST: valid statements, by whom, version; raises ApiError."""


class QuarantineClock:
    """Runs beside the requests of one ingest process. Several may: a statement that two replay has one id."""

    def __init__(
        self,
        engine: Engine,
        keeper: Quarantine,
        accept: Accept,
        credentials: Callable[[], dict[str, Credential]],
        metrics: IngestMetrics,
        clock: Callable[[], int],
        every_seconds: float,
    ) -> None:
        self._engine = engine
        self._keeper = keeper
        self._accept = accept
        self._credentials = credentials
        self._metrics = metrics
        self._clock = clock
        self._every = every_seconds
        self._read_at = 0.0
        self._texts: dict[str, tuple[Any, ...]] = {}

    async def run(self) -> None:
        """Again and again, until cancelled; a registry or log that is away is waited for."""
        while True:
            try:
                await self.once()
            except Exception as error:
                log.warning("the quarantine waits", error=repr(error))
            await asyncio.sleep(min(self._every, _POLL_SECONDS))

    async def once(self) -> None:
        """Rules where it is time, then what is ready to be replayed."""
        began = time.monotonic()
        if began - self._read_at >= self._every:
            await self._run(self._refresh)
            self._read_at = began
        while ready := await self._run(self._ready):
            if not await self._replay(ready):
                return

    async def _run(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._keeper.threads, call)

    def _ready(self) -> list[Item]:
        with self._engine.connect() as connection:
            return quarantine.ready(connection, _AT_ONCE)

    def _refresh(self) -> None:
        """Read rules and counts, write how often rules helped, and apply new rules to what waits."""
        mended, self._keeper.mended = self._keeper.mended, defaultdict(int)
        with self._engine.begin() as connection:
            for repair_id, times in mended.items():
                values = {"mended": repairs.c.mended + times, "mended_at": self._clock()}
                connection.execute(update(repairs).where(repairs.c.repair_id == repair_id).values(values))
            rows = quarantine.rules(connection)
            waiting = quarantine.waiting_by_provider(connection)
        by_provider: dict[str, list[Repair]] = {}
        texts: dict[str, tuple[Any, ...]] = {}
        for row in rows:
            try:
                one = rule(row.path, row.action, row.found, row.value, row.repair_id)
            except RepairFaultError as error:
                log.warning("a rule of repair cannot be used", repair_id=row.repair_id, error=str(error))
                continue
            by_provider.setdefault(row.provider_id, []).append(one)
            texts[row.provider_id] = (*texts.get(row.provider_id, ()), row.repair_id)
        self._keeper.rules = by_provider
        for provider_id in waiting.keys() | self._keeper.waiting.keys():
            self._metrics.quarantine_waiting.labels(provider_id).set(waiting.get(provider_id, 0))
        self._keeper.waiting = waiting
        for provider_id, own in texts.items():
            if own != self._texts.get(provider_id) and waiting.get(provider_id):
                self._mend_waiting(provider_id, by_provider[provider_id])
        self._texts = texts

    def _mend_waiting(self, provider_id: str, rules: Sequence[Repair]) -> None:
        """Rules are new: try them on all that waits."""
        own = quarantined.c
        after, found = "", True
        while found:
            query = (
                select(own.item_id, own.statement, own.version)
                .where(own.provider_id == provider_id, own.status == "waiting", own.repaired.is_(None))
                .where(own.item_id > after)
                .order_by(own.item_id)
                .limit(_AT_ONCE)
            )
            with self._engine.begin() as connection:
                rows = connection.execute(query).all()
                for row in rows:
                    changed, used = apply(rules, DECODER.decode(row.statement))
                    if used and not check(changed, row.version):
                        values = {
                            "repaired": write(changed),
                            "decided_by": "rule",
                            "reason": f"mended by {'rule' if len(used) == 1 else 'rules'} {', '.join(used)}",
                        }
                        ours = update(quarantined).where(own.item_id == row.item_id, own.status == "waiting")
                        connection.execute(ours.values(values))
                        for one in used:
                            self._keeper.mended[one] += 1
            found = bool(rows)
            after = rows[-1].item_id if rows else after

    async def _replay(self, ready: list[Item]) -> bool:
        """Whether to go on at once; False where log or registry do not answer, or the provider's rate is used up."""
        order = sorted(ready, key=lambda one: (one.provider_id, one.credential, one.version))
        for (provider_id, key, version), some in groupby(order, lambda o: (o.provider_id, o.credential, o.version)):
            by = self._credentials().get(key) or Credential(key, provider_id, "", False)
            valid: list[tuple[Item, dict[str, Any]]] = []
            for one in some:
                value, faults = check_text(one.repaired or "", version)
                if faults:
                    await self._run(partial(self._sent_back, one, faults[0].message, faults))
                else:
                    valid.append((one, _with_id_and_time(value, one)))
            if valid and not await self._accepted(valid, by, version):
                return False
        return True

    async def _accepted(self, valid: list[tuple[Item, dict[str, Any]]], by: Credential, version: str) -> bool:
        """Accept statements together; where that is refused, one by one, so that each keeps its own reason."""
        try:
            # Acceptance uses them up.
            await self._accept([DECODER.decode(SORTED.encode(value)) for _, value in valid], by, version)
        except ApiError as error:
            if error.status >= _LEAST_STATUS_OF_OURS or error.status in _LATER:
                log.warning("the quarantine waits", status=error.status, error=error.message)
                return False
            if len(valid) == 1:
                await self._run(partial(self._sent_back, valid[0][0], error.message, error.faults))
                return True
            return all([await self._accepted([one], by, version) for one in valid])
        await self._run(partial(self._replayed, [one for one, _ in valid]))
        self._metrics.replayed.labels(by.provider_id).inc(len(valid))
        log.info("repaired statements were replayed", provider=by.provider_id, statements=len(valid))
        return True

    def _replayed(self, some: list[Item]) -> None:
        own = quarantined.c
        values = {"status": "replayed", "decided_at": self._clock()}
        with self._engine.begin() as connection:
            ids = [one.item_id for one in some]
            connection.execute(update(quarantined).where(own.item_id.in_(ids)).values(values))

    def _sent_back(self, one: Item, why: str, faults: Sequence[Any]) -> None:
        """It waits again, with what was wrong with its repaired form."""
        values: dict[str, Any] = {"repaired": None, "reason": f"the repaired statement was refused: {why}"}
        if faults:
            values["faults"] = msgspec.json.encode(list(faults)).decode()
        with self._engine.begin() as connection:
            own = quarantined.c
            ours = update(quarantined).where(own.item_id == one.item_id, own.status == "waiting")
            connection.execute(ours.values(values))


def _with_id_and_time(statement: dict[str, Any], one: Item) -> dict[str, Any]:
    """A statement as it would have been accepted when it came: under the id that was answered, at the time it came."""
    if not terms.is_uuid(statement.get("id")):
        statement["id"] = one.item_id
    statement.setdefault("timestamp", format_microseconds(one.received_at))
    return statement
