"""What was decided about dead letters, and what they count for: the tables dead_letter_decisions and outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from string import Template
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from streams.letters.log import Letter
from streams.letters.place import Place
from streams.rows import tables

REPLAYED: Final = "replayed"
DISCARDED: Final = "discarded"
ACCEPTED: Final = "accepted"
EVERY_LETTER: Final = -2
"""Index of an acceptance: it is about all letters of the partition up to its offset."""

_CHUNK: Final = 1_000
_COLUMNS: Final = "generation, partition, offset, idx, provider_id"
_DECISIONS: Final = Template(
    f"SELECT {_COLUMNS}, decision, reason, decided_by, statements, toUnixTimestamp64Micro(at)"  # noqa: S608
    " FROM dead_letter_decisions FINAL WHERE decision != 'accepted' AND $condition ORDER BY at"
)
_COUNTS: Final = Template(
    f"SELECT {_COLUMNS}, statements, toUnixTimestamp64Micro(stored)"  # noqa: S608
    " FROM outcomes FINAL WHERE outcome = 'dead' AND $condition"
)


class Decision(NamedTuple):
    """What was done with a letter, at ``at`` (µs). ``statements``: taken off the dead, once for each replay."""

    decision: str
    reason: str
    decided_by: str
    at: int
    statements: int


class Count(NamedTuple):
    """What a letter counts for: statements by provider, accepted at ``stored`` (µs)."""

    statements: Mapping[str, int]
    stored: int


class Decisions:
    """Reads and writes of an operator's command; one client, one thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def of(self, places: Collection[Place]) -> dict[Place, Decision]:
        """Decisions about these letters, for those that are decided."""
        found: dict[Place, Decision] = {}
        rows = {place[:4]: place for place in places if place.table}
        for place, provider, decision, reason, by, statements, at in self._at(places, _DECISIONS):
            if not provider and place.idx >= 0:
                if place[:4] in rows:
                    found[rows[place[:4]]] = Decision(decision, reason, by, at, 0)
                continue
            before = found[place].statements if place in found else 0
            found[place] = Decision(decision, reason, by, at, before + statements)
        return found

    def counts(self, letters: Iterable[Letter]) -> dict[Place, Count]:
        """What each letter counts for: nothing for a member of a group, nor for a single row of a statement."""
        known = {
            place: Count({"" if place.table else event.provider_id: 0}, event.stored or event.at)
            for place, event in letters
        }
        statements: dict[Place, dict[str, int]] = defaultdict(dict)
        for place, provider, count, stored in self._at(known, _COUNTS):
            if place in known:
                statements[place][provider] = count
                known[place] = Count(statements[place], stored)
        return known

    def write(
        self, decision: str, counts: Mapping[Place, Count], *, reason: str, by: str, at: int, times: int = 1
    ) -> None:
        """Record a decision about letters that count for so much; a replay takes it off ``times`` times."""
        self._insert(
            [
                (*place[:4], provider, decision, reason, by, statements * times, count.stored, at)
                for place, count in counts.items()
                for provider, statements in count.statements.items()
            ]
        )

    def accept(self, generation: int, partition: int, until: int, *, reason: str, by: str, at: int) -> None:
        """Record that letters of a partition are put aside up to an offset, however many they are."""
        self._insert([(generation, partition, until, EVERY_LETTER, "", ACCEPTED, reason, by, 0, at, at)])

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = tables.DEAD_LETTER_DECISIONS
        self._client.insert(columns.table, rows, column_names=columns.names)

    def _at(self, places: Iterable[Place], query: Template) -> Iterator[tuple[Any, ...]]:
        keys = sorted({place[:4] for place in places})
        for start in range(0, len(keys), _CHUNK):
            listed = ",".join(map(str, keys[start : start + _CHUNK]))
            sql = query.substitute(condition=f"(generation, partition, offset, idx) IN ({listed})")
            for generation, partition, offset, idx, *values in self._client.query(sql).result_rows:
                yield (Place(generation, partition, offset, idx), *values)
