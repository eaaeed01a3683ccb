"""The chdb engine: opened once, one connection a request or, for inserts and reads, a thread and its settings.

Measured with chdb 26.9: a connection costs 0.5 ms with its settings and holds its own database, settings and temporary
tables; queries on different connections run side by side and release the interpreter's lock (select 1 beside a query
of 12 s: 4 ms); INSERT of Native bytes through send_insert takes 1.5 million small rows a second at 10,000 a block.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import chdb
from chdb.state.sqlitelike import Connection

from infra.dev.errors import LocalStackError
from infra.dev.front.errors import from_engine
from infra.dev.front.request import QueryRequest

# Formats of which the parts that the engine streams, joined, are the whole; others (JSON, Parquet, ...) have a head and
# a foot, which it would write around each part.
JOINABLE = frozenset({"Native", "TabSeparated", "TSV", "CSV", "JSONEachRow", "RowBinary", "Values", "LineAsString"})

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What the engine may use, in bytes. A query that would take more fails with MEMORY_LIMIT_EXCEEDED."""

    memory: int = 2048 * MEBIBYTE
    query_memory: int = 1024 * MEBIBYTE

    def of_engine(self) -> dict[str, int]:
        """Arguments at start. Two merges at a time: more would take both cores from the writers."""
        return {
            "max_server_memory_usage": self.memory,
            "mark_cache_size": 128 * MEBIBYTE,
            "background_pool_size": 2,
        }

    def of_query(self) -> dict[str, str]:
        """Settings of each query, unless it brings its own: large aggregations and sorts go to disk."""
        return {
            "max_memory_usage": str(self.query_memory),
            "max_bytes_before_external_group_by": str(self.query_memory // 3),
            "max_bytes_before_external_sort": str(self.query_memory // 3),
        }


@dataclass
class Summary:
    """Counts of one statement, as X-ClickHouse-Summary tells them."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_bytes: int = 0

    def add(self, part: Any) -> None:
        """Count one part of a result."""
        self.read_rows += part.rows_read()
        self.read_bytes += part.bytes_read()

    def header(self) -> str:
        """JSON; ClickHouse writes each number as a string."""
        return json.dumps({name: str(value) for name, value in vars(self).items()})


class Rows:
    """Rows of a read, part by part. close() ends the query; it may be called twice.

    ``release`` is told whether all was read, and takes care of the connection.
    """

    def __init__(self, connection: Connection, request: QueryRequest, release: Callable[[bool], None]) -> None:
        self.summary = Summary()
        self._release = release
        self._complete = False
        with engine_errors():
            self._stream = connection.send_query(
                request.statement.sql, request.default_format, params=dict(request.parameters)
            )
        self._parts = iter(self._stream)
        self._open = True

    def next(self) -> bytes | None:
        """The next part, None at the end; raises QueryError."""
        with engine_errors():
            part = next(self._parts, None)
            if part is None:
                self._complete = True
                return None
            self.summary.add(part)
            data: bytes = part.bytes()
        self.summary.result_bytes += len(data)
        return data

    def close(self) -> None:
        """Cancel what still runs."""
        if self._open:
            self._open = False
            try:
                self._stream.close()
            finally:
                self._release(self._complete)


class Engine:
    """One directory's engine. open() raises LocalStackError when the directory cannot be used."""

    def __init__(self, path: Path, limits: Limits, anchor: Connection) -> None:
        self._path = path
        self._anchor = anchor  # the engine lives as long as one connection does
        self._defaults = limits.of_query()
        self._kept = threading.local()
        self.version = str(anchor.query("SELECT version()", "TabSeparated")).strip()
        self.timezone = str(anchor.query("SELECT timezone()", "TabSeparated")).strip()
        names = str(anchor.query("SELECT name FROM system.settings", "TabSeparated"))
        self.settings = frozenset(names.split())

    @classmethod
    def open(cls, path: Path, limits: Limits) -> Self:
        """Open or make the directory's store."""
        path = path.absolute()
        path.mkdir(parents=True, exist_ok=True)
        stamp = path / "engine_version"
        current = str(chdb.query("SELECT version()", "TabSeparated")).strip()
        if stamp.exists() and _release(made := stamp.read_text().strip()) > _release(current):
            raise LocalStackError(
                f"{path} was written by chdb {made}, this is {current}: install the newer chdb or use another directory"
            )
        arguments = "&".join(f"{name}={value}" for name, value in limits.of_engine().items())
        try:
            anchor = chdb.connect(f"{path}?{arguments}")
        except RuntimeError as error:
            if "Error initializing EmbeddedServer" in str(error):
                raise LocalStackError(f"{path} is in use by another process: {_owner(path)}") from error
            raise LocalStackError(f"the engine cannot open {path}: {error}") from error
        stamp.write_text(current)
        return cls(path, limits, anchor)

    def read(self, request: QueryRequest) -> Rows:
        """Start a read whose parts can be joined."""
        connection = self._take(request)
        try:
            return Rows(connection, request, lambda clean: self._give_back(request, connection, clean))
        except BaseException:
            connection.close()
            raise

    def run(self, request: QueryRequest) -> tuple[bytes, Summary]:
        """Run a statement to its end; its whole result."""
        connection = self._connect(request)
        try:
            with engine_errors():
                result = connection.query(
                    request.statement.sql, request.default_format, params=dict(request.parameters)
                )
                data: bytes = result.bytes()
                summary = Summary(written_rows=result.rows_written(), written_bytes=result.bytes_written())
                summary.add(result)
        finally:
            connection.close()
        summary.result_bytes = len(data)
        return data, summary

    def insert(self, request: QueryRequest) -> Summary:
        """Insert the data of an INSERT ... FORMAT statement; when it returns, they survive a kill of this process."""
        connection = self._take(request)
        clean = False
        try:
            written = _insert(connection, request.statement.sql, request.statement.format, request.statement.data)
            clean = True
        finally:
            self._give_back(request, connection, clean)
        return Summary(written_rows=written.rows_written, written_bytes=written.bytes_written)

    def close(self) -> None:
        """Let go of the directory."""
        self._anchor.close()

    def _take(self, request: QueryRequest) -> Connection:
        """A connection for an insert or a read, which leave nothing in it: this thread's last one, where it fits."""
        kept, self._kept.connection = getattr(self._kept, "connection", None), None
        if kept is not None:
            if self._kept.wants == _wants(request):
                return kept
            kept.close()
        return self._connect(request)

    def _give_back(self, request: QueryRequest, connection: Connection, clean: bool) -> None:
        if clean and not request.external:
            self._kept.connection, self._kept.wants = connection, _wants(request)
        else:
            connection.close()

    def _connect(self, request: QueryRequest) -> Connection:
        with engine_errors():
            connection = chdb.connect(str(self._path))
        try:
            with engine_errors():
                # Settings before the database: an error of theirs names them.
                settings = {**self._defaults, **request.settings}
                connection.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))
                if request.database:
                    name = request.database.replace("\\", "\\\\").replace("`", "\\`")
                    connection.query(f"USE `{name}`")
                for table in request.external:
                    connection.query(f"CREATE TEMPORARY TABLE `{table.name}` ({table.structure}) ENGINE = Memory")
                    _insert(connection, f"INSERT INTO `{table.name}`", table.format, table.data)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn the engine's exceptions into QueryError."""
    try:
        yield
    except RuntimeError as error:
        raise from_engine(str(error)) from None


def _insert(connection: Connection, sql: str, data_format: str, data: bytes) -> Any:
    with engine_errors():
        inserter = connection.send_insert(sql, data_format)
        with inserter:
            inserter.append(data)
            return inserter.finish()


def _wants(request: QueryRequest) -> tuple[object, ...]:
    """What a connection of this request has that others may not have."""
    return request.database, tuple(request.settings.items()), request.external


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _release(version: str) -> tuple[int, ...]:
    """Year and month of a version; patches of one release read each other's files."""
    return tuple(int(part) for part in version.split(".")[:2])


def _owner(path: Path) -> str:
    """The line of the engine's lock file that names its process."""
    try:
        return (path / "status").read_text().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"
