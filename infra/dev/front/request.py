"""What a request asks: statement, database, parameters, settings, external tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from infra.dev.front.errors import refuse
from infra.dev.front.statement import Statement, parse

# Parameters of the HTTP interface that are no settings. Sessions and roles are tolerated: each request stands alone.
_TRANSPORT = frozenset(
    (
        *("buffer_size", "wait_end_of_query", "query", "query_id", "database", "default_format", "stacktrace"),
        *("user", "password", "role", "quota_key", "client_protocol_version", "compress", "decompress"),
        *("session_id", "session_check", "session_timeout", "close_session", "add_http_cors_header"),
    )
)
_DISPOSITION = re.compile(rb'\b(name|filename)="([^"]*)"', re.IGNORECASE)


@dataclass(frozen=True)
class ExternalTable:
    """A table that lives as long as the request (ClickHouse: external data for query processing)."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(frozen=True)
class QueryRequest:
    """One request. ``parameters`` are those of {name:Type}, in ClickHouse's escaped text form."""

    statement: Statement
    database: str = ""
    query_id: str = ""
    default_format: str = "TabSeparated"
    wait_for_end: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    external: tuple[ExternalTable, ...] = ()

    @property
    def format(self) -> str:
        """Format of the result."""
        return self.statement.format or self.default_format


@dataclass(frozen=True)
class Part:
    """A part of a multipart form; ``filename`` is empty for a plain field."""

    name: str
    filename: str
    content: bytes


def build(
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    parts: Iterable[Part],
    known_settings: frozenset[str],
) -> QueryRequest:
    """A request from its URL's parameters, headers, body (in clear) and form.

    Raises QueryError for what is not served, UnicodeDecodeError for a statement that is not UTF-8.
    """
    values = dict(query)
    files: dict[str, bytes] = {}
    for part in parts:
        if part.filename:
            files[part.name] = part.content
        else:
            values[part.name] = part.content.decode()
    if values.get("compress") == "1" or values.get("decompress") == "1":
        raise refuse(48, "NOT_IMPLEMENTED", "ClickHouse's own block compression is not served; use HTTP compression")
    external = tuple(_external(name, values, data) for name, data in files.items())
    described = {f"{name}_{what}" for name in files for what in ("format", "structure", "types")}
    settings = {
        name: value
        for name, value in values.items()
        if name not in _TRANSPORT and not name.startswith("param_") and name not in described
    }
    for name in settings:
        if name not in known_settings:
            raise refuse(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
    return QueryRequest(
        statement=_statement(values.get("query", "").encode(), body),
        database=values.get("database") or headers.get("x-clickhouse-database", ""),
        query_id=values.get("query_id", ""),
        default_format=values.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        wait_for_end=values.get("wait_end_of_query") == "1",
        parameters={name[6:]: value for name, value in values.items() if name.startswith("param_")},
        settings=settings,
        external=external,
    )


def _statement(sql: bytes, body: bytes) -> Statement:
    """The statement of query and body; the body of an insert is taken as it is, not copied."""
    if sql and body:
        statement = parse(sql)
        if statement.kind == "insert" and not statement.data:
            return replace(statement, data=body)
    return parse(b"\n".join(text for text in (sql, body) if text))


def parse_multipart(body: bytes, content_type: str) -> list[Part]:
    """The parts of a multipart/form-data body (RFC 7578); raises QueryError when it is not one."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise refuse(36, "BAD_ARGUMENTS", "a multipart form without a boundary")
    parts: list[Part] = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:]:
        if piece.startswith(b"--"):
            return parts
        head, separator, content = piece.partition(b"\r\n\r\n")
        named = {key.lower(): value.decode() for key, value in _DISPOSITION.findall(head)}
        if not separator or b"name" not in named:
            break
        parts.append(Part(named[b"name"], named.get(b"filename", ""), content))
    raise refuse(36, "BAD_ARGUMENTS", "a multipart form that is cut off or has a part without a name")


def _external(name: str, values: Mapping[str, str], data: bytes) -> ExternalTable:
    structure = values.get(f"{name}_structure", "")
    if types := values.get(f"{name}_types"):
        structure = ", ".join(f"_{number} {kind}" for number, kind in enumerate(types.split(","), 1))
    if not structure:
        raise refuse(36, "BAD_ARGUMENTS", f"external table {name} has neither structure nor types")
    return ExternalTable(name, structure, values.get(f"{name}_format", "TabSeparated"), data)
