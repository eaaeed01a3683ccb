"""What the log holds, per partition, provider and minute: one of the two ends of the reconciliation.

The door counts the statements of each envelope and writes the counts into a header of the record, so that they are in
the log if and only if the envelope is, whichever process dies when. They are added up here without a look at the
envelope's content, apart from the rows that are made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from streams.rows.tables import Row

T = TypeVar("T")

COUNTS_HEADER = "counts"
"""Record header with the number of statements of each provider, as JSON: readable when the envelope is not. Explicitly
empty (``{}``) where nothing is new: events of our own, and dead letters that are replayed."""
REPLAY_HEADER = "replay"
"""Record header of a dead letter that is replayed, see Replay."""
MINUTE_US = 60_000_000
LATEST_STORED_US = 2**32 * 1_000_000
"""Times of storing from here on are beyond ClickHouse's DateTime."""

_REMEMBERED = 20_000

Place = tuple[int, int, str]
"""Partition, minute since the epoch, provider."""


class Entry(NamedTuple):
    """Statements of one provider in one record."""

    place: Place
    offset: int
    statements: int


class Tally:
    """Sum of a place; ``watermark`` is the offset of the last record counted, -1 for none."""

    __slots__ = ("statements", "watermark")

    def __init__(self, statements: int = 0, watermark: int = -1) -> None:
        self.statements = statements
        self.watermark = watermark


class LedgerStore(Protocol):
    """Where tallies are read back."""

    def tallies(self, places: Collection[Place]) -> dict[Place, Tally]:
        """The tallies of these places, for those that are stored."""


class Ledger:
    """Tallies of the places that were counted lately."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._tallies: dict[Place, Tally] = {}

    def rows(self, entries: Sequence[Entry], store: LedgerStore) -> list[Row]:
        """Count records in, which come in the order of each partition; the rows of the places that changed.

        A record at or below a place's watermark was counted before: a redelivery.
        """
        places = {entry.place for entry in entries}
        if missing := places - self._tallies.keys():
            found = store.tallies(missing)
            for place in missing:
                self._tallies[place] = found.get(place) or Tally()
        changed = set()
        for place, offset, statements in entries:
            tally = self._tallies[place]
            if offset > tally.watermark:
                tally.statements += statements
                tally.watermark = offset
                changed.add(place)
        rows: list[Row] = []
        for place in sorted(changed):
            partition, minute, provider_id = place
            tally = self._tallies[place]
            rows.append((self._generation, partition, minute * 60, provider_id, tally.statements, tally.watermark))
        return rows

    def trim(self) -> None:
        """Between batches, when all is written: forget the places that were met first, beyond a limit."""
        for place in list(self._tallies)[:-_REMEMBERED]:
            del self._tallies[place]

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions that another worker owns from now on."""
        gone = set(partitions)
        for place in [place for place in self._tallies if place[0] in gone]:
            del self._tallies[place]


class Replay(msgspec.Struct, frozen=True):
    """What a record puts into the log again: the place of a dead letter.

    Attributes:
        generation, partition, offset, index: of the letter's origin; index -1 for a whole record.
        stored: when its statements were counted as accepted, µs since the epoch, UTC.
        counts: these statements, by provider. They are in the ledger already, and no longer counted as dead.
    """

    generation: int
    partition: int
    offset: int
    index: int
    stored: int
    counts: dict[str, int]


def told_counts(headers: Sequence[tuple[str, bytes]]) -> dict[str, int] | None:
    """Statements by provider, as the door told; None when it did not, or not readably."""
    return _told(headers, COUNTS_HEADER, dict[str, int])


def told_replay(headers: Sequence[tuple[str, bytes]]) -> Replay | None:
    """The dead letter that a record replays; None for all other records."""
    return _told(headers, REPLAY_HEADER, Replay)


def _told(headers: Sequence[tuple[str, bytes]], wanted: str, kind: type[T]) -> T | None:
    for name, value in headers:
        if name == wanted:
            try:
                return msgspec.json.decode(value, type=kind)
            except msgspec.DecodeError:
                return None
    return None
