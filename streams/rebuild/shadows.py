"""Tables beside the live ones that take their place at the end, without a row of the meantime being lost.

EXCHANGE TABLES needs a database of the engine Atomic (or Replicated): ClickHouse's default, and the embedded engine's.
Which table is which is told by UUIDs, which an exchange leaves with the rows: so a rebuild that was killed between two
exchanges knows where it was.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from string import Template
from typing import Final

from infra.runtime.settings import ClickHouseSettings
from streams.kept import listed
from streams.rebuild.judging import ATTEMPTS, DAYS, REBUILT, SKILLS, STATES
from streams.rebuild.reading import rows_of
from streams.rebuild.store import CommandStore
from streams.rows.tables import Columns

SUFFIX: Final = "_rebuilt"
IN_FLIGHT_SECONDS: Final = 120.0
"""An insert that began before an exchange is waited for so long: longer than a client waits for its answer."""

_KEYS: Final = {
    ATTEMPTS: "student_id, timestamp, statement_id",
    DAYS: "student_id, day",
    SKILLS: "student_id, skill_id",
    STATES: "student_id",
}
# The version by which rows replace each other, as a number above zero.
_VERSIONS: Final = {ATTEMPTS: "precedence", DAYS: "watermark + 2", SKILLS: "precedence", STATES: "precedence"}
_POSITIONS: Final = {
    ATTEMPTS: "greatest(offset, revision)",
    DAYS: "watermark",
    SKILLS: "watermark",
    STATES: "watermark",
}

_NEWER = Template(
    "FROM (SELECT *, toUInt64($version) AS version FROM $old WHERE $recent) AS o"
    " LEFT JOIN (SELECT $keys, max(toUInt64($version)) AS known FROM $new"
    " WHERE student_id IN (SELECT student_id FROM $old WHERE $recent) GROUP BY $keys) AS n USING ($keys)"
    " WHERE o.version > n.known"
)
_CARRY = Template("INSERT INTO $new ($columns) SELECT $columns $newer")
_STUDENTS = Template("SELECT DISTINCT student_id $newer")
_COPY = Template("INSERT INTO $new ($columns) SELECT $columns FROM $old WHERE student_id IN ($students)")
_REMOVED = Template(
    "INSERT INTO $new ($columns) SELECT $columns FROM $old"
    " WHERE removed = 1 AND ($keys) NOT IN (SELECT $keys FROM $new)"
)
_UUIDS = "SELECT name, toString(uuid) FROM system.tables WHERE database = currentDatabase()"
_COLUMNS = Template(
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '$table'"
    " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position"
)
_INSERTS = Template(
    "SELECT count() FROM $processes WHERE query_kind = 'Insert' AND current_database = currentDatabase()"
    " AND elapsed > $seconds"
)


class Shadows:
    """The tables of one rebuild. Raises what clickhouse-connect raises."""

    def __init__(
        self,
        store: CommandStore,
        settings: ClickHouseSettings,
        generation: int,
        tables: Sequence[Columns] = REBUILT,
        suffix: str = SUFFIX,
    ) -> None:
        self._tables = tables
        self._suffix = suffix
        self._store = store
        self._generation = generation
        cluster = settings.cluster.replace("\\", "\\\\").replace("'", "\\'")
        self._on_cluster = f" ON CLUSTER '{cluster}'" if cluster else ""
        self._processes = f"clusterAllReplicas('{cluster}', system.processes)" if cluster else "system.processes"

    def beside(self, columns: Columns) -> Columns:
        """The same columns of the table beside the live one."""
        return Columns(columns.table + self._suffix, columns.names)

    def standing(self) -> bool:
        """Whether there are any, of a rebuild that is under way or was interrupted."""
        return any(columns.table + self._suffix in self._uuids() for columns in self._tables)

    def complete(self) -> bool:
        """Whether there is one beside each live table; at the end of the end some are dropped already."""
        return {columns.table + self._suffix for columns in self._tables} <= self._uuids().keys()

    def exchanged(self, known: Sequence[str]) -> bool:
        """Whether one of these has taken the live table's place."""
        uuids = self._uuids()
        return any(uuids.get(table) == uuid for table, uuid in map(str.split, known))

    def create(self) -> list[str]:
        """Make them anew, empty; returns what they are known by."""
        self.drop()
        for columns in self._tables:
            self._store.command(f"CREATE TABLE {columns.table}{self._suffix}{self._on_cluster} AS {columns.table}")
        uuids = self._uuids()
        return [f"{columns.table} {uuids[columns.table + self._suffix]}" for columns in self._tables]

    def missing(self, known: Sequence[str]) -> bool:
        """Whether one of these is gone: neither beside the live table nor in its place."""
        return not {one.split()[1] for one in known} <= set(self._uuids().values())

    def drop(self) -> None:
        """Drop what stands beside the live tables."""
        for columns in self._tables:
            self._store.command(f"DROP TABLE IF EXISTS {columns.table}{self._suffix}{self._on_cluster} SYNC")

    def copy(self, students: Sequence[str]) -> None:
        """Give students whom nothing is computed for their live rows."""
        for columns in self._tables:
            self._store.command(
                _COPY.substitute(
                    new=columns.table + self._suffix,
                    old=columns.table,
                    columns=self._names(columns.table),
                    students=listed(students),
                )
            )

    def carry_forward(self, since: Sequence[int]) -> None:
        """Rows that the live tables got beyond these offsets, by partition, into the shadows."""
        for columns in self._tables:
            self._carry(columns.table, columns.table + self._suffix, columns, since)

    def exchange(self, known: Sequence[str]) -> None:
        """Put each in the place of the live table, unless it is there already.

        What says that a row is gone comes along: a worker that sleeps meanwhile may write that row when it wakes up.
        """
        wanted = dict(one.split() for one in known)
        for columns in self._tables:
            if self._uuids().get(columns.table) != wanted[columns.table]:
                self._store.command(
                    _REMOVED.substitute(
                        new=columns.table + self._suffix,
                        old=columns.table,
                        columns=self._names(columns.table),
                        keys=_KEYS[columns],
                    )
                )
                self._store.command(
                    f"EXCHANGE TABLES {columns.table} AND {columns.table}{self._suffix}{self._on_cluster}"
                )

    def settle(self, exchanged_at: float) -> None:
        """Return when no insert is under way that began before the exchange; both by the monotonic clock, in s."""
        while time.monotonic() - exchanged_at < IN_FLIGHT_SECONDS:
            asked = _INSERTS.substitute(processes=self._processes, seconds=time.monotonic() - exchanged_at)
            if not next(rows_of(self._store.read, asked))[0]:
                return
            time.sleep(0.2)

    def late(self, since: Sequence[int]) -> list[str]:
        """Students with rows that went into the old tables before the exchange and are not in the new ones yet."""
        found: dict[str, None] = {}
        for columns in self._tables:
            newer = self._newer(columns.table + self._suffix, columns.table, columns, since)
            found |= dict.fromkeys(row[0] for row in rows_of(self._store.read, _STUDENTS.substitute(newer=newer)))
        return list(found)

    def carry_over(self, since: Sequence[int]) -> None:
        """After the exchange: those rows, into the new tables."""
        for columns in self._tables:
            self._carry(columns.table + self._suffix, columns.table, columns, since)

    def _carry(self, old: str, new: str, columns: Columns, since: Sequence[int]) -> None:
        newer = self._newer(old, new, columns, since)
        names = self._names(columns.table)
        self._store.command(_CARRY.substitute(new=new, columns=names, newer=newer))

    def _newer(self, old: str, new: str, columns: Columns, since: Sequence[int]) -> str:
        until = f"arrayElement({list(since)}, partition + 1)" if since else "-1"
        # Beyond the array there is no partition that anything was written of.
        beyond = f"partition >= {len(since)}"
        recent = f"generation = {self._generation} AND ({beyond} OR {_POSITIONS[columns]} > {until})"
        return _NEWER.substitute(version=_VERSIONS[columns], old=old, new=new, keys=_KEYS[columns], recent=recent)

    def _names(self, table: str) -> str:
        return ", ".join(row[0] for row in rows_of(self._store.read, _COLUMNS.substitute(table=table)))

    def _uuids(self) -> dict[str, str]:
        return dict(rows_of(self._store.read, _UUIDS))
