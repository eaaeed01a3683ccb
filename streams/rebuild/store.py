"""The store as a command uses it: what fails is raised, since the same command goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from streams import native
from streams.rows.tables import Columns, Row

_SETTINGS: Final = {"max_query_size": 64 * 1024 * 1024}
_TYPES: Final = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"


class CommandStore:
    """Reads, inserts and commands of one client; raises what clickhouse-connect raises."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._types: dict[tuple[str, str], str] = {}

    def read(self, sql: str) -> Sequence[Sequence[Any]]:
        """Columns of a query's result, UUIDs as strings; none at all when it is empty."""
        result = self._client.query(sql, settings=_SETTINGS, query_formats={"UUID": "string"})
        columns: Sequence[Sequence[Any]] = result.result_columns
        return columns

    def insert(self, columns: Columns, rows: Sequence[Row]) -> None:
        """Write rows, all of them."""
        if not rows:
            return
        if (columns.table, columns.names[0]) not in self._types:
            self._types = {(table, name): kind for table, name, kind in zip(*self.read(_TYPES), strict=True)}
        types = [self._types[columns.table, name] for name in columns.names]
        self._client.raw_insert(columns.table, columns.names, native.block(columns.names, types, rows), fmt="Native")

    def command(self, sql: str) -> None:
        """Anything else."""
        self._client.command(sql)
