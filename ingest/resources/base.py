"""What all resources share: request id, authentication, version, errors in words, counts."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from starlette.types import Receive, Scope, Send

from infra.runtime.logging import bind_request, get_logger
from infra.runtime.metrics import IngestMetrics
from ingest.auth import Authenticator
from ingest.credentials import Credential
from ingest.errors import ApiError, broken
from ingest.http import JSON, Answer, Exchange, Headers
from ingest.minutes import Minutes
from ingest.xapi import version
from ingest.xapi.faults import Fault

log = get_logger(__name__)

_SANE_ID = re.compile(rb"[\w.:-]{1,64}").fullmatch
_LEAST_STATUS_OF_OURS: Final = 500

Handler = Callable[[Exchange, Credential, str], Awaitable[Answer]]
"""Answers one method: exchange, who asks, version spoken."""


class Door:
    """What stands in front of every resource."""

    def __init__(
        self,
        authenticator: Authenticator,
        minutes: Minutes,
        metrics: IngestMetrics,
        clock: Callable[[], int],
        default_version: str,
    ) -> None:
        self.authenticator = authenticator
        self.minutes = minutes
        self.metrics = metrics
        self.clock = clock
        self.default_version = default_version
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Id of a request: of this run of the service, and its number."""
        return f"{self._run}-{next(self._numbers):x}"


class Resource:
    """An ASGI application for one path; subclasses give its methods."""

    public: ClassVar[bool] = False
    """Whether it answers without credential and version header."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._requests: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._methods: dict[str, Handler] = self.methods()
        self._seconds = door.metrics.request_seconds

    def methods(self) -> dict[str, Handler]:
        """Handler of each HTTP method."""
        raise NotImplementedError

    def extra_headers(self) -> Headers:
        """Headers of all answers of this resource, errors included."""
        return []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        exchange = Exchange(scope, receive, send, "")
        sent = exchange.headers.get(b"x-request-id")
        exchange.request_id = sent.decode() if sent is not None and _SANE_ID(sent) else self._door.new_id()
        provider_id, spoken, rejected = "", self._door.default_version, 0
        try:
            handler = self._methods.get(exchange.method) or _not_allowed(self._methods)
            if self.public:
                spoken = self._version(exchange, required=False)
                credential = _NOBODY
            else:
                credential = await self._door.authenticator.authenticate(exchange.headers.get(b"authorization"))
                provider_id = credential.provider_id
                spoken = self._version(exchange, required=True)
            status, body, headers = await handler(exchange, credential, spoken)
        except ApiError as error:
            status, rejected = error.status, error.statements
            body, headers = error.body(exchange.request_id), [JSON, *error.headers]
            self._refused(exchange, provider_id, error)
        except Exception:
            with bind_request(exchange.request_id, provider=provider_id):
                log.exception("a request failed", method=exchange.method, path=exchange.path)
            if exchange.started:
                raise
            status = 500
            body = ApiError(500, "an internal error; it is logged under the request id").body(exchange.request_id)
            headers = [JSON]
        headers += (
            (b"x-experience-api-version", spoken.encode()),
            (b"x-request-id", exchange.request_id.encode()),
            *self.extra_headers(),
        )
        await exchange.answer(status, body, headers)
        self._count(exchange.method, provider_id, status, time.perf_counter() - began, rejected)

    def _version(self, exchange: Exchange, *, required: bool) -> str:
        header = exchange.header(b"x-experience-api-version")
        if not header:
            if required:
                raise broken(400, version.MISSING, "the header X-Experience-API-Version is missing")
            return self._door.default_version
        spoken = version.negotiate(header)
        if spoken is None:
            raise broken(400, version.UNKNOWN, f"X-Experience-API-Version {header[:20]!r} is not spoken here")
        return spoken

    def _refused(self, exchange: Exchange, provider_id: str, error: ApiError) -> None:
        door = self._door
        faults = error.faults or [Fault(f"http.{error.status}", "", "", error.message, "")]
        door.minutes.refused(provider_id, door.clock(), exchange.request_id, error.status, faults)
        for rule in {fault.rule for fault in faults}:
            door.metrics.rejected.labels(provider_id, rule).inc(max(error.statements, 1))
        if error.status >= _LEAST_STATUS_OF_OURS:
            with bind_request(exchange.request_id, provider=provider_id):
                log.warning("a request was refused", status=error.status, error=error.message)

    def _count(self, method: str, provider_id: str, status: int, seconds: float, rejected: int) -> None:
        door = self._door
        key = (provider_id, method, status)
        count = self._requests.get(key)
        if count is None:
            known = method if method in self._methods else "other"
            count = self._requests[key] = door.metrics.requests.labels(provider_id, known, str(status)).inc
        count()
        self._seconds.observe(seconds)
        if provider_id:
            door.minutes.answered(provider_id, door.clock(), int(seconds * 1e6), rejected)


_NOBODY: Final = Credential("", "", "", False)


def _not_allowed(methods: dict[str, Handler]) -> Handler:
    allowed = ", ".join(sorted(methods))

    async def refuse(_exchange: Exchange, _by: Credential, _version: str) -> Answer:
        raise ApiError(405, f"this resource knows {allowed}", headers=((b"allow", allowed.encode()),))

    return refuse
