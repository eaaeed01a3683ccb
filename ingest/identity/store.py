"""Identities, agents and unlinked students in the registry: found, or made, in one transaction for many.

Several processes may do this at once for the same agents: unique constraints decide who made a row, everybody reads
again what stands. Works on SQLite and PostgreSQL.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from schemas.registry.tables import agents, identities, students

_CHUNK: Final = 300
_TRIES: Final = 5


class Wanted(NamedTuple):
    """An agent to be known: identifier, digest and exact JSON; ``acting``: it needs a student."""

    kind: str
    value: str
    digest: str
    json: bytes
    acting: bool


class Found(NamedTuple):
    """An agent as the registry knows it; ``student_id`` is None for who never acted."""

    agent_key: str
    identity_id: str
    student_id: str | None


def find_or_make(engine: Engine, wanted: Iterable[Wanted], now: int) -> dict[str, Found]:
    """Each wanted agent by its digest, made where it is new; ``now`` in µs. Raises SQLAlchemyError."""
    found: dict[str, Found] = {}
    ordered = iter(sorted(wanted))
    while chunk := list(islice(ordered, _CHUNK)):
        with engine.connect() as connection:
            found.update(_read(connection, chunk))
        missing = [one for one in chunk if _incomplete(one, found)]
        if missing:
            found.update(_make_with_retries(engine, missing, now))
    return found


def changed_links(connection: Connection, since: int) -> Iterator[tuple[str, str | None, int]]:
    """Identities whose student changed at or after ``since`` (µs): identity, student, when."""
    query = select(identities.c.identity_id, identities.c.student_id, identities.c.updated_at).where(
        identities.c.updated_at >= since, identities.c.updated_at > 0
    )
    for row in connection.execute(query):
        yield row.identity_id, row.student_id, row.updated_at


def _incomplete(one: Wanted, found: dict[str, Found]) -> bool:
    known = found.get(one.digest)
    return known is None or (one.acting and known.student_id is None)


def _read(connection: Connection, wanted: list[Wanted]) -> dict[str, Found]:
    query = (
        select(agents.c.digest, agents.c.agent_key, identities.c.identity_id, identities.c.student_id)
        .join_from(agents, identities)
        .where(agents.c.digest.in_([one.digest for one in wanted]))
    )
    return {row.digest: Found(row.agent_key, row.identity_id, row.student_id) for row in connection.execute(query)}


def _make_with_retries(engine: Engine, wanted: list[Wanted], now: int) -> dict[str, Found]:
    for _ in range(_TRIES - 1):
        try:
            return _make(engine, wanted, now)
        except OperationalError:  # two processes in each other's way: a deadlock, or SQLite's lock
            continue
    return _make(engine, wanted, now)


def _make(engine: Engine, wanted: list[Wanted], now: int) -> dict[str, Found]:
    with engine.begin() as connection:
        _make_identities(connection, wanted, now)
        _make_students(connection, wanted, now)
        found = _read(connection, wanted)
        for _ in range(_TRIES):
            missing = [one for one in wanted if one.digest not in found]
            if not missing:
                break
            _make_agents(connection, missing)
            found = _read(connection, wanted)
        return found


def _make_identities(connection: Connection, wanted: list[Wanted], now: int) -> None:
    # Sorted, so that two processes take the same locks in the same order.
    pairs = sorted({(one.kind, one.value) for one in wanted})
    rows = [
        {"identity_id": secrets.token_urlsafe(16), "kind": kind, "value": value, "created_at": now}
        for kind, value in pairs
    ]
    _insert_new(connection, identities, rows)


def _make_students(connection: Connection, wanted: list[Wanted], now: int) -> None:
    acting = sorted({(one.kind, one.value) for one in wanted if one.acting})
    if not acting:
        return
    query = select(identities.c.identity_id).where(
        tuple_(identities.c.kind, identities.c.value).in_(acting), identities.c.student_id.is_(None)
    )
    made = {identity_id: str(uuid.uuid4()) for identity_id in sorted(connection.execute(query).scalars())}
    if not made:
        return
    connection.execute(
        insert(students),
        [{"student_id": one, "linked": False, "created_at": now, "updated_at": now} for one in made.values()],
    )
    for identity_id, student_id in made.items():
        mine = identities.c.identity_id == identity_id, identities.c.student_id.is_(None)
        if not connection.execute(update(identities).where(*mine).values(student_id=student_id)).rowcount:
            connection.execute(delete(students).where(students.c.student_id == student_id))


def _make_agents(connection: Connection, wanted: list[Wanted]) -> None:
    """The next variant of each identity; loses against a process that took the number first, and is tried again."""
    by_pair: dict[tuple[str, str], list[Wanted]] = {}
    for one in wanted:
        by_pair.setdefault((one.kind, one.value), []).append(one)
    counted = (
        select(identities.c.identity_id, identities.c.kind, identities.c.value, func.count(agents.c.agent_key))
        .join_from(identities, agents, isouter=True)
        .where(tuple_(identities.c.kind, identities.c.value).in_(list(by_pair)))
        .group_by(identities.c.identity_id, identities.c.kind, identities.c.value)
    )
    rows = [
        {
            "agent_key": f"{identity_id}.{variants + number}",
            "identity_id": identity_id,
            "digest": one.digest,
            "json": one.json.decode(),
        }
        for identity_id, kind, value, variants in connection.execute(counted).all()
        for number, one in enumerate(by_pair[kind, value], start=1)
    ]
    _insert_new(connection, agents, sorted(rows, key=lambda row: str(row["agent_key"])))


def _insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)
