"""The statements resource (Communication 2.1): PUT, POST, GET and HEAD."""

from __future__ import annotations

import time
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
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import parse
from ingest.xapi.validation import batch
from ingest.xapi.version import TWO

SAME_ID = Rule("statement.id", "1.0.3 Communication 2.1.1", "Give the statement the id of the parameter statementId.")
SINGLE = Rule("statement.single", "1.0.3 Communication 2.1.1", "PUT one statement; POST takes many.")
BATCH_LIMIT = Rule("limit.batch", "1.0.3 Communication 3.2", "Send fewer statements at once.")

_FAULTS_TOLD: Final = 100
_PUT: Final = frozenset({"statementId"})


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
        value, faults = await self._value(exchange)
        if isinstance(value, list):
            faults.add(SINGLE, "$", "an array where one statement is expected")
        elif isinstance(value, dict):
            sent = value.setdefault("id", wanted)
            if isinstance(sent, str) and sent.lower() != wanted.lower():
                faults.add(SAME_ID, "$.id", "is not the id of the parameter statementId", sent)
        await self._accept(value, faults, by, version)
        return 204, b"", []

    async def _post(self, exchange: Exchange, by: Credential, version: str) -> Answer:
        exchange.parameters(frozenset())
        value, faults = await self._value(exchange)
        ids = await self._accept(value, faults, by, version)
        return 200, b'["' + '","'.join(ids).encode() + b'"]' if ids else b"[]", [JSON]

    async def _value(self, exchange: Exchange) -> tuple[Any, Faults]:
        body = await exchange.json_body(self._settings.max_body_bytes)
        faults = Faults()
        value = parse(body, faults)
        if faults:
            raise _refusal(faults, len(value) if isinstance(value, list) else 1)
        if isinstance(value, list) and len(value) > self._settings.max_batch:
            most = self._settings.max_batch
            raise broken(
                413, BATCH_LIMIT, f"{len(value)} statements where {most} are taken at once", statements=len(value)
            )
        return value, faults

    async def _accept(self, value: Any, faults: Faults, by: Credential, version: str) -> list[str]:
        count = len(value) if isinstance(value, list) else 1
        wait = self._rate.take(by.provider_id, count, time.monotonic())
        if wait:
            raise retry_after(429, "more statements than this provider's rate allows", wait, statements=count)
        statements = batch(value, faults, version_2=version == TWO)
        if faults:
            raise _refusal(faults, count)
        ids = await self._acceptance.accept(statements, by, version)
        self._door.metrics.accepted.labels(by.provider_id).inc(count)
        return ids


def _refusal(faults: Faults, statements: int) -> ApiError:
    """400 with all faults, as many as a person reads."""
    first = faults[0]
    where = f"{first.path}: " if first.path else ""
    message = f"{where}{first.message}"
    if len(faults) > 1:
        message += f" (and {len(faults) - 1} more)"
    return ApiError(400, message, faults[:_FAULTS_TOLD], statements=max(statements, 1))
