"""Rows that records of the log write by themselves, looked for in the store, and written where they are missing.

What a record became the first time decides: an item that is a duplicate or a dead letter by its outcome is left alone,
and so is a row that a later correction has replaced. States and days are not taken from here: see streams.rebuild.run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from string import Template
from typing import Any, Final

from streams.batch import Batch, Record
from streams.kept import Reader, moment, parts
from streams.ledger import MINUTE_US, Entry, Place
from streams.rebuild.differences import MOMENTS, words
from streams.rebuild.reading import expression, rows_of
from streams.rows import tables
from streams.rows.tables import Columns, Row

_BY_STATEMENT = ("student_id", "timestamp", "statement_id")
_BY_MINUTE = ("partition", "minute", "provider_id")
_BY_PLACE = ("generation", "partition", "offset", "idx", "provider_id")
KEYS: Final = {
    tables.STATEMENTS: _BY_STATEMENT,
    tables.CREDITS: _BY_STATEMENT,
    tables.ATTEMPTS: _BY_STATEMENT,
    tables.OUTCOMES: _BY_PLACE,
    tables.REMOVALS: _BY_STATEMENT,
}
REVISIONS: Final = (tables.STATEMENT_REVISIONS, tables.CREDIT_REVISIONS, tables.ATTEMPT_REVISIONS)
EDGE_US: Final = 6 * MINUTE_US
"""A minute of storing so near to the edge of the range may have records beyond it: longer than a publication takes."""

_REVISED_LATER: Final = (tables.STATEMENTS, tables.CREDITS, tables.ATTEMPTS)
"""Their rows may be taken out or put back by later ones; what stands in the log is what they were at first."""

_STANDING = Template("SELECT $told FROM $table FINAL WHERE ($names) IN ($keys)")
_TAKEN = Template("SELECT $selected FROM $table WHERE ($names) IN ($keys) AND removed = 1")
_REVISED = Template("SELECT $selected, max(revision) FROM $table WHERE ($names) IN ($keys) GROUP BY $names")
_OUTCOMES = (
    "SELECT offset, idx FROM outcomes FINAL WHERE generation = $generation AND partition = $partition"
    " AND offset BETWEEN $first AND $last"
)
_LEDGER = (
    "SELECT intDiv(toUnixTimestamp(minute), 60), provider_id, statements, watermark FROM ledger FINAL"
    " WHERE generation = $generation AND partition = $partition"
    " AND minute BETWEEN toDateTime($first, 'UTC') AND toDateTime($last, 'UTC')"
)

Write = Callable[[Columns, Sequence[Row]], None]


class Restoring:
    """Restores rows of one partition after the other; ``counts`` are rows written by table, ``lines`` say which."""

    def __init__(self, read: Reader, write: Write, generation: int) -> None:
        self._read = read
        self._write = write
        self._generation = generation
        self._entries: dict[Place, list[int]] = defaultdict(lambda: [0, -1])
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []

    def restore(self, records: Sequence[Record], batch: Batch) -> None:
        """The rows of a batch that these records of one partition became; states, days and tallies are left out."""
        for entry in batch.entries:
            self._enter(entry)
        settled = self._settled(records[0].partition, records[0].offset, records[-1].offset)
        for columns in KEYS:
            rows = batch.rows[columns]
            if columns is tables.REMOVALS:
                rows = _last(rows)
            elif columns is not tables.OUTCOMES:
                rows = [row for row in rows if not _places(columns, row) & settled]
            self._missing(columns, rows)
        for columns in REVISIONS:
            self._revisions(columns, batch.rows[columns])

    def tallies(self, since: int, until: int | None) -> None:
        """After a partition: tallies of the ledger of minutes that lie wholly in the range (µs)."""
        whole = {
            place: tally
            for place, tally in self._entries.items()
            if place[1] * MINUTE_US - EDGE_US >= since
            and (until is None or (place[1] + 1) * MINUTE_US + EDGE_US <= until)
        }
        self._entries.clear()
        by_partition: dict[int, dict[Place, list[int]]] = defaultdict(dict)
        for place, tally in whole.items():
            by_partition[place[0]][place] = tally
        for partition, some in by_partition.items():
            minutes = [minute for _, minute, _ in some]
            found = {
                (partition, minute, provider): (statements, watermark)
                for minute, provider, statements, watermark in rows_of(
                    self._read, _LEDGER, generation=self._generation, partition=partition,
                    first=min(minutes) * 60, last=max(minutes) * 60,
                )
            }  # fmt: skip
            rows: list[Row] = [
                (self._generation, partition, place[1] * 60, place[2], statements, watermark)
                for place, (statements, watermark) in sorted(some.items())
                if found.get(place, (0, -1))[1] < watermark
            ]
            self._put(tables.LEDGER, rows, "was missing or too low")

    def _enter(self, entry: Entry) -> None:
        tally = self._entries[entry.place]
        tally[0] += entry.statements
        tally[1] = max(tally[1], entry.offset)

    def _settled(self, partition: int, first: int, last: int) -> set[tuple[object, int]]:
        """Offset and index of items that became something else than rows; index -1: the whole record."""
        found = rows_of(self._read, _OUTCOMES, generation=self._generation, partition=partition, first=first, last=last)
        return {(offset, idx) for offset, idx in found}

    def _missing(self, columns: Columns, rows: Sequence[Row]) -> None:
        for some in parts(list(rows)):
            told = [expression(name) for name in columns.names]
            if columns in _REVISED_LATER:
                told.append("revision")
            found = self._rows(_STANDING, columns, some, told=", ".join(told))
            standing = {_key(columns, row): row for row in found}
            absent = [row for row in some if _key(columns, row) not in standing]
            if absent and columns in _REVISED_LATER:
                taken = set(self._rows(_TAKEN, columns, absent))
                absent = [row for row in absent if _key(columns, row) not in taken]
            self._put(columns, absent, "was missing")
            other = [row for row in some if _differs(columns, row, standing.get(_key(columns, row)))]
            self._put(columns, other, "was another than in the log")

    def _revisions(self, columns: Columns, rows: Sequence[Row]) -> None:
        place = columns.names.index("revision")
        for some in parts(list(rows)):
            known = {tuple(key): revision for *key, revision in self._rows(_REVISED, columns, some)}
            lost = [row for row in some if known.get(_key(columns, row), -1) < int(str(row[place]))]
            self._put(columns, lost, "was missing")

    def _rows(self, sql: Template, columns: Columns, rows: Sequence[Row], **values: str) -> Iterator[tuple[Any, ...]]:
        names = _names(columns)
        keys = ",".join(
            f"({','.join(_literal(name, value) for name, value in zip(names, _key(columns, row), strict=True))})"
            for row in rows
        )
        selected = ", ".join(map(expression, names))
        values |= {"table": columns.table, "names": ", ".join(names), "keys": keys, "selected": selected}
        return rows_of(self._read, sql.safe_substitute(values).replace("$", "$$"))

    def _put(self, columns: Columns, rows: Sequence[Row], why: str) -> None:
        if not rows:
            return
        self._write(columns, rows)
        self.counts[columns.table] += len(rows)
        for row in rows:
            told = " ".join(words(name, value) for name, value in zip(_names(columns), _key(columns, row), strict=True))
            self.lines.append(f"{columns.table} · {told}: {why}")


def _names(columns: Columns) -> tuple[str, ...]:
    return KEYS.get(columns, _BY_STATEMENT if columns in REVISIONS else _BY_MINUTE)


def _key(columns: Columns, row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(row[columns.names.index(name)] for name in _names(columns))


def _last(removals: Sequence[Row]) -> list[Row]:
    """Of what was decided about one statement, perhaps several times in one record, what stands: the last. To write an
    earlier one again would put it in the last one's place."""
    place = tables.REMOVALS.names.index("offset")
    return list(
        {_key(tables.REMOVALS, row): row for row in sorted(removals, key=lambda row: int(str(row[place])))}.values()
    )


def _places(columns: Columns, row: Row) -> set[tuple[object, int]]:
    """Where an item stood: at its index, and in its record."""
    offset, idx = row[columns.names.index("offset")], row[columns.names.index("idx")]
    return {(offset, int(str(idx))), (offset, -1)}


def _literal(name: str, value: object) -> str:
    if isinstance(value, int):
        return f"'{moment(value)}'" if name in MOMENTS else str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _differs(columns: Columns, row: Row, known: Sequence[Any] | None) -> bool:
    """Whether the row that stands for a key is not the one of the log, and would be replaced by it."""
    if known is None or columns is tables.OUTCOMES:  # what an item became first decides
        return False
    if columns in _REVISED_LATER and known[-1] >= 0:
        return False
    place = columns.names.index("offset")
    earlier_stays = columns is not tables.REMOVALS
    if known[place] != row[place]:
        return bool((known[place] > row[place]) == earlier_stays)
    return any(
        _plain(mine) != _plain(theirs)
        for name, mine, theirs in zip(columns.names, row, known, strict=False)
        if name != "at"
    )


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return list(value) if isinstance(value, tuple | list) else value
