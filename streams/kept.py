"""What was kept of students and what was taken out, read back from the store: for corrections, and for a rebuild."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any, Final, Protocol, TypeVar

from schemas.events import CREDIT, Item
from streams.history import Decision, Kept, Key
from streams.rows.arrival import NO_UUID, Arrival, Fault, read

T = TypeVar("T")

StudentKey = tuple[str, int, str]
"""A statement in the record of a student: student id, timestamp (µs), statement id."""
ALWAYS: Final = (-(2**62), 2**62)
"""All moments that there are, µs."""

_CHUNK = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -(2**31) * 1_000_000, 9_000_000_000 * 1_000_000

# Without FINAL: what a redelivery has written twice is taken once (streams.history.standing), and what was taken out
# is told by removals alone, up to the offset that is asked for.
_STATEMENTS = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, toUnixTimestamp64Micro(stored), provider_id,"
    " verb, skills, digest, generation, partition, offset, idx, json FROM statements WHERE $condition"
)
_CREDITS = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, toUnixTimestamp64Micro(stored), provider_id,"
    " verb, skills, digest, generation, partition, offset, idx, activity, outcome, duration_ms FROM credits"
    " WHERE $condition"
)
_IN_TIME = Template(
    "student_id IN ($students) AND timestamp >= toDateTime64('$earliest', 6, 'UTC')"
    " AND timestamp <= toDateTime64('$latest', 6, 'UTC') AND removed = 0"
)
_REMOVALS = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, reason, cause, restored, generation, offset"
    " FROM removals FINAL PREWHERE student_id IN ($students)"
)
_ANY_REMOVALS = "SELECT 1 FROM removals LIMIT 1"


class Reader(Protocol):
    """Runs one query and returns its columns; waits and tries again while the store is away."""

    def __call__(self, sql: str) -> Sequence[Sequence[Any]]:
        """Columns of the result: UUIDs as strings; none at all when it is empty."""


class KeptStore(Protocol):
    """Reads of what was kept. Ids must be UUIDs: they are written into the queries as they are."""

    def kept(self, student_ids: Collection[str], moments: tuple[int, int] = ALWAYS) -> dict[str, list[Kept]]:
        """Statements and credits of these students with timestamps from … to (µs, both included), also those that were
        taken out since, and some twice: see streams.history.standing. Rows that were replaced by one that says
        ``removed`` are left out."""

    def originals(self, keys: Collection[StudentKey], *, credited: bool) -> dict[StudentKey, Kept]:
        """Statements, or credits, by their keys, also those that were taken out; what never came is left out."""

    def any_removals(self) -> bool:
        """Whether anything was ever taken out of anyone's record."""

    def removals(self, student_ids: Collection[str]) -> dict[str, dict[Key, Decision]]:
        """What was said last about the statements of these students that were ever taken out."""


class KeptReads:
    """KeptStore on ClickHouse, for one generation of the statements topic."""

    def __init__(self, read: Reader, generation: int) -> None:
        self._read = read
        self._generation = generation

    def kept(self, student_ids: Collection[str], moments: tuple[int, int] = ALWAYS) -> dict[str, list[Kept]]:
        """By the beginning of the primary key: the rows of these students, and of the days about those moments."""
        found: dict[str, list[Kept]] = {student: [] for student in student_ids}
        earliest, latest = moment(max(moments[0], _EARLIEST)), moment(min(moments[1], _LATEST))
        for part in parts(sorted(student_ids)):
            condition = _IN_TIME.substitute(students=listed(part), earliest=earliest, latest=latest)
            for row in self._rows(_STATEMENTS.substitute(condition=condition)):
                found[row[0]].append(_statement(row))
            for row in self._rows(_CREDITS.substitute(condition=condition)):
                found[row[0]].append(_credit(row))
        return found

    def originals(self, keys: Collection[StudentKey], *, credited: bool) -> dict[StudentKey, Kept]:
        """The earliest row of each key."""
        found: dict[StudentKey, Kept] = {}
        select, kept = (_CREDITS, _credit) if credited else (_STATEMENTS, _statement)
        for part in parts(sorted(keys)):
            among = ",".join(f"('{student}','{moment(at)}','{statement}')" for student, at, statement in part)
            condition = f"(student_id, timestamp, statement_id) IN ({among}) ORDER BY generation, offset, idx"
            for row in self._rows(select.substitute(condition=condition)):
                found.setdefault((row[0], row[1], row[2]), kept(row))
        return found

    def any_removals(self) -> bool:
        """One row of the table is enough."""
        return bool(self._read(_ANY_REMOVALS))

    def removals(self, student_ids: Collection[str]) -> dict[str, dict[Key, Decision]]:
        """The rows with the highest offset of each key."""
        found: dict[str, dict[Key, Decision]] = {}
        for part in parts(sorted(student_ids)):
            for student, at, statement, reason, cause, restored, generation, offset in self._rows(
                _REMOVALS.substitute(students=listed(part))
            ):
                decision = Decision(reason, cause, bool(restored), self._own(generation, offset))
                found.setdefault(student, {})[at, statement] = decision
        return found

    def _own(self, generation: int, offset: int) -> int:
        return offset if generation == self._generation else -1

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        columns = self._read(sql)
        return zip(*columns, strict=True)


def own(kept: Iterable[Kept], generation: int, until: int) -> list[Arrival]:
    """Arrivals of this generation up to an offset, and those of all earlier ones, at offset -1."""
    return [
        arrival if of == generation else earlier(arrival)
        for of, arrival in kept
        if of != generation or arrival.offset <= until
    ]


def earlier(arrival: Arrival) -> Arrival:
    """An arrival of an earlier generation, as the present one sees it."""
    return Arrival(
        arrival.partition, -1, arrival.idx, arrival.item, arrival.actor, arrival.verb_iri, arrival.activity,
        arrival.registration, arrival.outcome, arrival.duration_ms,
    )  # fmt: skip


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Values in parts that a query can hold."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def listed(ids: Iterable[str]) -> str:
    """Ids as a list of SQL."""
    return ",".join(f"'{one}'" for one in ids)


def moment(us: int) -> str:
    """A moment (µs) as ClickHouse reads it."""
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M:%S.%f")


def _item(row: Sequence[Any], flags: int, statement: bytes) -> Item:
    student, timestamp, statement_id, stored, provider, verb, skills, digest = row[:8]
    return Item(statement_id, student, provider, verb, list(skills), timestamp, stored, digest, flags, statement)


def _statement(row: Sequence[Any]) -> Kept:
    generation, partition, offset, idx, statement = row[8:]
    body = statement if isinstance(statement, bytes) else statement.encode()
    item = _item(row, 0, body)
    try:
        return Kept(generation, read(partition, offset, idx, item))
    except Fault as fault:  # it was read when it came
        raise ValueError(f"statement {item.statement_id} is not as it was kept: {fault.message}") from fault


def _credit(row: Sequence[Any]) -> Kept:
    generation, partition, offset, idx, activity, outcome, duration = row[8:]
    item = _item(row, CREDIT, b"")
    told = None if outcome < 0.0 else outcome
    return Kept(generation, Arrival(partition, offset, idx, item, "", "", activity, NO_UUID, told, duration))
