"""What a worker says about itself in ClickHouse: how far each partition is, and each flush."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from schemas.events import LATENCY_BOUNDS_MS
from streams.processor import PartitionPart
from streams.rows.tables import Row


def latency_buckets(stored_us: Iterable[int], written_us: int) -> list[int]:
    """Statements by the time from stored to written, one count for each of LATENCY_BOUNDS_MS and one above."""
    stored = sorted(stored_us)
    within = [len(stored) - bisect_left(stored, written_us - bound * 1000) for bound in LATENCY_BOUNDS_MS]
    return [one - before for one, before in zip([*within, len(stored)], [0, *within], strict=True)]


def flush_row(worker: str, partition: int, part: PartitionPart, rows: int, flush_ms: float, now_us: int) -> Row:
    """Row of the table sink_flushes."""
    buckets = latency_buckets(part.stored, now_us)
    return now_us, worker, partition, part.statements, rows, flush_ms, buckets


class Progress:
    """How far the partitions of this worker are: the last offset whose rows are all written, the end of the log."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._flushed: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._checked: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self.activation = 0
        """Number of the switch to the calibration that all that is not written yet is folded under."""

    def flushed(self, partition: int, offset: int, stored: Iterable[int] = ()) -> None:
        """All up to ``offset`` is written, with statements stored at these times (µs)."""
        self._flushed[partition] = max(offset, self._flushed.get(partition, -1))
        self._stored[partition] = max(self._stored.get(partition, 0), max(stored, default=0))

    def end(self, partition: int, offset: int, seen_us: int) -> None:
        """The last offset of the log, as seen at that time (µs)."""
        self._ends[partition] = max(offset, self._ends.get(partition, -1))
        self._checked[partition] = max(seen_us, self._checked.get(partition, 0))

    def last(self, partition: int) -> int:
        """Last offset whose rows are all written, -1 for none that this worker knows of."""
        return self._flushed.get(partition, -1)

    def lags(self) -> dict[int, int]:
        """Records that are not written yet, by partition."""
        return {p: max(end - self.last(p), 0) for p, end in self._ends.items()}

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked."""
        for partition in partitions:
            for known in (self._flushed, self._ends, self._checked, self._stored, self._told):
                known.pop(partition, None)

    def rows(self, partitions: Iterable[int]) -> list[Row]:
        """Rows of the table sink_progress, for the partitions of which something is known."""
        return [
            (
                self._generation,
                p,
                self.last(p),
                self._end(p),
                self._stored.get(p, 0),
                self._checked.get(p, 0),
            )
            for p in partitions
            if p in self._flushed or p in self._ends
        ]

    def activations(self, partitions: Iterable[int]) -> list[Row]:
        """Rows of sink_progress for the partitions that it was not told of yet what they are folded under."""
        new = [p for p in partitions if self._told.get(p, 0) < self.activation]
        self._told |= dict.fromkeys(new, self.activation)
        return [(self._generation, p, self.last(p), self._end(p), self.activation) for p in new]

    def _end(self, partition: int) -> int:
        return max(self._ends.get(partition, -1), self.last(partition))
