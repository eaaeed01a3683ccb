"""Reads of a rebuild: how far the sinks are, the live rows of some students, and all that is stored of them.

They are asked for in this order, against the order of a worker's writing: what a row was folded from was written
before it, so it is there when the statements are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from string import Template
from typing import Any

from streams.kept import KeptReads, Reader, listed
from streams.rebuild.differences import MOMENTS
from streams.rebuild.judging import ATTEMPTS, DAYS, SKILLS, STATES, Live, Record
from streams.rows.tables import Columns

_WRITTEN = "SELECT partition, max(offset) FROM sink_progress WHERE generation = $generation GROUP BY partition"
_NEWEST = "SELECT max(generation) FROM sink_progress"
_LIVE = "SELECT $columns FROM $table FINAL WHERE student_id IN ($students)"
_REVISED = (
    "SELECT student_id, max(revision) FROM attempts WHERE student_id IN ($students) AND generation = $generation"
    " AND revision >= 0 GROUP BY student_id"
)


def rows_of(read_columns: Reader, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
    """Rows of a query's result; ``values`` stand for the $names in it."""
    return zip(*read_columns(Template(sql).substitute(values)), strict=True)


def written(read_columns: Reader, generation: int) -> dict[int, int]:
    """By partition: the last offset up to which all rows are written."""
    return dict(rows_of(read_columns, _WRITTEN, generation=generation))


def live_rows(read_columns: Reader, students: Collection[str], generation: int) -> dict[str, Live]:
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
    for student, revised in rows_of(read_columns, _REVISED, students=listed(students), generation=generation):
        found[student].revised = revised
    return found


def _rows(read_columns: Reader, columns: Columns, students: Collection[str]) -> Iterator[dict[str, Any]]:
    told = ", ".join(map(expression, columns.names))
    for row in rows_of(read_columns, _LIVE, columns=told, table=columns.table, students=listed(students)):
        yield dict(zip(columns.names, map(_plain, columns.names, row), strict=True))


def expression(name: str) -> str:
    """How a column is asked for, to come as the plain value that a worker writes."""
    if name in MOMENTS:
        return f"toUnixTimestamp64Micro({name})"
    return f"toUInt16({name})" if name == "day" else name


def _plain(name: str, value: Any) -> Any:
    if name == "memory":
        return array("d", value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else value


def records(reads: KeptReads, students: Collection[str]) -> dict[str, Record]:
    """All that was kept of these students; where one's statements cannot be read, the others' are all the same."""
    try:
        kept = reads.kept(students)
    except ValueError as error:
        if len(students) == 1:
            return {student: Record(unreadable=str(error)) for student in students}
        return {student: record for one in students for student, record in records(reads, [one]).items()}
    removed = reads.removals(students)
    return {student: Record(some, removed.get(student, {})) for student, some in kept.items()}


def newest_generation(read_columns: Reader) -> int:
    """Of the statements topic, that sinks have told of; 0 for none."""
    [(newest,)] = rows_of(read_columns, _NEWEST)
    return int(newest)
