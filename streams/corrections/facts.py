"""What the finders ask the store: rows that stand, rows that were taken out, voiding statements, ids that came twice.

Written into the queries are ids that were checked to be UUIDs, by the worker that wrote their rows or here, and keys of
actors from the registry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any, Final, NamedTuple, TypeVar

from infra.runtime.reconciliation import settled_through
from schemas.verbs import VOIDED
from streams.corrections.items import Acted, Body, Key, Removed, Standing
from streams.store import Reader

T = TypeVar("T")

CHUNK: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_UUID: Final = "00000000-0000-0000-0000-000000000000"

_PROGRESS = Template(
    "SELECT max(offset), max(end_offset), toUnixTimestamp64Micro(max(stored_until)),"
    " toUnixTimestamp64Micro(max(checked_at)) FROM sink_progress WHERE generation = $generation GROUP BY partition"
)
_WRITTEN = Template(
    "SELECT partition, max(offset) FROM sink_progress WHERE generation = $generation GROUP BY partition"
)
_EARLIEST = "SELECT toUnixTimestamp64Micro(min(stored)) FROM statements"
# Of a key the row of the highest precedence counts, as with FINAL, which these conditions would make read far more.
_ROWS = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, toUnixTimestamp64Micro(stored), provider_id,"
    " digest, generation, partition, offset, idx, $wanted FROM"
    " (SELECT student_id, timestamp, statement_id, stored, provider_id, digest, generation, partition, offset, idx,"
    " $wanted, removed FROM $table WHERE $condition"
    " ORDER BY precedence DESC LIMIT 1 BY student_id, timestamp, statement_id) WHERE NOT removed"
)
_REMOVED = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, reason, restored FROM removals FINAL"
    " WHERE $condition"
)
_VOIDS = Template(
    "SELECT any(statement_id), any(provider_id), any(toUUIDOrZero(activity)) AS target FROM statements"
    " WHERE verb = '$voided' AND $condition GROUP BY student_id, timestamp, statement_id"
    " HAVING NOT argMax(removed, precedence)"
)
_TO_WATCH = Template(
    "(toUUIDOrZero(activity) NOT IN (SELECT statement_id FROM removals)"
    " OR toUUIDOrZero(activity) IN (SELECT statement_id FROM statements WHERE stored >= $since))"
)
_ARRIVED = Template("SELECT DISTINCT statement_id FROM statements WHERE stored >= $since AND statement_id IN ($ids)")
# In both tables: the own row of a copy may have been known as one, while a credit of it came where nothing was known.
_REPEATED = Template(
    "SELECT statement_id FROM"
    " (SELECT statement_id, student_id, timestamp, stored, 1 AS own FROM statements WHERE stored >= $horizon UNION ALL"
    " SELECT statement_id, student_id, timestamp, stored, 0 AS own FROM credits WHERE stored >= $horizon)"
    " WHERE statement_id IN"
    " (SELECT statement_id FROM statements WHERE stored >= $since AND stored <= $until UNION ALL"
    " SELECT statement_id FROM credits WHERE stored >= $since AND stored <= $until)"
    " GROUP BY statement_id HAVING minIf(student_id, own) != maxIf(student_id, own)"
    " OR min(timestamp) != max(timestamp) OR min(stored) != max(stored)"
)


_BODIES = Template(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, skills, json FROM statements"
    " WHERE $condition LIMIT 1 BY student_id, timestamp, statement_id"
)


class Void(NamedTuple):
    """A voiding statement: its id, its provider, and the id of the statement that it voids."""

    statement_id: str
    provider_id: str
    target: str


class Facts:
    """Reads through ``read``, for one generation of the statements topic with so many partitions."""

    def __init__(self, read: Reader, generation: int, partitions: int) -> None:
        self._read = read
        self._generation = generation
        self._partitions = partitions

    def settled_until(self) -> int:
        """µs up to which the rows of everything stored are written; 0 where that is not known."""
        progress = [
            {"offset": offset, "end_offset": end, "stored_until": _at(stored_until), "checked_at": _at(checked_at)}
            for offset, end, stored_until, checked_at in self._rows(_PROGRESS.substitute(generation=self._generation))
        ]
        return (settled_through(progress, self._partitions) - _EPOCH) // timedelta(microseconds=1)

    def written(self) -> dict[int, int]:
        """Partition to the offset of the last envelope whose rows are all written."""
        return dict(self._rows(_WRITTEN.substitute(generation=self._generation)))

    def earliest(self) -> int:
        """When the first statement was stored, µs; 0 where there is none."""
        return max([at for (at,) in self._rows(_EARLIEST)], default=0)

    def voids(self, since: int) -> list[Void]:
        """Voiding statements that were stored since then (µs)."""
        return self._voids(f"stored >= {moment(since)}")

    def voids_of(self, ids: Iterable[str]) -> list[Void]:
        """Voiding statements of these statements."""
        found = []
        for part in chunks(sorted(set(ids))):
            found += self._voids(f"toUUIDOrZero(activity) IN ({listed(part)})")
        return found

    def voids_to_watch(self, since: int) -> list[Void]:
        """Voiding statements whose target was never taken out of a record (mostly, it has not come yet), or was stored
        since then."""
        return self._voids(_TO_WATCH.substitute(since=moment(since)))

    def _voids(self, condition: str) -> list[Void]:
        found = [Void(*row) for row in self._rows(_VOIDS.substitute(voided=VOIDED, condition=condition))]
        return [void for void in found if void.target != _NO_UUID]

    def arrived(self, ids: Iterable[str], since: int) -> set[str]:
        """Which of these statements were stored since then."""
        found: set[str] = set()
        for part in chunks(sorted(ids)):
            sql = _ARRIVED.substitute(since=moment(since), ids=listed(part))
            found.update(str(one) for (one,) in self._rows(sql))
        return found

    def repeated(self, since: int, until: int, horizon: int) -> list[str]:
        """Ids of statements stored in [since, until] that since ``horizon`` were stored under more than one key, or
        more than once, as rows of statements or of credits."""
        sql = _REPEATED.substitute(since=moment(since), until=moment(until), horizon=moment(horizon))
        return [str(one) for (one,) in self._rows(sql)]

    def standing(self, ids: Iterable[str]) -> list[Standing]:
        """Rows of these statements, for all students."""
        found: list[Standing] = []
        for part in chunks(sorted(set(ids))):
            condition = f"statement_id IN ({listed(part)})"
            found += [_standing(row, credited=False) for row in self._of("statements", condition)]
            found += [_standing(row, credited=True) for row in self._of("credits", condition)]
        return found

    def acted(self, students: Collection[str], actors: Collection[str]) -> list[Acted]:
        """Statements of these actors (keys, or prefixes that end with a point) among those of these students."""
        exact = ",".join(f"'{one}'" for one in actors if not one.endswith("."))
        prefixes = [f"startsWith(actor, '{one}')" for one in actors if one.endswith(".")]
        conditions = [*prefixes, *([f"actor IN ({exact})"] if exact else [])]
        found: list[Acted] = []
        for part in chunks(sorted(students)):
            condition = f"student_id IN ({listed(part)}) AND ({' OR '.join(conditions)})"
            rows = self._of("statements", condition, "verb, actor")
            found += [Acted(_standing(row[:-1], credited=False), row[-1]) for row in rows]
        return found

    def credits(self, students: Collection[str], ids: Collection[str]) -> list[Standing]:
        """Rows of credits of these students and statements."""
        return [
            _standing(row, credited=True)
            for condition in _pairs(students, ids)
            for row in self._of("credits", condition)
        ]

    def _of(self, table: str, condition: str, wanted: str = "verb") -> Iterator[tuple[Any, ...]]:
        return self._rows(_ROWS.substitute(table=table, condition=condition, wanted=wanted))

    def bodies(self, keys: Collection[Key]) -> dict[Key, Body]:
        """Skills and JSON of statements."""
        found: dict[Key, Body] = {}
        for part in chunks(sorted(keys), 200):
            for student, timestamp, statement_id, skills, statement in self._rows(
                _BODIES.substitute(condition=_among(part))
            ):
                found[Key(student, timestamp, statement_id)] = Body(list(skills), _bytes(statement))
        return found

    def removed(self, keys: Iterable[Key]) -> dict[Key, Removed]:
        """What was taken out of records, of these keys."""
        return self._removed(_among(part) for part in chunks(sorted(set(keys))))

    def removed_of(self, students: Collection[str], ids: Collection[str]) -> dict[Key, Removed]:
        """What was taken out of the records of these students, of these statements."""
        return self._removed(_pairs(students, ids))

    def _removed(self, conditions: Iterable[str]) -> dict[Key, Removed]:
        return {
            Key(student, timestamp, statement_id): Removed(reason, bool(restored))
            for condition in conditions
            for student, timestamp, statement_id, reason, restored in self._rows(
                _REMOVED.substitute(condition=condition)
            )
        }

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return zip(*self._read(sql), strict=True)


def moment(us: int) -> str:
    """A time in µs as a literal of the store's."""
    return f"'{_at(max(us, 0)):%Y-%m-%d %H:%M:%S.%f}'"


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def listed(ids: Iterable[str]) -> str:
    """Ids as a list of literals."""
    return ",".join(f"'{one}'" for one in ids)


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Values in parts, so that a query stays of bounded length."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _pairs(students: Collection[str], ids: Collection[str]) -> Iterator[str]:
    for some in chunks(sorted(set(students))):
        for part in chunks(sorted(set(ids))):
            yield f"student_id IN ({listed(some)}) AND statement_id IN ({listed(part)})"


def _among(keys: Iterable[Key]) -> str:
    rows = (f"('{key.student_id}',{moment(key.timestamp)},'{key.statement_id}')" for key in keys)
    return f"(student_id, timestamp, statement_id) IN ({','.join(rows)})"


def _standing(row: Sequence[Any], *, credited: bool) -> Standing:
    student, timestamp, statement_id, stored, provider_id, digest, generation, partition, offset, idx, verb = row
    key = Key(student, timestamp, statement_id)
    return Standing(key, stored, provider_id, digest, generation, partition, offset, idx, credited, verb)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
