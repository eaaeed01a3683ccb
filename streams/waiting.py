"""Records between Faust's hand-overs and the core: what waits, what is under way, and when there is room for more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from streams.processor import Record

LARGEST_BATCH_BYTES = 26 * 1024 * 1024
"""So much makes a batch at most, one record at least: a few batches are in memory at a time."""
MOST_STUDENTS = 8_000
"""... and as much as so many students bring, as far as the batch before tells: each takes some kilobytes beside."""
SMALL_BATCH_BYTES = 1024 * 1024
"""So much makes a batch, whatever the batch before told."""


@dataclass
class Run:
    """The records of one batch, ``size`` bytes, until all of it is written; ``revoked`` are partitions that were lost
    since."""

    records: list[Record]
    size: int
    revoked: set[int] = field(default_factory=set)

    @property
    def owned(self) -> list[Record]:
        """Records of partitions that this worker still owns."""
        return [record for record in self.records if record.partition not in self.revoked]


class Waiting:
    """What was taken and is not written, in order. Used by the event loop's thread alone.

    Attributes:
        arrived: set while something waits.
        enough: set while a whole batch waits.
        room: set while less than a whole batch waits, and when nothing is taken any more.
        idle: set while nothing waits and nothing is under way, and when nothing is taken any more.
        under_way: what is being written, then what is being processed.
    """

    def __init__(self) -> None:
        self.arrived, self.enough, self.room, self.idle = (asyncio.Event() for _ in range(4))
        self.under_way: deque[Run] = deque()
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._most = LARGEST_BATCH_BYTES
        self._ended = False
        self._tell()

    def put(self, records: Sequence[Record]) -> None:
        """Records wait, behind those that wait already."""
        self._records += records
        self._count(records)

    def put_back(self, records: Sequence[Record]) -> None:
        """Records wait again, before all others."""
        self._records.extendleft(reversed(records))
        self._count(records)

    def cut(self) -> Run:
        """The next batch is under way: what waits, as much as makes a batch."""
        first = self._records.popleft()
        run, size = [first], len(first.value)
        while self._records and size + len(self._records[0].value) <= self._most:
            run.append(self._records.popleft())
            size += len(run[-1].value)
        self._bytes -= size
        self.under_way.append(Run(run, size))
        self._tell()
        return self.under_way[-1]

    def met(self, run: Run, students: int) -> None:
        """A batch was of so many students: the next one is cut as if it had as many for its size."""
        expected = run.size * MOST_STUDENTS // max(students, 1)
        self._most = min(max(expected, SMALL_BATCH_BYTES), LARGEST_BATCH_BYTES)
        self._tell()

    def written(self) -> None:
        """The first batch that was under way is written."""
        self.under_way.popleft()
        self._tell()

    def drop(self, partitions: Collection[int]) -> None:
        """Partitions were revoked: their owner gets again what is not acknowledged."""
        for run in self.under_way:
            run.revoked.update(partitions)
        self._records = deque(record for record in self._records if record.partition not in partitions)
        self._bytes = sum(len(record.value) for record in self._records)
        self._tell()

    def end(self) -> None:
        """Nothing is taken any more: nobody is to wait for it."""
        self._ended = True
        self._tell()

    def _count(self, records: Sequence[Record]) -> None:
        self._bytes += sum(len(record.value) for record in records)
        self._tell()

    def _tell(self) -> None:
        for event, holds in (
            (self.arrived, bool(self._records)),
            (self.enough, self._bytes >= self._most),
            (self.room, self._ended or self._bytes < self._most),
            (self.idle, self._ended or not (self._records or self.under_way)),
        ):
            if holds:
                event.set()
            else:
                event.clear()
