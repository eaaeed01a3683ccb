"""What all resources share: request id, authentication, version, errors in words, counts."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final

from starlette.types import Receive, Scope, Send

from infra.runtime.logging import bind_request, get_logger
from infra.runtime.metrics import IngestMetrics
from ingest import alternate
from ingest.auth import Authenticator
from ingest.cors import Cors
from ingest.credentials import Credential
from ingest.errors import ApiError, broken
from ingest.http import JSON, Answer, Exchange, Headers
from ingest.minutes import Minutes
from ingest.xapi import version
from ingest.xapi.faults import Fault, Rule

log = get_logger(__name__)

_SANE_ID = re.compile(rb"[\w.:-]{1,64}").fullmatch
_LEAST_STATUS_OF_OURS: Final = 500
_READING: Final = frozenset({"GET", "HEAD"})

SCOPE = Rule("auth.scope", "1.0.3 Communication 4.2", "Ask the district for a credential with the scope that is named.")

METHOD = Rule("method", "1.0.3 Communication 2.0", "Use one of the methods that the header Allow names.")

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
        *,
        most_parameters: int = 32,
        cors: Cors | None = None,
    ) -> None:
        self.authenticator = authenticator
        self.minutes = minutes
        self.metrics = metrics
        self.clock = clock
        self.default_version = default_version
        self.most_parameters = most_parameters
        self.cors = cors
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Id of a request: of this run of the service, and its number."""
        return f"{self._run}-{next(self._numbers):x}"


class Resource:
    """An ASGI application for one path; subclasses give its methods."""

    public: ClassVar[bool] = False
    """Whether it answers without credential and version header."""

    speaks_xapi: ClassVar[bool] = True
    """Whether a request must name its version of xAPI."""

    scopes: ClassVar[Mapping[str, str]] = {}
    """Scope that each method needs (1.0.3 Communication 4.2); "all" where it is not named. HEAD needs that of GET."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._requests: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._methods: dict[str, Handler] = self.methods()
        if "GET" in self._methods:
            self._methods.setdefault("HEAD", self._methods["GET"])
        self._needs = {
            method: self.scopes.get("GET" if method == "HEAD" else method, "all") for method in self._methods
        }
        self._seconds = door.metrics.request_seconds

    def methods(self) -> dict[str, Handler]:
        """Handler of each HTTP method."""
        raise NotImplementedError

    def extra_headers(self) -> Headers:
        """Headers of all answers of this resource, errors included."""
        return []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        door = self._door
        exchange = Exchange(scope, receive, send, "", door.most_parameters)
        sent = exchange.headers.get(b"x-request-id")
        exchange.request_id = sent.decode() if sent is not None and _SANE_ID(sent) else door.new_id()
        provider_id, spoken, rejected = "", door.default_version, 0
        try:
            told = exchange.header(b"x-experience-api-version")
            known = version.negotiate(told) if told else None
            spoken = known or spoken
            if exchange.query and alternate.asked(exchange):
                await alternate.unwrap(exchange, door.most_parameters)
                told = exchange.header(b"x-experience-api-version")
                known = version.negotiate(told) if told else None
                spoken = known or door.default_version
            method = exchange.method
            handler = self._methods.get(method) or self._other(exchange)
            if self.public or method == "OPTIONS":
                credential = _NOBODY
            else:
                credential = await door.authenticator.authenticate(exchange.headers.get(b"authorization"))
                provider_id = credential.provider_id
                self._admit(credential, method, known, told)
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
        if door.cors is not None:
            headers += door.cors.headers(exchange.headers.get(b"origin"))
        await exchange.answer(status, body, headers)
        self._count(exchange.method, provider_id, status, time.perf_counter() - began, rejected)
        if exchange.stream is not None:
            await exchange.stream()

    def _admit(self, credential: Credential, method: str, known: str | None, told: str) -> None:
        """Raises ApiError 400 where the version told is not spoken here, 403 where the credential lacks the scope."""
        if known is None and self.speaks_xapi:
            raise _unspoken(told)
        needed = self._needs.get(method)
        if needed is not None and not credential.allows(needed, reading=method in _READING):
            raise _not_allowed_to(credential, needed)

    def _other(self, exchange: Exchange) -> Handler:
        """What answers a method that is none of the resource: a browser's question (preflight), or 405."""
        cors, headers = self._door.cors, exchange.headers
        if exchange.method == "OPTIONS" and cors is not None and b"access-control-request-method" in headers:
            return self._preflight
        return _not_allowed(self._methods)

    async def _preflight(self, exchange: Exchange, _by: Credential, _version: str) -> Answer:
        assert self._door.cors is not None
        return 204, b"", self._door.cors.preflight(exchange.headers.get(b"origin"), self._methods)

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


def _unspoken(header: str) -> ApiError:
    if not header:
        return broken(400, version.MISSING, "the header X-Experience-API-Version is missing")
    return broken(400, version.UNKNOWN, f"X-Experience-API-Version {header[:20]!r} is not spoken here")


def _not_allowed_to(credential: Credential, needed: str) -> ApiError:
    has = " ".join(sorted(credential.scopes)) or "none"
    error = broken(403, SCOPE, f"this needs the scope {needed}; the credential has {has}")
    challenge = f'Bearer realm="xAPI", error="insufficient_scope", scope="{needed}"'
    error.headers = ((b"www-authenticate", challenge.encode()),)
    return error


def _not_allowed(methods: dict[str, Handler]) -> Handler:
    allowed = ", ".join(sorted(methods))

    async def refuse(exchange: Exchange, _by: Credential, _version: str) -> Answer:
        error = broken(405, METHOD, f"{exchange.method[:20]} is no method of this resource, which knows {allowed}")
        error.headers = ((b"allow", allowed.encode()),)
        raise error

    return refuse
