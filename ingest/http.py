"""One exchange over ASGI: what the resources need of a request, and how they answer.

Starlette routes; its Request and Response objects would cost as much time as validation does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from ingest.errors import ApiError, broken
from ingest.xapi.faults import Rule

TOO_LARGE = Rule("limit.body", "1.0.3 Communication 3.2", "Send smaller batches.")
CONTENT_TYPE = Rule("content_type", "1.0.3 Communication 1.5", "Send Content-Type: application/json.")
ENCODING = Rule("content_encoding", "1.0.3 Communication 1.5", "Send the body as it is, without Content-Encoding.")
MANY = Rule("limit.parameters", "1.0.3 Communication 2.1", "Send fewer parameters.")
PARAMETER = Rule("parameter", "1.0.3 Communication 2.1", "Use the parameters of the specification, in their case.")

_UUID: Final = "Send a UUID in its 36-character form (RFC 4122)."
_IRI: Final = "Send the whole IRI, percent-encoded, as in http%3A%2F%2Fadlnet.gov%2Fexpapi%2Fverbs%2Fanswered."
_MOMENT: Final = "Send ISO 8601 with a zone, percent-encoded, as in 2026-11-21T09:30:00Z."
_BOOLEAN: Final = "Send true or false, in small letters."
_FIXES: Final = {
    **dict.fromkeys(("statementId", "voidedStatementId", "registration"), _UUID),
    **dict.fromkeys(("verb", "activity", "activityId"), _IRI),
    **dict.fromkeys(("since", "until"), _MOMENT),
    **dict.fromkeys(("ascending", "attachments", "related_agents", "related_activities"), _BOOLEAN),
    "agent": 'Send an agent as JSON, percent-encoded: {"mbox":"mailto:name@example.org"}.',
    "limit": "Send a whole number; 0 asks for as many as a page has.",
    "format": "Send exact, ids or canonical.",
    "cursor": "Follow a more link as it was given, or ask anew without it.",
}

JSON: Final = (b"content-type", b"application/json")


class Exchange:
    """A request and its answer."""

    __slots__ = (
        *("_given", "_most_parameters", "_receive", "_send", "headers", "method", "path", "query", "request_id"),
        *("scope", "silent", "started", "stream"),
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str, most_parameters: int = 32) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._most_parameters = most_parameters
        self._given: bytes | None = None
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.request_id = request_id
        self.started = False
        self.silent = self.method == "HEAD"
        # Set by a handler whose answer goes on: called when the head is out and the request is counted.
        self.stream: Callable[[], Awaitable[None]] | None = None

    @property
    def content_type(self) -> str:
        """Content-Type as it was sent, parameters and all; empty where it is missing."""
        return self.header(b"content-type")

    @property
    def media_type(self) -> str:
        """The media type of Content-Type alone, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()

    def header(self, name: bytes) -> str:
        """A header as text; empty where it is missing."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    def parameters(self, allowed: frozenset[str]) -> dict[str, str]:
        """The query's parameters; raises ApiError 400 for one that is unknown, doubled or of the wrong case."""
        if not self.query:
            return {}
        found = fields(self.query, self._most_parameters)
        for name in found:
            if name not in allowed:
                raise broken(400, PARAMETER, f"{name[:40]!r} is no parameter of {self.method} here", path=name[:40])
        return found

    async def json_body(self, limit: int) -> bytes:
        """The body, which must be said to be JSON; raises ApiError 415 or what ``body`` raises."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise broken(415, CONTENT_TYPE, f"the content type {kind.decode('latin-1')[:60]!r} is not taken")
        return await self.body(limit)

    async def body(self, limit: int) -> bytes:
        """The body as it was sent, of any type, up to ``limit`` bytes.

        Raises ApiError 413 for a larger one, without reading on; 415 for one with a Content-Encoding; 408 for one
        that ends too soon, or is not there in time (ingest.protocol looks at the time).
        """
        if self._given is not None:
            return self._bounded(self._given, limit)
        self._check(limit)
        message = await self._receive()
        if not message.get("more_body") and message["type"] == "http.request":
            return self._bounded(message.get("body", b""), limit)
        return b"".join([piece async for piece in self._pieces(message, limit)])

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes, for those that need not hold it whole; raises what ``body`` raises."""
        if self._given is not None:
            yield self._bounded(self._given, limit)
            return
        self._check(limit)
        async for piece in self._pieces(await self._receive(), limit):
            yield piece

    async def _pieces(self, message: Message, limit: int) -> AsyncIterator[bytes]:
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ApiError(408, "the request ended before its body did")
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise self._too_large(limit)
            yield piece
            if not message.get("more_body", False):
                return
            message = await self._receive()

    def _check(self, limit: int) -> None:
        """Refuse what the headers alone tell."""
        headers = self.headers
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise broken(415, ENCODING, "the body is encoded")
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise self._too_large(limit)

    def _bounded(self, body: bytes, limit: int) -> bytes:
        if len(body) > limit:
            raise self._too_large(limit)
        return body

    def given(self, method: str, query: bytes, body: bytes) -> None:
        """Be the request that was carried inside this one (alternate request syntax); headers are set by the caller."""
        self.method, self.query, self._given = method, query, body

    async def answer(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the whole answer; the body of a HEAD request is left out, its length told."""
        if self.stream is None:
            headers.append((b"content-length", str(len(body)).encode()))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if self.stream is None:
            await self._send({"type": "http.response.body", "body": b"" if self.silent else body})

    async def send(self, piece: bytes, *, more: bool = True) -> None:
        """A piece of an answer that goes on, the last one with ``more`` false; waits while the connection is full."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    async def gone(self) -> None:
        """Wait until whoever asked has gone away; the body must have been read, or there is none."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _too_large(self, limit: int) -> ApiError:
        error = broken(413, TOO_LARGE, f"the body is larger than {limit} bytes")
        # The rest is not read: the connection cannot be used again.
        error.headers = ((b"connection", b"close"),)
        return error


def misused(name: str, message: str, *, statements: int = 0) -> ApiError:
    """400 for a parameter that is missing, or has a value that it may not have; the path is its name."""
    rule = PARAMETER._replace(fix=_FIXES.get(name, PARAMETER.fix))
    return broken(400, rule, message, path=name, statements=statements)


def fields(text: bytes, most: int) -> dict[str, str]:
    """Fields of a query or form; raises ApiError 400 for what cannot be read, a name given twice, or too many."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=most
        )
    except ValueError as error:
        if text.count(b"&") >= most:
            raise broken(400, MANY, f"more than {most} parameters") from None
        raise broken(400, PARAMETER, f"the parameters cannot be read: {error}") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise broken(400, PARAMETER, "a parameter is given twice")
    return found


Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
"""Status, body, headers."""

Headers = list[tuple[bytes, bytes]]
Json = dict[str, Any]
