"""The quarantine in the registry: what waits, how it was repaired, and the rules; for ingest, commands and pages.

Times are in µs. Nothing of a kept statement is told outside the registry but to those who look at it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select, update

from infra.runtime.providers import ProviderFaultError, note_change, require
from schemas.registry.lrs import quarantined, repairs

Rules = Sequence[Row[Any]]
"""Rows of the table repairs."""

STATES = ("waiting", "replayed", "discarded")


class Counts(NamedTuple):
    """Statements of a provider by what became of them. ``ready``: repaired, and not yet accepted."""

    waiting: int
    ready: int
    replayed: int
    discarded: int


class Item(NamedTuple):
    """One kept statement. ``faults``: as JSON objects with rule, section, path, message, fix and value."""

    item_id: str
    provider_id: str
    credential: str
    request_id: str
    idx: int
    received_at: int
    version: str
    statement: str
    faults: list[dict[str, str]]
    repaired: str | None
    status: str
    decided_at: int | None
    decided_by: str | None
    reason: str | None


def counts(connection: Connection, provider_id: str) -> Counts:
    """How many there are."""
    own = quarantined.c
    query = (
        select(own.status, own.repaired.is_not(None).label("ready"), func.count())
        .where(own.provider_id == provider_id)
        .group_by(own.status, own.repaired.is_not(None))
    )
    found = dict.fromkeys((*STATES, "ready"), 0)
    for status, ready, number in connection.execute(query):
        found["ready" if status == "waiting" and ready else status] += number
    return Counts(found["waiting"], found["ready"], found["replayed"], found["discarded"])


def items(
    connection: Connection, provider_id: str = "", status: str = "waiting", limit: int = 100, rule: str = ""
) -> list[Item]:
    """The newest kept statements of a provider (empty: of all) in a state, those that broke ``rule`` where one is
    given."""
    own = quarantined.c
    query = select(quarantined).where(own.status == status).order_by(own.received_at.desc(), own.idx).limit(limit)
    if provider_id:
        query = query.where(own.provider_id == provider_id)
    if rule:
        query = query.where(own.faults.contains(f'"rule":"{rule}"', autoescape=True))
    return [_item(row) for row in connection.execute(query)]


def item(connection: Connection, item_id: str) -> Item:
    """One kept statement; raises ProviderFaultError where there is none."""
    row = connection.execute(select(quarantined).where(quarantined.c.item_id == item_id)).first()
    if row is None:
        raise ProviderFaultError(f"nothing is kept under {item_id}")
    return _item(row)


def repair_item(connection: Connection, item_id: str, text: str, by: str, reason: str) -> None:
    """Put a repaired statement beside a waiting one: ingest replays it. Whoever calls has checked it."""
    _decide(connection, item_id, {"repaired": text, "decided_by": by, "reason": reason})


def discard(connection: Connection, item_id: str, by: str, reason: str, now: int) -> None:
    """Give a waiting statement up, with the reason."""
    if not reason.strip():
        raise ProviderFaultError("say why it is discarded")
    values = {"status": "discarded", "decided_at": now, "decided_by": by, "reason": reason.strip()}
    _decide(connection, item_id, values)


def _decide(connection: Connection, item_id: str, values: dict[str, Any]) -> None:
    found = item(connection, item_id)
    own = quarantined.c
    changed = connection.execute(
        update(quarantined).where(own.item_id == item_id, own.status == "waiting").values(values)
    ).rowcount
    if not changed:
        raise ProviderFaultError(f"{item_id} was {found.status} already")


def rules(connection: Connection, provider_id: str = "", *, disabled: bool = False) -> Rules:
    """Rules of repair of a provider (empty: of all), oldest first; with ``disabled`` those no longer applied, too."""
    own = repairs.c
    query = select(repairs).order_by(own.created_at, own.repair_id)
    if provider_id:
        query = query.where(own.provider_id == provider_id)
    if not disabled:
        query = query.where(own.disabled.is_(False))
    return connection.execute(query).all()


def add_rule(
    connection: Connection,
    provider_id: str,
    path: str,
    action: str,
    found: str | None,
    value: str | None,
    by: str,
    now: int,
) -> str:
    """Add a rule; its id. Whoever calls has checked it."""
    require(connection, provider_id)
    repair_id = str(uuid4())
    connection.execute(
        insert(repairs).values(
            repair_id=repair_id,
            provider_id=provider_id,
            path=path,
            action=action,
            found=found,
            value=value,
            created_at=now,
            created_by=by,
        )
    )
    note_change(connection, provider_id, now, by, f"rule added: {in_words(path, action, found, value)}")
    return repair_id


def disable_rule(connection: Connection, repair_id: str, by: str, now: int) -> None:
    """Apply a rule no longer."""
    row = connection.execute(select(repairs).where(repairs.c.repair_id == repair_id)).first()
    if row is None:
        raise ProviderFaultError(f"there is no rule {repair_id}")
    connection.execute(update(repairs).where(repairs.c.repair_id == repair_id).values(disabled=True))
    what = f"rule disabled: {in_words(row.path, row.action, row.found, row.value)}"
    note_change(connection, row.provider_id, now, by, what)


def in_words(path: str, action: str, found: str | None, value: str | None) -> str:
    """A rule as a sentence."""
    if action == "remove":
        return f"remove {path}" + (f" where it is {found}" if found else "")
    if action == "replace" and found:
        return f"replace {found} by {value} at {path}"
    return f"{action} {path} {'to' if action == 'set' else 'by'} {value}"


def waiting_by_provider(connection: Connection) -> dict[str, int]:
    """Statements that wait, of each provider that has some."""
    own = quarantined.c
    query = select(own.provider_id, func.count()).where(own.status == "waiting").group_by(own.provider_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def ready(connection: Connection, limit: int) -> list[Item]:
    """Repaired statements that wait to be replayed; the oldest first."""
    own = quarantined.c
    query = (
        select(quarantined)
        .where(own.repaired.is_not(None), own.status == "waiting")
        .order_by(own.received_at)
        .limit(limit)
    )
    return [_item(row) for row in connection.execute(query)]


def _item(row: Row[Any]) -> Item:
    return Item(
        row.item_id,
        row.provider_id,
        row.credential,
        row.request_id,
        row.idx,
        row.received_at,
        row.version,
        row.statement,
        json.loads(row.faults),
        row.repaired,
        row.status,
        row.decided_at,
        row.decided_by,
        row.reason,
    )
