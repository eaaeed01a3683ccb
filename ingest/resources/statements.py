"""The statements resource (Communication 2.1): PUT, POST, GET and HEAD."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

from infra.runtime.settings import IngestSettings
from ingest.acceptance import Acceptance
from ingest.credentials import Credential
from ingest.errors import ApiError, broken, retry_after
from ingest.http import JSON, PARAMETER, Answer, Exchange, Headers
from ingest.limits import RateLimit
from ingest.progress import Progress
from ingest.resources.base import Door, Handler, Resource
from ingest.resources.statement_reads import StatementReads
from ingest.xapi import terms
from ingest.xapi.accepted import Accepted, Valid, read
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import parse
from ingest.xapi.validation import batch
from ingest.xapi.version import TWO

SAME_ID = Rule("statement.id", "1.0.3 Communication 2.1.1", "Give the statement the id of the parameter statementId.")
SINGLE = Rule("statement.single", "1.0.3 Communication 2.1.1", "PUT one statement; POST takes many.")
BATCH_LIMIT = Rule("limit.batch", "1.0.3 Communication 3.2", "Send fewer statements at once.")

_FAULTS_TOLD: Final = 100
_PUT: Final = frozenset({"statementId"})
_NONE: Final[frozenset[str]] = frozenset()


class Statements(Resource):
    """/xapi/statements."""

    def __init__(
        self,
        door: Door,
        acceptance: Acceptance,
        progress: Progress,
        reads: StatementReads,
        settings: IngestSettings,
    ) -> None:
        self._reads = reads
        super().__init__(door)
        self._acceptance = acceptance
        self._progress = progress
        self._settings = settings
        self._accepted = cache(door.metrics.accepted.labels)
        self._rate = RateLimit(settings.rate_limit_per_second, settings.rate_limit_burst)

    def methods(self) -> dict[str, Handler]:
        return {"PUT": self._put, "POST": self._post, "GET": self._reads.get, "HEAD": self._reads.get}

    def extra_headers(self) -> Headers:
        return [(b"x-experience-api-consistent-through", self._progress.consistent_through_text())]

    async def _put(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        wanted = exchange.parameters(_PUT).get("statementId")
        if not terms.is_uuid(wanted):
            raise broken(400, PARAMETER, "PUT needs the parameter statementId, a UUID", statements=1)
        assert wanted is not None
        body = await exchange.json_body(self._settings.max_body_bytes)
        own_id = wanted.lower()
        statements = read(body, version_2=version == TWO)
        if statements is None or not statements.single or statements.ids()[0] not in (own_id, None):
            value, faults = self._value(body)
            if isinstance(value, list):
                faults.add(SINGLE, "$", "an array where one statement is expected")
            elif isinstance(value, dict):
                sent = value.setdefault("id", wanted)
                if isinstance(sent, str) and sent.lower() != own_id:
                    faults.add(SAME_ID, "$.id", "is not the id of the parameter statementId", sent)
            statements = self._checked(value, faults, by, version)
        else:
            self._limit(statements.count, by)
        await self._accept(statements, by, version, own_id)
        return 204, b"", []

    async def _post(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        exchange.parameters(_NONE)
        body = await exchange.json_body(self._settings.max_body_bytes)
        statements = read(body, version_2=version == TWO)
        if statements is None:
            statements = self._checked(*self._value(body), by, version)
        else:
            self._bound(statements.count)
            self._limit(statements.count, by)
        ids = await self._accept(statements, by, version)
        return 200, b'["' + '","'.join(ids).encode() + b'"]' if ids else b"[]", [JSON]

    def _value(self, body: bytes) -> tuple[Any, Faults]:
        faults = Faults()
        value = parse(body, faults)
        if faults:
            raise _refusal(faults, len(value) if isinstance(value, list) else 1)
        if isinstance(value, list):
            self._bound(len(value))
        return value, faults

    def _bound(self, statements: int) -> None:
        most = self._settings.max_batch
        if statements > most:
            raise broken(
                413, BATCH_LIMIT, f"{statements} statements where {most} are taken at once", statements=statements
            )

    def _limit(self, statements: int, by: Credential) -> None:
        wait = self._rate.take(by.provider_id, statements, time.monotonic())
        if wait:
            raise retry_after(429, "more statements than this provider's rate allows", wait, statements=statements)

    def _checked(self, value: Any, faults: Faults, by: Credential, version: str) -> Valid:
        count = len(value) if isinstance(value, list) else 1
        self._limit(count, by)
        statements = batch(value, faults, version_2=version == TWO)
        if faults:
            raise _refusal(faults, count)
        return Accepted(statements, single=isinstance(value, dict))

    async def _accept(self, statements: Valid, by: Credential, version: str, own_id: str = "") -> list[str]:
        ids = await self._acceptance.accept(statements, by, version, own_id)
        self._accepted(by.provider_id).inc(len(ids))
        return ids


def _refusal(faults: Faults, statements: int) -> ApiError:
    """400 with all faults, as many as a person reads."""
    first = faults[0]
    where = f"{first.path}: " if first.path else ""
    message = f"{where}{first.message}"
    if len(faults) > 1:
        message += f" (and {len(faults) - 1} more)"
    return ApiError(400, message, faults[:_FAULTS_TOLD], statements=max(statements, 1))
