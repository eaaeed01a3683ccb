"""GET and HEAD of the statements resource (Communication 2.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.exceptions import Error as StoreError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from ingest.attachments.multipart import mixed
from ingest.attachments.store import AttachmentStore, AttachmentStoreError
from ingest.credentials import Credential
from ingest.errors import broken, retry_after
from ingest.http import JSON, Answer, Exchange
from ingest.identity.matching import identifier
from ingest.progress import Progress
from ingest.reading.agents import AgentReader
from ingest.reading.filters import Filter, cursor
from ingest.reading.pages import page
from ingest.reading.rows import AskedId
from ingest.reading.together import ReadsById
from ingest.reading.windows import Shares
from ingest.resources.asking import AskedOne, AskedPage, asked
from ingest.sandbox.store import Page, Sandbox
from ingest.store import Store
from ingest.xapi.agents import exact
from ingest.xapi.faults import Rule
from ingest.xapi.formats import accepted_languages, in_format, in_version
from ingest.xapi.matching import IsAgent
from ingest.xapi.parse import DECODER, ENCODER
from ingest.xapi.timestamps import microseconds

NOT_FOUND = Rule("statement.not_found", "1.0.3 Communication 2.1.3", "Ask for a statement that was accepted before.")

_READ_ALL: Final = frozenset({"statements/read", "all/read", "all"})

Statement = dict[str, Any]


def reads_of(by: Credential) -> str:
    """Whose statements a credential reads: its provider's, or with a wider scope everybody's (empty)."""
    return "" if by.scopes & _READ_ALL else by.provider_id


Parts = dict[str, tuple[str, str, bytes]]
"""Media type, hash and bytes of attachments, by hash."""


class StatementReads:
    """Answers reads: a provider reads what it wrote itself, at once after it was told that it is kept.

    What other providers know about a student is none of its purposes; wider scopes of reading are granted, not assumed.
    """

    def __init__(
        self,
        progress: Progress,
        store: Store,
        agents: AgentReader,
        attachments: AttachmentStore,
        sandbox: Sandbox,
        most_attached: int = 64 * 1024 * 1024,
    ) -> None:
        """``most_attached``: bytes of attachments in an answer; a page ends before the statement that exceeds it."""
        self._progress = progress
        self._store = store
        self._by_id = ReadsById(store, agents)
        self._agents = agents
        self._attachments = attachments
        self._sandbox = sandbox
        self._most_attached = most_attached
        self._shares = Shares()

    async def get(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        """One statement by its id, or a page of those that match."""
        what = asked(exchange)
        languages = accepted_languages(exchange.header(b"accept-language"))
        await self._progress.own_writes(by.key)
        try:
            if isinstance(what, AskedOne):
                return await self._one(what, by, version, languages)
            return await self._page(what, by, version, languages)
        except (StoreError, SQLAlchemyError, HTTPError, OSError, AttachmentStoreError):
            raise retry_after(503, "the store does not answer: try again", 2) from None

    async def _one(self, what: AskedOne, by: Credential, version: str, languages: list[str]) -> Answer:
        found: Statement | None
        if by.sandbox:
            found = await self._sandbox.one(by.provider_id, what.statement_id, voided=what.voided)
        else:
            kept = await self._by_id.get(AskedId(what.statement_id, reads_of(by), what.voided))
            found = None if kept is None else kept.whole()
        if found is None:
            kind = "voided statement" if what.voided else "statement"
            raise broken(404, NOT_FOUND, f"there is no {kind} of this id")
        modified = format_datetime(datetime.fromisoformat(found["stored"]), usegmt=True)
        shown = in_format(in_version(found, version), what.format, languages)
        parts = (await self._attached([shown]))[0] if what.attachments else None
        answer = _answer(ENCODER.encode(shown), parts)
        answer[2].append((b"last-modified", modified.encode()))
        return answer

    async def _page(self, what: AskedPage, by: Credential, version: str, languages: list[str]) -> Answer:
        read = self._sandboxed if by.sandbox else self._stored
        statements, wanted, rest = await read(what, by)
        shown = [in_format(in_version(one, version), what.wanted.format, languages) for one in statements]
        parts = None
        if what.wanted.attachments:
            parts, fit = await self._attached(shown)
            rest, shown, statements = rest or fit < len(shown), shown[:fit], statements[:fit]
        more = ""
        if rest:
            last = statements[-1]
            after = microseconds(last["stored"]), last["id"]
            more = "/xapi/statements?cursor=" + cursor(msgspec.structs.replace(wanted, after=after))
        return _answer(ENCODER.encode({"statements": shown, "more": more}), parts)

    async def _stored(self, what: AskedPage, by: Credential) -> tuple[list[Statement], Filter, bool]:
        """Statements of a page, their filter, and whether there are more."""
        wanted, agents = what.wanted, self._agents
        if what.agent is not None:
            identity = await agents.run(partial(agents.identity_of, what.agent))
            if identity is None:
                return [], wanted, False
            wanted = msgspec.structs.replace(wanted, identity=identity)
        places = await agents.run(partial(agents.places, wanted.identity)) if wanted.identity else None
        whose, shares = reads_of(by), self._shares
        rows = await self._store.run(lambda client: page(client, wanted, whose, places, shares))
        kept, rest = rows[: wanted.limit], rows[wanted.limit :]
        return await agents.run(partial(agents.put_back, [row.json for row in kept])), wanted, bool(rest)

    async def _sandboxed(self, what: AskedPage, by: Credential) -> tuple[list[Statement], Filter, bool]:
        wanted = what.wanted
        if what.agent is not None:
            wanted = msgspec.structs.replace(wanted, identity=exact(what.agent).decode())
        rows = await self._sandbox.page(
            by.provider_id,
            Page(
                wanted.matching,
                _same(DECODER.decode(wanted.identity)) if wanted.identity else None,
                wanted.limit,
                wanted.ascending,
                wanted.since,
                wanted.until,
                wanted.after,
            ),
        )
        kept, rest = rows[: wanted.limit], rows[wanted.limit :]
        return [row.statement for row in kept], wanted, bool(rest)

    async def _attached(self, statements: Sequence[Statement]) -> tuple[Parts, int]:
        """Bytes of the attachments that are known, and how many of the statements they are of."""
        parts: Parts = {}
        size = 0
        for number, one in enumerate(statements):
            own: Parts = {}
            for attachment in (*one.get("attachments", ()), *one["object"].get("attachments", ())):
                sha2 = attachment["sha2"]
                if sha2 in parts or sha2 in own or (data := await self._attachments.get(sha2)) is None:
                    continue
                size += len(data)
                if size > self._most_attached and number:
                    return parts, number
                own[sha2] = attachment["contentType"], sha2, data
            parts.update(own)
        return parts, len(statements)


def _answer(body: bytes, parts: Parts | None) -> Answer:
    """Plain JSON, or in parts where attachments were asked for, also where there are none."""
    if parts is None:
        return 200, body, [JSON]
    body, content_type = mixed(body, list(parts.values()))
    return 200, body, [(b"content-type", content_type.encode())]


def _same(agent: Statement) -> IsAgent:
    """Whether an agent is this one, or a group has it as a member: by identifiers alone (Data 2.4.2.3)."""
    wanted = identifier(agent, exact(agent))

    def is_agent(one: Any) -> bool:
        return identifier(one, exact(one)) == wanted or any(is_agent(member) for member in one.get("member", ()))

    return is_agent
