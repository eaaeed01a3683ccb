"""The statements resource (Communication 2.1): PUT, POST, GET and HEAD."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from infra.runtime.settings import IngestSettings
from ingest.acceptance import Acceptance
from ingest.attachments.received import Limits, Room, is_multipart, receive
from ingest.attachments.store import AttachmentStore, AttachmentStoreError
from ingest.credentials import Credential
from ingest.errors import ApiError, broken, retry_after
from ingest.http import JSON, Answer, Exchange, Headers, misused
from ingest.limits import Allowance
from ingest.progress import Progress
from ingest.quarantine.keeper import Quarantine
from ingest.resources.base import Door, Handler, Resource
from ingest.resources.statement_reads import StatementReads
from ingest.sandbox.store import Sandbox
from ingest.xapi import terms
from ingest.xapi.accepted import Accepted, Valid, read
from ingest.xapi.attachments import SURPLUS, attached, missing_or_surplus, not_taken
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import parse
from ingest.xapi.signatures import signature
from ingest.xapi.sizes import COMPILED_DEPTH, may_be_too_long, oversize
from ingest.xapi.validation import batch
from ingest.xapi.version import TWO

SAME_ID = Rule("statement.id", "1.0.3 Communication 2.1.1", "Give the statement the id of the parameter statementId.")
SINGLE = Rule("statement.single", "1.0.3 Communication 2.1.1", "PUT one statement; POST takes many.")
_OF_REQUEST: Final = frozenset({SAME_ID.code, SINGLE.code})
"""Faults of a request whose statements may be right: it is refused, also in quarantine."""
BATCH_LIMIT = Rule("limit.batch", "1.0.3 Communication 3.2", "Send fewer statements at once.")

Parts = dict[str, bytes]
"""Bytes of attachments by SHA-2 in lower case."""

_FAULTS_TOLD: Final = 100
_POSITION: Final = re.compile(r"\$\[(\d+)\]").match
_WHOLE_REQUESTS: Final = 4
"""Multipart requests of the largest size that are held at once."""
_PUT: Final = frozenset({"statementId"})
_NONE: Final[frozenset[str]] = frozenset()


class Statements(Resource):
    """/xapi/statements."""

    scopes = MappingProxyType({"PUT": "statements/write", "POST": "statements/write", "GET": "statements/read/mine"})

    def __init__(
        self,
        door: Door,
        acceptance: Acceptance,
        progress: Progress,
        reads: StatementReads,
        settings: IngestSettings,
        attachments: AttachmentStore,
        quarantine: Quarantine,
        sandbox: Sandbox,
        allowance: Allowance,
    ) -> None:
        self._reads = reads
        super().__init__(door)
        self._acceptance = acceptance
        self._progress = progress
        self._settings = settings
        self._accepted = cache(door.metrics.accepted.labels)
        self._store = attachments
        self._quarantine = quarantine
        self._sandbox = sandbox
        self._limits = Limits(settings.max_body_bytes, settings.max_attachment_bytes, settings.max_attachments)
        self._deep_enough = settings.max_depth >= COMPILED_DEPTH
        self._room = Room(_WHOLE_REQUESTS * settings.max_multipart_bytes)
        self._allowance = allowance

    def methods(self) -> dict[str, Handler]:
        return {"PUT": self._put, "POST": self._post, "GET": self._reads.get, "HEAD": self._reads.get}

    def extra_headers(self) -> Headers:
        return [(b"x-experience-api-consistent-through", self._progress.consistent_through_text())]

    async def _put(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        wanted = exchange.parameters(_PUT).get("statementId")
        if not terms.is_uuid(wanted):
            raise misused("statementId", "PUT needs the parameter statementId, a UUID", statements=1)
        assert wanted is not None
        _, told = await self._take(exchange, by, version, wanted.lower())
        return 204, b"", told

    async def _post(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        exchange.parameters(_NONE)
        ids, told = await self._take(exchange, by, version)
        return 200, b'["' + '","'.join(ids).encode() + b'"]' if ids else b"[]", [JSON, *told]

    async def accept(self, statements: list[dict[str, Any]], by: Credential, version: str) -> list[str]:
        """Accept valid statements as those of a POST, whole or not at all; their ids.

        Raises ApiError; 400 also where the bytes of an attachment did not come with an earlier request.
        """
        if found := attached(statements):
            known = {one.sha2 for one in found if await self._store.has(one.sha2)}
            self._all_have_bytes(statements, known)
        return await self._accept_checked(statements, None, by, version, single=False)

    async def _take(
        self, exchange: Exchange, by: Credential, version: str, own_id: str = ""
    ) -> tuple[list[str], Headers]:
        """Read a request and accept what it holds, whole or not at all; the ids, and headers of the answer.
        ``own_id``: that of a PUT."""
        if is_multipart(exchange.headers.get(b"content-type")):
            with self._room.taken() as share:
                pieces = exchange.pieces(self._settings.max_multipart_bytes)
                body, parts = await receive(pieces, exchange.content_type, self._limits, share)
                return await self._take_with_care(exchange.request_id, body, parts, by, version, own_id)
        body = await exchange.json_body(self._settings.max_body_bytes)
        plain = not by.sandbox and self._deep_enough and not may_be_too_long(body, self._settings.max_string)
        statements = read(body, version_2=version == TWO) if plain else None
        if statements is None or (own_id and not _is_of(own_id, statements)):
            return await self._take_with_care(exchange.request_id, body, None, by, version, own_id)
        self._bound(statements.count)
        self._allowance.check(by, statements.count)
        return await self._accept(statements, None, by, version, own_id), []

    async def _take_with_care(
        self, request_id: str, body: bytes, parts: Parts | None, by: Credential, version: str, own_id: str
    ) -> tuple[list[str], Headers]:
        """What may break a rule, or has attachments, or is kept apart."""
        value, faults = self._judged(body, parts, by, version, own_id)
        single = isinstance(value, dict)
        if not faults:
            statements = [value] if single else value
            return await self._accept_checked(statements, parts, by, version, single=single), []
        aside = None
        if by.quarantine:
            aside = await self._quarantine.keep(request_id, value, faults, _OF_REQUEST, by, version)
        if aside is None:
            raise refusal(faults, len(value) if isinstance(value, list) else 1)
        try:
            # A rule may have mended what else was wrong with a statement that lacks an attachment.
            self._all_have_bytes(aside.good, parts or ())
            ids = await self._accept_checked(aside.good, parts, by, version, single=single)
        except BaseException:
            await self._quarantine.take_back(aside)
            raise
        self._quarantine.answered(request_id, aside)
        return aside.ids(ids), aside.headers()

    async def _accept_checked(
        self, statements: list[dict[str, Any]], parts: Parts | None, by: Credential, version: str, *, single: bool
    ) -> list[str]:
        """Accept what the reference has checked; into the sandbox what belongs there."""
        if not by.sandbox:
            return await self._accept(Accepted(statements, single=single), parts, by, version)
        await self._keep(parts, len(statements))
        return await self._sandbox.accept(statements, by, version)

    def _judged(
        self, body: bytes, parts: Parts | None, by: Credential, version: str, own_id: str
    ) -> tuple[Any, Faults]:
        """The value of a body and all faults of all its statements; raises ApiError for what is no JSON, too large, or
        too much."""
        faults = Faults()
        value = parse(body, faults)
        count = len(value) if isinstance(value, list) else 1
        self._bound(count)
        if not faults:
            oversize(value, body, faults, deepest=self._settings.max_depth, longest=self._settings.max_string)
        if faults:
            raise refusal(faults, count)
        self._allowance.check(by, count)
        if own_id:
            _address(value, own_id, faults)
        batch(value, faults, version_2=version == TWO)
        self._attachments(value, parts, faults, count)
        return value, faults

    def _all_have_bytes(self, statements: list[Any], known: Collection[str]) -> None:
        """Raises ApiError 400 where an attachment is neither elsewhere nor known by its hash."""
        faults = Faults()
        missing_or_surplus(attached(statements), dict.fromkeys(known, b""), faults)
        lacking = Faults(one for one in faults if one.rule != SURPLUS.code)
        if lacking:
            raise refusal(lacking, len(statements))

    def _attachments(self, value: Any, parts: Parts | None, faults: Faults, count: int) -> None:
        """Note what is wrong with attachments; raises ApiError 415 for a media type that is not taken."""
        found = attached(value)
        if not found and not parts:
            return
        missing_or_surplus(found, parts, faults)
        if faults or not parts:
            return
        not_taken(found, parts, self._settings.attachment_types, faults)
        if faults:
            raise refusal(faults, count, status=415)
        for one in found:
            if one.signs:
                signature(one, parts[one.sha2], faults)

    async def _accept(
        self, statements: Valid, parts: Parts | None, by: Credential, version: str, own_id: str = ""
    ) -> list[str]:
        """Keep the bytes of attachments, then the statements: who finds a statement finds what it has attached."""
        await self._keep(parts, statements.count)
        ids = await self._acceptance.accept(statements, by, version, own_id)
        self._accepted(by.provider_id).inc(len(ids))
        return ids

    async def _keep(self, parts: Parts | None, statements: int) -> None:
        if not parts:
            return
        try:
            await asyncio.gather(*(self._store.put(sha2, data) for sha2, data in parts.items()))
        except AttachmentStoreError as error:
            raise retry_after(503, f"{error}: try again", 2, statements=statements) from None

    def _bound(self, statements: int) -> None:
        most = self._settings.max_batch
        if statements > most:
            raise broken(
                413, BATCH_LIMIT, f"{statements} statements where {most} are taken at once", statements=statements
            )


def _is_of(own_id: str, statements: Valid) -> bool:
    """Whether it is one statement of this id, or without one."""
    return statements.single and statements.ids()[0] in (own_id, None)


def _address(value: Any, own_id: str, faults: Faults) -> None:
    """A statement that is PUT has the id of its address."""
    if isinstance(value, list):
        faults.add(SINGLE, "$", "an array where one statement is expected")
    elif isinstance(value, dict):
        sent = value.setdefault("id", own_id)
        if isinstance(sent, str) and sent.lower() != own_id:
            faults.add(SAME_ID, "$.id", "is not the id of the parameter statementId", sent)


def refusal(faults: Faults, statements: int, *, status: int = 400) -> ApiError:
    """All faults, as many as a person reads, and which statements of a batch have one."""
    first = faults[0]
    where = f"{first.path}: " if first.path else ""
    message = f"{where}{first.message}"
    if more := len(faults) - 1 + faults.left_out:
        message += f" (and {more} more)"
    faulty = tuple(sorted({int(found[1]) for fault in faults if (found := _POSITION(fault.path))}))
    if faulty:
        message += f"; {len(faulty)} of {statements} statements are at fault, none was accepted"
    return ApiError(status, message, faults[:_FAULTS_TOLD], statements=max(statements, 1), faulty=faulty)
