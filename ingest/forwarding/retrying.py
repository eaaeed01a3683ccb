"""Dead letters of a forward, sent once more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
from sqlalchemy import Engine

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import Settings
from ingest.attachments.store import open_store
from ingest.forwarding import store
from ingest.forwarding.delivery import Delivery, Failure, Listening, Outgoing
from ingest.forwarding.preparing import Preparing
from ingest.forwarding.rules import Forward
from ingest.reading.agents import AgentReader

_ATTEMPTS = 3


class Retried(NamedTuple):
    """Ids that the other LRS has now, failures that stay, ids that are not in the store (any more)."""

    delivered: list[str]
    failed: list[Failure]
    missing: list[str]


def retry(settings: Settings, engine: Engine, forward: Forward, secret: str, statement_ids: Sequence[str]) -> Retried:
    """Send statements of the store to a forward's LRS, each by itself; the registry is changed by the caller.

    Raises what ClickHouse's client and the registry raise.
    """
    with open_clickhouse(settings.clickhouse) as client:
        found = client.query(
            "SELECT toString(statement_id), json FROM statements FINAL"
            " WHERE statement_id IN (SELECT arrayJoin(arrayMap(one -> toUUID(one), {ids:Array(String)})))",
            parameters={"ids": list(statement_ids)},
        ).result_rows
    kept = {str(one): text if isinstance(text, bytes) else text.encode() for one, text in found}
    reader = AgentReader(engine, settings.ingest.authority_home_page)
    try:
        there = [one for one in statement_ids if one in kept]
        statements = reader.put_back([kept[one] for one in there])
    finally:
        reader.close()
    result = Retried([], [], [one for one in statement_ids if one not in kept])
    asyncio.run(_send(settings, forward, secret, list(zip(there, statements, strict=True)), result))
    return result


async def _send(
    settings: Settings, forward: Forward, secret: str, statements: list[tuple[str, dict[str, Any]]], result: Retried
) -> None:
    attachments = open_store(settings.ingest.attachments_url, settings.data_dir)
    preparing = Preparing(_put_back_already, attachments)
    async with httpx.AsyncClient(
        auth=(forward.key, secret),
        headers={"X-Experience-API-Version": forward.version},
        timeout=settings.forwarding.timeout_seconds,
    ) as client:
        url = forward.endpoint.rstrip("/") + "/statements"
        delivery = Delivery(client, url, _Noting(result), longest_wait=2.0, attempts=_ATTEMPTS)
        for statement_id, statement in statements:
            await delivery.deliver([await preparing.one(statement_id, statement, forward.version, 0)])


async def _put_back_already(statements: list[bytes]) -> list[dict[str, Any]]:
    raise AssertionError(f"{len(statements)} statements have their agents")


class _Noting(Listening):
    def __init__(self, result: Retried) -> None:
        self._result = result

    async def taken(self, statements: Sequence[Outgoing], *, known: bool) -> None:
        self._result.delivered.extend(one.statement_id for one in statements)

    async def failed(self, failure: Failure) -> None:
        self._result.failed.append(failure)


def keep(engine: Engine, name: str, result: Retried, now: int) -> None:
    """Write what came of it into the registry; ``now`` in µs."""
    with engine.begin() as connection:
        store.delivered(connection, name, result.delivered)
        for one in result.failed:
            store.fail(
                connection, name, one.statement_id,
                at=now, attempts=one.attempts, status=one.status, message=one.message,
            )  # fmt: skip
