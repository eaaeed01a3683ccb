"""Which arrivals were seen before: memory first, the store where memory cannot tell (docs/decisions/0006)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, cast

import msgspec

from schemas.events import ID_GENERATED, TIMESTAMP_GENERATED
from streams.rows.arrival import Arrival, extension

CLOCK_ERROR_US = 10 * 60 * 1_000_000
"""How far a provider's clock may be ahead of ours, and the clocks of two ingest processes apart."""
WARMED = 10_000
"""Statements of a partition that are read back when it is met: those before its first envelope, most recent first."""
WARMED_US = 60 * 60 * 1_000_000
"""... and stored at most so long before it."""

NOTHING = -(2**62)
"""Earlier than all moments: of a student of whom nothing is stored."""

Key = tuple[str, str]
"""Statement id and student id: a statement of a group is credited once to each member."""


class Seen(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where a statement stands for the first time (offset -1: in an earlier generation), and its content."""

    offset: int
    idx: int
    digest: int


class First(NamedTuple):
    """The first envelope of a partition that a worker met: its offset, and the latest time of storing in it (µs)."""

    offset: int
    stored: int


class Recent(NamedTuple):
    """A statement that was stored before a worker met its partition."""

    key: Key
    seen: Seen
    stored: int


class Verdict(Enum):
    """What an arrival is: fresh (a redelivery of itself included), a duplicate, or a conflict of content."""

    FRESH = "fresh"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class Remembered:
    """Where statements were seen first, by key; streams/remembered.h is the same in about a fourth of the bytes, and
    takes the ids of a key for the UUIDs that they are."""

    def __init__(self, _seen: type[Seen]) -> None:
        self._places: dict[Key, Seen] = {}

    def get(self, key: Key) -> Seen | None:
        """Where it was seen first, None when it is not remembered."""
        return self._places.get(key)

    def put(self, key: Key, seen: Seen) -> None:
        """Remember it; what was remembered of this key is replaced."""
        self._places[key] = seen

    def __len__(self) -> int:
        return len(self._places)


def remembered() -> Remembered:
    """Nothing yet."""
    return Remembered(Seen) if extension is None else cast(Remembered, extension.Remembered(Seen))


class PartitionMemory:
    """Statements seen lately in one partition, at most twice ``limit`` of them and those of a batch.

    Two tables take turns: when the young one is full, the old one is forgotten. ``complete_from`` is a moment
    of storing (µs): every statement of the partition that was stored later and has arrived is remembered.
    ``latest`` tells of students how late the last of their statements happened that was stored when they were met
    (µs; NOTHING: none was), as long as nothing was forgotten since: what happened later is remembered.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.young, self.old = remembered(), remembered()
        self.latest: dict[str, int] = {}
        self._young_latest: dict[str, int] = {}
        self._young_from = 0
        self.highest_stored = 0
        self.complete_from: int | None = None

    def begin(self, first: First, recent: Sequence[Recent] | None) -> None:
        """Say where the memory begins; ``recent`` were stored before it, or None: nothing ever was.

        They are known from now on, wherever a copy comes. Of those that are not among them nothing follows: what
        is put into the log late (a credit, a repaired dead letter) was stored long before its neighbours.
        """
        self.complete_from = self._young_from = -(2**62) if recent is None else first.stored + CLOCK_ERROR_US
        for key, seen, stored in recent or ():
            known = self.old.get(key)
            if known is None or seen < known:
                self.old.put(key, seen)
            self.highest_stored = max(self.highest_stored, stored)

    def get(self, key: Key) -> Seen | None:
        """Where it was seen first, None when it is not remembered."""
        return self.young.get(key) or self.old.get(key)

    def put(self, key: Key, seen: Seen, stored: int) -> None:
        """Remember a statement that was accepted as fresh, or that the store knows."""
        if stored > self.highest_stored:
            self.highest_stored = stored
        self.young.put(key, seen)

    def meet(self, student_id: str, latest: int) -> None:
        """A student, and what the store tells of the student before any statement in hand is remembered."""
        self.latest[student_id] = self._young_latest[student_id] = latest

    def settle(self) -> None:
        """Forget the old when the young are many. Between batches only, when all that is forgotten can be looked up:
        what is unknown is asked for at the beginning of a batch, so nothing may become unknown within it."""
        if len(self.young) >= self._limit:
            self.old, self.young = self.young, remembered()
            # What is forgotten was stored no later than what had come when the table that stays was begun.
            self.complete_from, self._young_from = self._young_from, self.highest_stored
            self.latest, self._young_latest = self._young_latest, {}

    def suffices(self, arrival: Arrival) -> bool:
        """Whether memory alone can tell that a statement which it does not hold is new.

        No copy was stored before the statement happened. So when the provider's own timestamp is later than
        ``complete_from``, by more than a clock may err, an earlier copy would be remembered.
        """
        assert self.complete_from is not None, "begin() comes first"
        item = arrival.item
        latest = self.latest.get(item.student_id)
        if item.flags & TIMESTAMP_GENERATED:
            # Then the copy carries another timestamp, and may be as old as it likes.
            return self.complete_from < 0 or latest == NOTHING
        return item.timestamp > self.complete_from + CLOCK_ERROR_US or (latest is not None and item.timestamp > latest)

    def __len__(self) -> int:
        return len(self.young) + len(self.old)


class Memories:
    """The memories of the partitions that a worker owns, by partition in ``of``."""

    def __init__(self, limit: int, generation: int) -> None:
        self._limit = limit
        self._generation = generation
        self.of: dict[int, PartitionMemory] = {}

    def meet(
        self, firsts: Mapping[int, First], recent: Callable[[Mapping[int, First]], Mapping[int, Sequence[Recent]]]
    ) -> bool:
        """Begin the memories of partitions that were not met yet, with what ``recent`` tells of them; whether there
        were any that are older than their first envelope."""
        older: dict[int, First] = {}
        for partition, first in firsts.items():
            if partition not in self.of:
                memory = self.of[partition] = PartitionMemory(self._limit)
                if first.offset == 0 and self._generation == 1:
                    memory.begin(first, None)
                else:
                    older[partition] = first
        if older:
            found = recent(older)
            for partition, first in older.items():
                self.of[partition].begin(first, found.get(partition, ()))
        return bool(older)

    def settle(self) -> None:
        """Between batches: see PartitionMemory."""
        for memory in self.of.values():
            memory.settle()

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked."""
        for partition in partitions:
            self.of.pop(partition, None)


def key_of(arrival: Arrival) -> Key:
    """Key of an arrival."""
    return arrival.item.statement_id, arrival.item.student_id


def remember_new(arrivals: list[Arrival], memories: Mapping[int, PartitionMemory]) -> Sequence[int]:
    """Remember the arrivals that are new beyond doubt, as judge() would; the places of all others in the list, which
    are to be judged. Without the extension that is all of them."""
    if extension is None:
        return range(len(arrivals))
    left: list[int] = extension.remember_new(arrivals, memories, CLOCK_ERROR_US)
    return left


def unknown(arrivals: Iterable[Arrival], memories: Mapping[int, PartitionMemory]) -> list[Arrival]:
    """The arrivals that have to be looked up in the store."""
    return [
        arrival
        for arrival in arrivals
        if not arrival.item.flags & ID_GENERATED
        and memories[arrival.partition].get(key_of(arrival)) is None
        and not memories[arrival.partition].suffices(arrival)
    ]


def judge(arrival: Arrival, memory: PartitionMemory, stored: Mapping[Key, Seen]) -> Verdict:
    """What an arrival is, in the order of the log; remembers it.

    ``stored`` is what the store knows of the unknown ones. Only an earlier position counts: at its own position a
    statement is a redelivery, which is processed again, since a crash may have left it half written.
    """
    item = arrival.item
    if item.flags & ID_GENERATED:
        return Verdict.FRESH
    key = item.statement_id, item.student_id
    seen = memory.get(key)
    if seen is None and (known := stored.get(key)) is not None and not memory.suffices(arrival):
        memory.put(key, known, item.stored)
        seen = known
    if seen is None or (seen.offset, seen.idx) >= (arrival.offset, arrival.idx):
        memory.put(key, Seen(arrival.offset, arrival.idx, item.digest), item.stored)
        return Verdict.FRESH
    return Verdict.DUPLICATE if seen.digest == item.digest else Verdict.CONFLICT
