"""How far the sinks are: for X-Experience-API-Consistent-Through, and for authors who read what they just wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from infra.runtime.logging import get_logger
from ingest.xapi.timestamps import format_microseconds

log = get_logger(__name__)

_IDLE_SECONDS: Final = 1.0
_WATCHED_SECONDS: Final = 0.03

_QUERY: Final = """
SELECT partition, max(offset), max(end_offset), toUnixTimestamp64Micro(max(stored_until)),
       toUnixTimestamp64Micro(max(checked_at))
FROM sink_progress WHERE generation = {generation:UInt32} GROUP BY partition
"""


class PartitionProgress(NamedTuple):
    """One partition of the sinks; times in µs. ``offset``: last envelope whose rows are all written."""

    offset: int
    end_offset: int
    stored_until: int
    checked_at: int

    @property
    def idle(self) -> bool:
        """Whether everything that the worker saw in the log is written."""
        return self.offset >= self.end_offset


def consistent_through(progress: Mapping[int, PartitionProgress], partitions: int, in_flight_us: int) -> int:
    """µs up to which each statement that was stored can be read (Communication 2.1.3); 0 where nothing is known.

    ``stored`` is stamped before a statement reaches the log, which takes ``in_flight_us`` at most in any ingest
    process: so much is taken off, and nothing is vouched for that may still be on its way.
    """
    if len(progress) < partitions:
        return 0
    return max(0, min(one.checked_at if one.idle else one.stored_until for one in progress.values()) - in_flight_us)


class Progress:
    """Polls the store: each second, and more often while somebody waits for an own write."""

    def __init__(
        self,
        run_query: Callable[[Callable[[Client], object]], asyncio.Future[object]],
        *,
        generation: int,
        partitions: int,
        in_flight_us: int,
        own_writes_seconds: float,
    ) -> None:
        """``own_writes_seconds``: longest wait of an author for what it wrote."""
        self._run_query = run_query
        self._generation = generation
        self._partitions = partitions
        self._in_flight_us = in_flight_us
        self._own_writes_seconds = own_writes_seconds
        self._waiters = 0
        self._wake = asyncio.Event()
        self._read = asyncio.Event()
        self._acknowledged: dict[str, dict[int, int]] = {}
        self.partitions: dict[int, PartitionProgress] = {}
        self._through = 0
        self._text = format_microseconds(0).encode()

    def consistent_through_text(self) -> bytes:
        """Value of X-Experience-API-Consistent-Through, as of the last poll."""
        return self._text

    def through(self) -> int:
        """µs up to which each statement that was stored can be read, as of the last poll; 0 where nothing is known."""
        return self._through

    def acknowledged(self, credential: str, offsets: Mapping[int, int]) -> None:
        """Remember what a credential was told is kept."""
        own = self._acknowledged.setdefault(credential, {})
        for partition, offset in offsets.items():
            if own.get(partition, -1) < offset:
                own[partition] = offset

    async def own_writes(self, credential: str) -> None:
        """Wait until the sinks have passed what the credential was last told is kept.

        A worker that is down, or far behind, makes no read fail: it waits for ``own_writes_seconds`` at most.
        """
        if self._passed(credential):
            return
        self._waiters += 1
        self._wake.set()
        try:
            async with asyncio.timeout(self._own_writes_seconds):
                while not self._passed(credential):
                    await self._read.wait()
        except TimeoutError:
            return
        finally:
            self._waiters -= 1

    async def run(self) -> None:
        """Poll until cancelled; a store that is away leaves what was known, which stays true."""
        while True:
            try:
                rows = await self._run_query(self._fetch)
            except Exception as error:
                log.warning("the store does not answer", error=type(error).__name__)
            else:
                assert isinstance(rows, dict)
                self.partitions = rows
                self._through = consistent_through(rows, self._partitions, self._in_flight_us)
                self._text = format_microseconds(self._through).encode()
                self._read.set()
                self._read.clear()
            self._wake.clear()
            if self._waiters:
                await asyncio.sleep(_WATCHED_SECONDS)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), _IDLE_SECONDS)
            except TimeoutError:
                continue

    def _passed(self, credential: str) -> bool:
        own = self._acknowledged.get(credential)
        if not own:
            return True
        for partition, offset in list(own.items()):
            reached = self.partitions.get(partition)
            if reached is None or reached.offset < offset:
                return False
            del own[partition]
        return True

    def _fetch(self, client: Client) -> dict[int, PartitionProgress]:
        found = client.query(_QUERY, parameters={"generation": self._generation})
        return {int(row[0]): PartitionProgress(*map(int, row[1:])) for row in found.result_rows}
