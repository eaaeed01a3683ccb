"""GET and HEAD of the statements resource (Communication 2.1.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final, TypeVar

import msgspec
from clickhouse_connect.driver.exceptions import Error as StoreError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from ingest.credentials import Credential
from ingest.errors import ApiError, broken, retry_after
from ingest.http import JSON, PARAMETER, Answer, Exchange
from ingest.progress import Progress
from ingest.reading import PAGE, AgentReader, Filter, by_id, cursor, from_cursor, page
from ingest.store import Store
from ingest.xapi import terms
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import ENCODER, parse
from ingest.xapi.timestamps import TimestampError, microseconds
from ingest.xapi.validation.actors import actor

NOT_FOUND = Rule("statement.not_found", "1.0.3 Communication 2.1.3", "Ask for a statement that was accepted before.")
NOT_SERVED = Rule("parameter.not_served", "1.0.3 Communication 2.1.3", "Ask without this parameter.")

_IDS: Final = frozenset({"statementId", "voidedStatementId"})
_GET_ONE: Final = _IDS | {"format", "attachments"}
_GET: Final = _GET_ONE | {
    "agent", "verb", "activity", "registration", "related_activities", "related_agents", "since", "until", "limit",
    "ascending", "cursor",
}  # fmt: skip
_BOOLEANS: Final = {"true": True, "false": False}

T_ = TypeVar("T_")


class StatementReads:
    """Answers reads: a provider reads what it wrote itself, at once after it was told that it is kept.

    What other providers know about a student is none of its purposes; wider scopes of reading are granted, not assumed.
    """

    def __init__(self, progress: Progress, store: Store, agents: AgentReader) -> None:
        self._progress = progress
        self._store = store
        self._agents = agents

    async def get(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        """One statement by its id, or a page of those that match."""
        asked = exchange.parameters(_GET)
        _refuse_what_is_not_served(asked)
        one = not _IDS.isdisjoint(asked)
        wanted, agent = (Filter(), None) if one else _filter(asked)
        await self._progress.own_writes(by.key)
        try:
            return await (self._one(asked, by) if one else self._page(wanted, agent, by))
        except (StoreError, SQLAlchemyError, HTTPError, OSError):
            raise retry_after(503, "the store does not answer: try again", 2) from None

    async def _one(self, asked: dict[str, str], by: Credential) -> Answer:
        if not asked.keys() <= _GET_ONE or asked.keys() >= _IDS:
            raise broken(400, PARAMETER, "an id goes with no other parameter than format and attachments")
        voided = "voidedStatementId" in asked
        statement_id = asked["voidedStatementId" if voided else "statementId"]
        if not terms.is_uuid(statement_id):
            raise broken(400, PARAMETER, "the id is no UUID")
        found = await self._store.run(lambda client: by_id(client, statement_id, by.provider_id, voided=voided))
        if found is None:
            kind = "voided statement" if voided else "statement"
            raise broken(404, NOT_FOUND, f"there is no {kind} of this id")
        [statement] = await self._in_thread(lambda: self._agents.put_back([found]))
        modified = format_datetime(datetime.fromisoformat(statement["stored"]), usegmt=True)
        return 200, ENCODER.encode(statement), [JSON, (b"last-modified", modified.encode())]

    async def _page(self, wanted: Filter, agent: dict[str, Any] | None, by: Credential) -> Answer:
        if agent is not None:
            identity = await self._in_thread(lambda: self._agents.identity_of(agent))
            if identity is None:
                return _page_of([], "")
            wanted = msgspec.structs.replace(wanted, identity=identity)
        groups = await self._in_thread(lambda: self._agents.groups_of(wanted.identity)) if wanted.identity else []
        rows = await self._store.run(lambda client: page(client, wanted, by.provider_id, groups))
        more = ""
        if len(rows) > wanted.limit:
            rows = rows[: wanted.limit]
            last = rows[-1]
            more = "/xapi/statements?cursor=" + cursor(
                msgspec.structs.replace(wanted, after=(last.stored, last.statement_id))
            )
        return _page_of(await self._in_thread(lambda: self._agents.put_back([row.json for row in rows])), more)

    async def _in_thread(self, call: Callable[[], T_]) -> T_:
        return await asyncio.get_running_loop().run_in_executor(self._agents.threads, call)


def _page_of(statements: list[dict[str, Any]], more: str) -> Answer:
    return 200, ENCODER.encode({"statements": statements, "more": more}), [JSON]


def _refuse_what_is_not_served(asked: dict[str, str]) -> None:
    """501 in words for what this LRS does not do yet, 400 for what is no value of the parameter."""
    if (kind := asked.get("format", "exact")) != "exact":
        if kind not in ("ids", "canonical"):
            raise broken(400, PARAMETER, "format is exact, ids or canonical")
        raise broken(501, NOT_SERVED, f"format={kind} is not served yet: statements come in the exact format")
    for name in ("attachments", "related_activities", "related_agents"):
        if _boolean(asked, name):
            raise broken(501, NOT_SERVED, f"{name}=true is not served yet")


def _filter(asked: dict[str, str]) -> tuple[Filter, dict[str, Any] | None]:
    """The filter of a query, and the agent in it; raises ApiError 400."""
    if "cursor" in asked:
        if len(asked) > 1:
            raise broken(400, PARAMETER, "a cursor goes with no other parameter")
        try:
            return from_cursor(asked["cursor"]), None
        except ValueError as error:
            raise broken(400, PARAMETER, f"the cursor {error}") from None
    for name in ("verb", "activity"):
        if name in asked and not terms.is_iri(asked[name]):
            raise broken(400, PARAMETER, f"{name} is no IRI")
    if "registration" in asked and not terms.is_uuid(asked["registration"]):
        raise broken(400, PARAMETER, "registration is no UUID")
    wanted = Filter(
        limit=_limit(asked.get("limit", "0")),
        ascending=_boolean(asked, "ascending"),
        verb=asked.get("verb", ""),
        activity=asked.get("activity", ""),
        registration=asked.get("registration", ""),
        since=_moment(asked, "since"),
        until=_moment(asked, "until"),
    )
    return wanted, _agent(asked["agent"]) if "agent" in asked else None


def _agent(text: str) -> dict[str, Any]:
    faults = Faults()
    value = parse(text.encode(), faults)
    if not faults:
        actor(value, "agent", faults)
    if faults:
        raise ApiError(400, f"the parameter agent: {faults[0].message}", faults)
    found: dict[str, Any] = value
    return found


def _limit(text: str) -> int:
    """Statements of a page; 0 asks for as many as the server gives."""
    if not text.isascii() or not text.isdigit():
        raise broken(400, PARAMETER, "limit is no whole number from 0")
    return min(int(text[:9]) or PAGE, PAGE)


def _boolean(asked: dict[str, str], name: str) -> bool:
    value = _BOOLEANS.get(asked.get(name, "false"))
    if value is None:
        raise broken(400, PARAMETER, f"{name} is true or false")
    return value


def _moment(asked: dict[str, str], name: str) -> int | None:
    if name not in asked:
        return None
    try:
        return microseconds(asked[name])
    except TimestampError as error:
        raise broken(400, PARAMETER, f"{name} {error}") from None
