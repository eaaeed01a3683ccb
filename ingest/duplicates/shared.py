"""Reservations of processes on many machines: a table of the registry in PostgreSQL, one transaction a round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sqlalchemy import Engine, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.logging import get_logger
from ingest.duplicates.taking import ReservationsAwayError, Taking, decide
from schemas.registry.lrs import reservations

log = get_logger(__name__)

_LOCK: Final = 0x726F756E64
"""Key of the advisory lock: rounds of all processes come one after the other, and so need no second look."""
_CHUNK: Final = 5000
_PRUNE_SECONDS: Final = 30.0


class SharedReservations:
    """Used by one event loop; the registry is asked in a thread."""

    def __init__(
        self,
        engine: Engine,
        seconds: float,
        clock: Callable[[], int],
        readable: Callable[[], int],
        timeout_seconds: float,
    ) -> None:
        """``clock`` gives µs since the epoch, ``readable`` the moment up to which all that was stored can be read in
        the store."""
        self._engine = engine
        self._kept_us = int(seconds * 1e6)
        self._clock = clock
        self._readable = readable
        self._timeout = timeout_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reservations")

    async def take(self, requests: Sequence[Sequence[Taking]]) -> list[list[int]]:
        if not any(requests):
            return [[] for _ in requests]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._thread, self._take, requests, time.monotonic() + self._timeout)
        except (TimeoutError, SQLAlchemyError) as error:
            raise ReservationsAwayError(type(error).__name__) from error

    async def run(self) -> None:
        """Remove what the store is sure to know."""
        while True:
            await asyncio.sleep(_PRUNE_SECONDS)
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._prune)
            except SQLAlchemyError as error:
                log.warning("the registry does not answer", error=type(error).__name__)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _take(self, requests: Sequence[Sequence[Taking]], deadline: float) -> list[list[int]]:
        if time.monotonic() > deadline:
            raise TimeoutError  # Nobody waits for it any more.
        own = reservations.c
        asked = list({one for request in requests for one, _ in request})
        until = self._clock() + self._kept_us
        held: dict[bytes, int] = {}
        with self._engine.begin() as connection:
            # A crash of the database may forget the last half second; the workers still find those conflicts.
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(select(text("pg_advisory_xact_lock(:key)")).params(key=_LOCK))
            for begin in range(0, len(asked), _CHUNK):
                query = select(own.statement_id, own.digest).where(own.statement_id.in_(asked[begin : begin + _CHUNK]))
                held.update((bytes(one), digest) for one, digest in connection.execute(query))
            conflicts, taken = decide(requests, held)
            if taken:
                rows = [{"statement_id": one, "digest": digest, "until": until} for one, digest in taken.items()]
                connection.execute(insert(reservations), rows)
            again = {
                one for request, wrong in zip(requests, conflicts, strict=True) if not wrong for one, _ in request
            } & held.keys()
            if again:
                prolonged = update(reservations).where(own.statement_id == bindparam("one")).values(until=until)
                connection.execute(prolonged, [{"one": one} for one in again])
        return conflicts

    def _prune(self) -> None:
        own = reservations.c
        # Kept so long after the store has it as well: each process hears of what is stored in its own time.
        known = min(self._clock(), self._readable())
        some = select(own.statement_id).where(own.until < known).limit(_CHUNK)
        while True:
            with self._engine.begin() as connection:
                if connection.execute(delete(reservations).where(own.statement_id.in_(some))).rowcount < _CHUNK:
                    return
