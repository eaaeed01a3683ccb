"""When so much of a partition cannot be processed that the fault is not the statements': the partition is stopped.

Putting everything aside would empty the log into the dead letters while a schema is missing or a version is broken. So
the letters of a batch are judged before they are kept. Over the limit, nothing of the batch is written for that
partition, and what it hands over from then on is held back, unacknowledged, until an operator accepts it or the
worker starts anew, mended. A conflict is no poison: one provider that repeats ids stops nobody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from infra.runtime.logging import get_logger
from streams.processor import Batch, Record
from streams.rows import tables

log = get_logger(__name__)

HARMLESS_REASONS = frozenset({"conflict"})
LARGEST_HELD_BYTES = 64 * 1024 * 1024
"""Held back of one partition. It is paused at the consumer: what comes after that was on its way already."""


@dataclass(frozen=True)
class Limit:
    """More than ``share`` of the last ``window`` statements, and at least ``least`` of them, are too many."""

    share: float
    window: int
    least: int


class Known(NamedTuple):
    """What the store knows of a partition: letters up to this offset are accepted; it was stopped and not mended."""

    accepted_until: int = -1
    stopped_before: bool = False


class Stop(NamedTuple):
    """Why a partition was stopped, and the offset from which on it is held back."""

    why: str
    first_offset: int


class HeldTooMuchError(RuntimeError):
    """More came of a stopped partition than may be held in memory."""


class Entry(NamedTuple):
    """A batch of one partition: offset of its first record, its statements, poison by reason."""

    offset: int
    statements: int
    poison: Mapping[str, int]


class Window:
    """The last statements of one partition. Pure: judged again, a batch replaces itself."""

    def __init__(self, limit: Limit, *, stopped_before: bool = False) -> None:
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self.statements = 0
        self.poison: Counter[str] = Counter()
        self.wary = stopped_before
        """Stopped before, and not a whole window mended since: then the share alone decides."""

    @property
    def over(self) -> bool:
        """Whether there is too much poison in it."""
        poison = self.poison.total()
        least = 1 if self.wary else self._limit.least
        return poison >= least and poison > self._limit.share * self.statements

    def add(self, entry: Entry) -> bool:
        """Take in a batch and tell whether that is too much; what is too much is not kept in it."""
        while self._entries and self._entries[-1].offset >= entry.offset:
            self._remove(self._entries.pop())
        self._entries.append(entry)
        self.statements += entry.statements
        self.poison.update(entry.poison)
        while self.statements - self._entries[0].statements >= self._limit.window:
            self._remove(self._entries.popleft())
        if self.over:
            self._remove(self._entries.pop())
            return True
        if self.statements >= self._limit.window:
            self.wary = False
        return False

    def words(self, entry: Entry) -> str:
        """What a batch that is too much does to it."""
        poison = self.poison + Counter(entry.poison)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in poison.most_common(4))
        whole = self.statements + entry.statements
        return f"{poison.total():,} of the last {whole:,} statements cannot be processed ({reasons})"

    def _remove(self, entry: Entry) -> None:
        self.statements -= entry.statements
        self.poison.subtract(entry.poison)


class Gate:
    """The partitions of one worker: which are stopped, and what is held back of them. Used by the core's thread.

    ``known`` is asked once for each partition, when the first poison of it is met. Anyone may read ``stopped``, and
    ``mended``: partitions of which a whole window was let through.
    """

    def __init__(self, limit: Limit, known: Callable[[int], Known]) -> None:
        self._limit = limit
        self._known = known
        self._windows: dict[int, Window] = {}
        self._accepted: dict[int, int] = {}
        self._held: dict[int, dict[int, Record]] = {}
        self._first: dict[int, int] = {}
        self.stopped: Mapping[int, Stop] = {}
        self.mended: set[int] = set()

    def let_through(self, records: Sequence[Record]) -> Sequence[Record]:
        """Records of partitions that are not stopped; the others are held back."""
        if self.stopped:
            for record in records:
                if record.partition in self.stopped:
                    self._hold(record)
            records = [record for record in records if record.partition not in self.stopped]
        self._first = {}
        for record in records:
            self._first.setdefault(record.partition, record.offset)
        return records

    def judge(self, batch: Batch) -> bool:
        """Whether a batch, of what was let through last, puts a partition over the limit: it is stopped then."""
        dead = _poisoned(batch)
        over = {}
        for partition, part in batch.parts.items():
            window = self._window(partition, partition in dead)
            accepted = self._accepted.get(partition, -1)
            found: Counter[str] = Counter()
            for offset, reason, count in dead.get(partition, ()):
                if offset > accepted:
                    found[reason] += count
            first = self._first.get(partition, part.last_offset)
            entry = Entry(first, max(part.statements, found.total()), found)
            if window.add(entry):
                over[partition] = Stop(window.words(entry), first)
                self.mended.discard(partition)
            elif window.statements >= self._limit.window:
                self.mended.add(partition)
        for partition, stop in over.items():
            log.error("partition stopped for its dead letters", partition=partition, why=stop.why)
        if over:
            self.stopped = {**self.stopped, **over}
        return bool(over)

    def release(self, partition: int, accepted_until: int) -> list[Record]:
        """Let a partition go on; what was held back of it, in order, to be handled before anything else of it."""
        self._accepted[partition] = accepted_until
        self.stopped = {p: stop for p, stop in self.stopped.items() if p != partition}
        return list(self._held.pop(partition, {}).values())

    def drop(self, partitions: Collection[int]) -> None:
        """Forget partitions that were revoked: their owner judges them anew."""
        for partition in partitions:
            for known in (self._windows, self._accepted, self._held):
                known.pop(partition, None)
        self.mended.difference_update(partitions)
        self.stopped = {p: stop for p, stop in self.stopped.items() if p not in partitions}

    def _window(self, partition: int, poisoned: bool) -> Window:
        window = self._windows.get(partition)
        if window is None:
            window = self._windows[partition] = Window(self._limit)
        if poisoned and partition not in self._accepted:
            accepted, stopped_before = self._known(partition)
            self._accepted[partition] = accepted
            window.wary = stopped_before
        return window

    def _hold(self, record: Record) -> None:
        held = self._held.setdefault(record.partition, {})
        held.setdefault(record.offset, record)
        if sum(len(kept.value) for kept in held.values()) > LARGEST_HELD_BYTES:
            raise HeldTooMuchError(f"partition {record.partition} is stopped, and goes on handing over")


def _poisoned(batch: Batch) -> dict[int, list[tuple[int, str, int]]]:
    """Poison by partition: offset, reason, statements; a record whose count cannot be read counts for one."""
    found: dict[int, list[tuple[int, str, int]]] = {}
    names = ("partition", "offset", "statements", "outcome", "reason")
    places = [tables.OUTCOMES.names.index(name) for name in names]
    for row in batch.rows[tables.OUTCOMES]:
        partition, offset, statements, outcome, reason = (cast(Any, row[place]) for place in places)
        if outcome == "dead" and reason not in HARMLESS_REASONS:
            found.setdefault(partition, []).append((offset, reason, max(statements, 1)))
    return found
