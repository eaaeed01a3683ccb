"""Ids that the store holds: a Bloom filter that says which are surely new, and a look-up for those that may not be.

The filter is filled from the store in the background when the process starts, and then follows it. Until it is full
every id may be stored. When the store is away nothing is asked of it: workers still find the conflict, later.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from clickhouse_connect.driver.client import Client
from rbloom import Bloom

from infra.runtime.logging import get_logger
from ingest.store import Store

log = get_logger(__name__)

_FALSE_POSITIVES: Final = 1e-5
"""Of new ids so few are looked up; 3 bytes an id. At twice as many ids as it was made for it is one of a hundred."""
_FOLLOW_SECONDS: Final = 5.0
_LOOKUP_SECONDS: Final = 3.0
_CHUNK_IDS: Final = 4096
_EVER: Final = 4_000_000_000_000_000
"""µs since the epoch; in the year 2096."""
_CHUNK_PAUSE_SECONDS: Final = 0.003

_STORED: Final = """
SELECT statement_id FROM statements WHERE stored > fromUnixTimestamp64Micro({after:Int64}) AND
stored <= fromUnixTimestamp64Micro({until:Int64})
"""
_BY_HOUR: Final = """
SELECT toUnixTimestamp(toStartOfHour(stored)) AS hour, count() FROM statements GROUP BY hour ORDER BY hour DESC
"""
# Of an id that stands under two keys the first copy is the one that stays (streams.corrections.copies).
_DIGESTS: Final = """
SELECT toString(statement_id), argMin(digest, (stored, partition, offset, idx)) FROM statements
WHERE id_key IN (arrayMap(one -> toUInt32(cityHash64(one)), {ids:Array(UUID)}))
AND statement_id IN {ids:Array(UUID)} GROUP BY statement_id
"""


class StoredIds:
    """Used by one event loop; the store is read in threads."""

    def __init__(self, store: Store, readable: Callable[[], int], most: int) -> None:
        """``readable``: µs up to which all that was stored can be read in the store, 0 where nothing is known;
        ``most``: how many ids to remember, 0 to ask for none."""
        self._store = store
        self._readable = readable
        self._most = most
        self._filter: Bloom | None = None
        self._held = 0
        self._through = 0
        self._away = False
        self._waiting: list[tuple[Sequence[str], asyncio.Future[dict[str, int]]]] = []
        self._looker: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether the filter knows all that is stored."""
        return self._filter is not None

    def maybe(self, ids: Sequence[str | None], codes: Sequence[bytes | None]) -> list[str]:
        """Those that may be stored, of ids in lower case and their bytes. None, while the store is away."""
        if not self._most or self._away:
            return []
        known = self._filter
        if known is None:
            return [one for one in ids if one is not None]
        return [
            one for one, own in zip(ids, codes, strict=True) if own is not None and own in known and one is not None
        ]

    async def digests(self, ids: Sequence[str]) -> dict[str, int]:
        """Digests of those that are stored; requests that come while a look-up is under way share the next one.

        What the store does not answer in time counts as not stored.
        """
        future: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((ids, future))
        if self._looker is None:
            self._looker = asyncio.create_task(self._look())
        return await future

    async def run(self) -> None:
        """Fill the filter and keep it so, until cancelled."""
        while self._most:
            try:
                if self._filter is None or self._held > 2 * self._most or self._through == 0 < self._readable():
                    await self._fill()
                else:
                    await self._follow()
                self._away = False
            except Exception as error:
                self._failed("ids that are stored cannot be read", error)
            await asyncio.sleep(_FOLLOW_SECONDS)

    async def _fill(self) -> None:
        through = self._readable()
        after, count = await self._store.run(self._newest)
        self._away = False
        made = Bloom(self._most, _FALSE_POSITIVES)
        held = await self._store.run(lambda client: _add(client, made, after, _EVER))
        self._filter, self._held, self._through = made, held, through
        log.info("ids that are stored are remembered", ids=held, stored=count)

    async def _follow(self) -> None:
        until, known = self._readable(), self._filter
        if until > self._through and known is not None:
            after = self._through
            self._held += await self._store.run(lambda client: _add(client, known, after, until))
            self._through = until

    def _newest(self, client: Client) -> tuple[int, int]:
        """From when on (µs) to remember, by whole hours, and how many statements there are."""
        count = after = 0
        for hour, statements in client.query(_BY_HOUR).result_rows:
            if not after and count + int(statements) > self._most:
                after = (int(hour) + 3600) * 1_000_000 - 1
            count += int(statements)
        return after, count

    async def _look(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                found: dict[str, int] = {}
                if not self._away:
                    wanted = sorted({one for ids, _ in taken for one in ids})
                    try:
                        async with asyncio.timeout(_LOOKUP_SECONDS):
                            found = await self._store.run(lambda client, wanted=wanted: _digests(client, wanted))  # type: ignore[misc]
                    except Exception as error:
                        self._failed("ids cannot be looked up", error)
                for _, future in taken:
                    if not future.done():
                        future.set_result(found)
        finally:
            self._looker = None

    def _failed(self, what: str, error: Exception) -> None:
        """Only what runs beside the requests asks again: they do not wait for a store that is away."""
        self._away = True
        log.warning(what, error=type(error).__name__)


def _digests(client: Client, ids: Sequence[str]) -> dict[str, int]:
    rows = client.query(_DIGESTS, parameters={"ids": list(ids)}).result_rows
    return {one: int(digest) for one, digest in rows}


def _add(client: Client, to: Bloom, after: int, until: int) -> int:
    """In a thread: add what was stored in (after, until], a little at a time, since requests wait meanwhile."""
    count = 0
    with client.raw_stream(_STORED, parameters={"after": after, "until": until}, fmt="RowBinary") as stream:
        for data in _pieces(stream, 16 * _CHUNK_IDS):
            to.update([data[at : at + 16] for at in range(0, len(data), 16)])
            count += len(data) // 16
            time.sleep(_CHUNK_PAUSE_SECONDS)
    return count


def _pieces(stream: object, size: int) -> Iterator[bytes]:
    """Ids of 16 bytes each; ClickHouse writes them as two integers, the lowest byte first."""
    left = b""
    while data := stream.read(size):  # type: ignore[attr-defined]
        left += data
        whole = len(left) - len(left) % 16
        halves = array("Q", left[:whole])
        halves.byteswap()
        yield halves.tobytes()
        left = left[whole:]
