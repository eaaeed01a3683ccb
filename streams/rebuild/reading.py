"""Reads of a rebuild: how far the sinks are, the live rows of some students, and all that is stored of them.

They are asked for in this order, against the order of a worker's writing: what a row was folded from was written
before it, so it is there when the statements are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from string import Template
from typing import Any

from schemas.events import CREDIT, Item
from streams.rebuild.differences import MOMENTS
from streams.rebuild.judging import ATTEMPTS, DAYS, SKILLS, STATES, Live, Record, Source, TakenOut
from streams.rows.arrival import Fault, read
from streams.rows.tables import Columns
from streams.store import Reader

_STORED = (
    "student_id, toUnixTimestamp64Micro(timestamp), statement_id, toUnixTimestamp64Micro(stored), provider_id, digest,"
    " generation, partition, offset, idx, revision"
)
_WRITTEN = "SELECT partition, max(offset) FROM sink_progress WHERE generation = $generation GROUP BY partition"
_LIVE = "SELECT $columns FROM $table FINAL WHERE student_id IN ($students)"
_TAKEN = (
    "SELECT student_id, toUnixTimestamp64Micro(timestamp), statement_id, restored, generation, offset"
    " FROM removals FINAL WHERE student_id IN ($students)"
)
_STATEMENTS = f"SELECT {_STORED}, verb, skills, statement FROM statements FINAL WHERE student_id IN ($students)"  # noqa: S608
_CREDITS = f"SELECT {_STORED} FROM credits FINAL WHERE student_id IN ($students)"  # noqa: S608
_CONTENTS = (
    "SELECT statement_id, digest, toUnixTimestamp64Micro(timestamp), verb, skills, statement FROM statements"
    " WHERE statement_id IN ($statements)"
)
_PART = 2_000


def listed(ids: Iterable[str]) -> str:
    """Ids for an IN; they are UUIDs that the store has told, or that were checked."""
    return ",".join(f"'{one}'" for one in ids)


def rows_of(read_columns: Reader, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
    """Rows of a query's result; ``values`` stand for the $names in it."""
    return zip(*read_columns(Template(sql).substitute(values)), strict=True)


def written(read_columns: Reader, generation: int) -> dict[int, int]:
    """By partition: the last offset up to which all rows are written."""
    return dict(rows_of(read_columns, _WRITTEN, generation=generation))


def live_rows(read_columns: Reader, students: Collection[str]) -> dict[str, Live]:
    """The rows of these students as readers see them; moments in µs, days as numbers."""
    found = {student: Live() for student in students}
    for row in _rows(read_columns, STATES, students):
        found[row["student_id"]].state = row
    for row in _rows(read_columns, SKILLS, students):
        found[row["student_id"]].skills[row["skill_id"]] = row
    for row in _rows(read_columns, DAYS, students):
        found[row["student_id"]].days[row["day"]] = row
    for row in _rows(read_columns, ATTEMPTS, students):
        found[row["student_id"]].attempts[row["timestamp"], row["statement_id"]] = row
    return found


def _rows(read_columns: Reader, columns: Columns, students: Collection[str]) -> Iterator[dict[str, Any]]:
    told = ", ".join(map(expression, columns.names))
    for row in rows_of(read_columns, _LIVE, columns=told, table=columns.table, students=listed(students)):
        yield dict(zip(columns.names, map(_plain, row), strict=True))


def expression(name: str) -> str:
    """How a column is asked for, to come as the plain value that a worker writes."""
    if name in MOMENTS:
        return f"toUnixTimestamp64Micro({name})"
    return f"toUInt16({name})" if name == "day" else name


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else value


def records(read_columns: Reader, students: Collection[str]) -> dict[str, Record]:
    """All that is stored of these students, with what was taken out of their records."""
    found = {student: Record() for student in students}
    mine = listed(students)
    for student, timestamp, statement_id, restored, generation, offset in rows_of(read_columns, _TAKEN, students=mine):
        found[student].taken[timestamp, statement_id] = TakenOut(bool(restored), generation, offset)
    for *stored, verb, skills, statement in rows_of(read_columns, _STATEMENTS, students=mine):
        _keep(found, stored, (verb, list(skills), statement), 0)
    credited = [list(row) for row in rows_of(read_columns, _CREDITS, students=mine)]
    contents = _contents(read_columns, {row[2] for row in credited})
    for stored in credited:
        told = contents.get((stored[2], stored[5], stored[1])) or contents.get((stored[2], stored[5], None))
        if told is None:
            found[stored[0]].unreadable = f"statement {stored[2]}, which credits the student, is not stored"
        else:
            _keep(found, stored, told, CREDIT)
    return found


def _keep(found: dict[str, Record], stored: Sequence[Any], told: tuple[str, list[str], str], flags: int) -> None:
    """One statement of a student; a row under the student itself goes before one that credits the student."""
    student, timestamp, statement_id, accepted, provider, digest, generation, partition, offset, idx, revision = stored
    verb, skills, statement = told
    item = Item(
        statement_id, student, provider, verb, skills, timestamp, accepted, digest, flags, statement.encode()
    )  # fmt: skip
    record = found[student]
    try:
        source = Source(read(partition, offset, idx, item), generation, revision)
    except Fault as fault:
        record.unreadable = f"statement {statement_id} cannot be read: {fault.message}"
        return
    record.sources.setdefault((timestamp, statement_id), source)


def _contents(
    read_columns: Reader, statement_ids: Collection[str]
) -> dict[tuple[str, int, int | None], tuple[str, list[str], str]]:
    """What statements say, by id and digest, with their timestamp and without; also of those taken out since."""
    found: dict[tuple[str, int, int | None], tuple[str, list[str], str]] = {}
    ids = sorted(statement_ids)
    for start in range(0, len(ids), _PART):
        some = listed(ids[start : start + _PART])
        for statement_id, digest, timestamp, verb, skills, statement in rows_of(
            read_columns, _CONTENTS, statements=some
        ):
            told = verb, list(skills), statement
            found[statement_id, digest, timestamp] = found[statement_id, digest, None] = told
    return found
