"""Forwards and their dead letters in the registry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ingest.forwarding.rules import Filter, Forward
from schemas.registry.lrs import forward_failures, forwards

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_MESSAGE = 500


class ForwardFaultError(ValueError):
    """A forward that cannot be added or found, in words for the operator."""


def add(connection: Connection, forward: Forward, now: int) -> None:
    """Add a forward; ``now`` in µs. Raises ForwardFaultError."""
    if not _NAME(forward.name):
        raise ForwardFaultError(f"{forward.name!r} is no name: use up to 64 of a-z, 0-9 and -")
    if not forward.endpoint.startswith(("http://", "https://")):
        raise ForwardFaultError(f"{forward.endpoint!r} is no address of an LRS: it begins with https://")
    if not _VARIABLE(forward.secret_variable):
        raise ForwardFaultError(f"{forward.secret_variable!r} is no name of an environment variable")
    if connection.execute(select(forwards.c.name).where(forwards.c.name == forward.name)).first():
        raise ForwardFaultError(f"forward {forward.name} exists already")
    row = msgspec.structs.asdict(forward)
    row |= {"filter": msgspec.json.encode(forward.filter).decode(), "created_at": now}
    connection.execute(insert(forwards).values(row))


def load(connection: Connection) -> list[Forward]:
    """All forwards, by name."""
    rows = connection.execute(select(forwards).order_by(forwards.c.name)).mappings()
    names = set(Forward.__struct_fields__) - {"filter"}
    return [
        Forward(**{name: row[name] for name in names}, filter=msgspec.json.decode(row["filter"], type=Filter))
        for row in rows
    ]


def find(connection: Connection, name: str) -> Forward:
    """The forward of a name; raises ForwardFaultError."""
    for one in load(connection):
        if one.name == name:
            return one
    raise ForwardFaultError(f"there is no forward {name}")


def switch(connection: Connection, name: str, *, disabled: bool) -> None:
    """Send nothing more, or go on where it stopped. Raises ForwardFaultError."""
    if not connection.execute(update(forwards).where(forwards.c.name == name).values(disabled=disabled)).rowcount:
        raise ForwardFaultError(f"there is no forward {name}")


def active(connection: Connection) -> bool:
    """Whether there is a forward that is not disabled."""
    return (
        connection.execute(select(forwards.c.name).where(forwards.c.disabled.is_(False)).limit(1)).first() is not None
    )


def fail(
    connection: Connection, name: str, statement_id: str, *, at: int, attempts: int, status: int, message: str
) -> None:
    """Put a statement among the dead letters; attempts add up where it is there already."""
    own = forward_failures
    mine = (own.c.name == name) & (own.c.statement_id == statement_id)
    before = connection.scalar(select(own.c.attempts).where(mine)) or 0
    connection.execute(delete(own).where(mine))
    connection.execute(
        insert(own).values(
            name=name,
            statement_id=statement_id,
            at=at,
            attempts=before + attempts,
            status=status,
            message=message[:_MESSAGE],
        )
    )


def failures(connection: Connection, name: str, limit: int = 1_000_000) -> list[Row[Any]]:
    """Dead letters of a forward, oldest first."""
    own = forward_failures
    query = select(own).where(own.c.name == name).order_by(own.c.at, own.c.statement_id).limit(limit)
    return list(connection.execute(query))


def failed(connection: Connection) -> dict[str, int]:
    """Number of dead letters by forward."""
    query = select(forward_failures.c.name, func.count()).group_by(forward_failures.c.name)
    return {row[0]: row[1] for row in connection.execute(query)}


def delivered(connection: Connection, name: str, statement_ids: Iterable[str]) -> None:
    """Take statements out of the dead letters."""
    for one in statement_ids:
        connection.execute(
            delete(forward_failures).where(forward_failures.c.name == name, forward_failures.c.statement_id == one)
        )
