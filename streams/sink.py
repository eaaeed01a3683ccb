"""ClickHouse from a worker's thread: column inserts and reads that wait while the store is away.

A failed insert says nothing about whether its rows were written; it is sent again, which changes nothing, since
every table replaces rows of equal keys. A row that the store refuses for what it holds is found by halving and
handed back, so that it never blocks the rows beside it.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, ProgrammingError

from infra.runtime.logging import get_logger
from streams import native
from streams.rows.tables import Columns, Row

log = get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
FEW = 10
"""So many refused rows of one insert are always taken for faults of the rows."""

# Codes of ClickHouse's ErrorCodes.cpp that speak of values: cannot parse (text, dates, numbers, UUIDs), convert or
# insert them, or out of the range of their type.
_DATA_CODES: Final = frozenset({6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 376, 441, 675})
_DATA_ERRORS = (DataError, ProgrammingError, TypeError, ValueError, OverflowError, struct.error, AttributeError)
# Look-ups read some thousand small pieces that the system has in memory: a thread for each costs more than the piece.
_READ_SETTINGS: Final = {"max_query_size": 64 * 1024 * 1024, "local_filesystem_read_method": "pread"}
_AS_STRINGS: Final = {"UUID": "string"}
# Equal keys of one insert are no rarer than those of two; merges and FINAL take care of both, so an insert need not.
_WRITE_SETTINGS: Final = {"optimize_on_insert": 0}


class StoppedError(Exception):
    """The worker is to stop: what it was about is left undone, and nothing of it was acknowledged."""


class Refused(NamedTuple):
    """A row that the store does not take, and why."""

    columns: Columns
    row: Row
    message: str


class Sink:
    """One client, used by one thread at a time.

    ``connect`` opens a client; ``stop`` ends the waiting for a store that is away.
    """

    def __init__(self, connect: Callable[[], Client], stop: threading.Event) -> None:
        self._connect = connect
        self._stop = stop
        self._client: Client | None = None
        self._types: dict[str, dict[str, str]] = {}
        self._asked_at: float | None = None
        self.away = ""
        """Why the store does not take what it was asked last; empty when it did."""

    def read(self, sql: str) -> Sequence[Sequence[Any]]:
        """Columns of a query's result, UUIDs as strings. Waits for the store; raises StoppedError."""
        return self._patiently("read", lambda client: self._query(client, sql))

    def insert(self, columns: Columns, rows: Sequence[Row]) -> list[Refused]:
        """Write rows, all or all but those handed back. Waits for the store; raises StoppedError."""
        if not rows:
            return []
        while True:
            try:
                self._patiently(columns.table, lambda client: self._write(client, columns, rows))
            except (DatabaseError, *_DATA_ERRORS) as error:
                refused = self._halve(columns, rows, str(error))
                if len(refused) <= max(FEW, len(rows) // 2):
                    return refused
                # Most rows refused is no fault of the rows: the table is not what this program knows, for one.
                self.away = f"ClickHouse refuses most rows of {columns.table}: {str(error)[:200]}"
                log.warning("most rows refused; trying again", table=columns.table, rows=len(rows), error=str(error))
                self.close()
                self._pause(LONGEST_PAUSE_SECONDS)
            else:
                return []

    def asking_seconds(self) -> float:
        """How long the request in hand has been under way; 0 when there is none. For any thread."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def close(self) -> None:
        """Close the client; the next call opens another one."""
        self._types.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _halve(self, columns: Columns, rows: Sequence[Row], message: str) -> list[Refused]:
        if len(rows) == 1:
            return [Refused(columns, rows[0], message)]
        refused = []
        for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            try:
                self._patiently(columns.table, lambda client, half=half: self._write(client, columns, half))  # type: ignore[misc]
            except (DatabaseError, *_DATA_ERRORS) as error:
                refused += self._halve(columns, half, str(error))
        return refused

    def _patiently(self, what: str, action: Callable[[Client], T]) -> T:
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self._stop.is_set():
                raise StoppedError
            try:
                if self._client is None:
                    self._client = self._connect()
                self._asked_at = time.monotonic()
                done = action(self._client)
            except Exception as error:
                if is_data_error(error):
                    raise
                self.close()
                self.away = f"ClickHouse does not answer: {str(error)[:200]}"
                log.warning("the store does not take it; waiting", what=what, error=str(error), seconds=pause)
            else:
                self.away = ""
                return done
            finally:
                self._asked_at = None
            self._pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppedError

    def _query(self, client: Client, sql: str) -> Sequence[Sequence[Any]]:
        result = client.query(sql, settings=_READ_SETTINGS, query_formats=_AS_STRINGS)
        columns: Sequence[Sequence[Any]] = result.result_columns
        return columns

    def _write(self, client: Client, columns: Columns, rows: Sequence[Row]) -> None:
        if not self._types:
            self._types = _types(self._query(client, _ALL_COLUMNS))
        types = self._types[columns.table]
        block = native.block(columns.names, [types[name] for name in columns.names], rows)
        client.raw_insert(columns.table, columns.names, _as_it_is(block), settings=_WRITE_SETTINGS, fmt="Native")


def _as_it_is(block: bytes) -> bytes:
    """A block as the body of its request: bytes by themselves the client would copy behind the statement, of a view it
    does not know that it could."""
    return cast(bytes, memoryview(block))


_ALL_COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"


def _types(found: Sequence[Sequence[Any]]) -> dict[str, dict[str, str]]:
    types: dict[str, dict[str, str]] = {}
    for table, name, kind in zip(*found, strict=True):
        types.setdefault(table, {})[name] = kind
    return types


def is_data_error(error: Exception) -> bool:
    """Whether an error speaks of the values of the rows, so that sending them again would not help."""
    if isinstance(error, DatabaseError) and error.code is not None:
        return error.code in _DATA_CODES
    return isinstance(error, _DATA_ERRORS)
