"""The opaque copy of the roster in ClickHouse: student, school, grade, sections; no names."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Engine, and_, select

from infra.runtime.logging import get_logger
from schemas.registry.tables import enrollments, students
from streams.rows import tables
from streams.rows.tables import Row
from streams.sink import Sink

log = get_logger(__name__)

_OVERLAP_US = 60 * 1_000_000
"""A transaction of the registry may become visible some time after the moment that it wrote as its own."""
_CHUNK = 5_000


class RosterSync:
    """Copies what changed since the last time, and all of it the first time; one thread at a time.

    Students that were made for unknown actors belong to no school, and are no part of it until they are linked.
    """

    def __init__(self, sink: Sink, registry: Engine) -> None:
        self._sink = sink
        self._registry = registry
        self._until = -_OVERLAP_US
        self._written: dict[str, Row] = {}

    def sync(self) -> int:
        """Returns the number of rows written."""
        rows = [row for row in self._changed() if self._written.get(str(row[0])) != row]
        for start in range(0, len(rows), _CHUNK):
            self._sink.insert(tables.ROSTER, rows[start : start + _CHUNK])
        if rows:
            newest = max(int(str(row[4])) for row in rows)
            self._until = max(self._until, newest)
            self._written = {str(row[0]): row for row in rows if int(str(row[4])) > self._until - _OVERLAP_US}
            log.info("roster copied", students=len(rows))
        return len(rows)

    def _changed(self) -> list[Row]:
        since = and_(students.c.linked, students.c.updated_at > self._until - _OVERLAP_US)
        with self._registry.connect() as connection:
            found = connection.execute(
                select(students.c.student_id, students.c.school_id, students.c.grade, students.c.updated_at).where(
                    since
                )
            ).all()
            sections: dict[str, list[str]] = defaultdict(list)
            for student, section in connection.execute(
                select(enrollments.c.student_id, enrollments.c.section_id).join(students).where(since)
            ):
                sections[student].append(section)
        return [
            (
                row.student_id,
                row.school_id or "",
                row.grade or 0,
                tuple(sorted(sections[row.student_id])),
                row.updated_at,
            )
            for row in found
        ]
