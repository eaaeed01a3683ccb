"""One exchange over ASGI: what the resources need of a request, and how they answer.

Starlette routes; its Request and Response objects would cost as much time as validation does.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from ingest.errors import ApiError, broken
from ingest.xapi.faults import Rule

TOO_LARGE = Rule("limit.body", "1.0.3 Communication 3.2", "Send smaller batches.")
CONTENT_TYPE = Rule("content_type", "1.0.3 Communication 1.5", "Send Content-Type: application/json.")
ENCODING = Rule("content_encoding", "1.0.3 Communication 1.5", "Send the body as it is, without Content-Encoding.")
PARAMETER = Rule("parameter", "1.0.3 Communication 2.1", "Use the parameters of the specification, in their case.")

JSON: Final = (b"content-type", b"application/json")


class Exchange:
    """A request and its answer."""

    __slots__ = ("_receive", "_send", "headers", "method", "path", "request_id", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.request_id = request_id
        self.started = False

    def header(self, name: bytes) -> str:
        """A header as text; empty where it is missing."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    def parameters(self, allowed: frozenset[str]) -> dict[str, str]:
        """The query's parameters; raises ApiError 400 for one that is unknown, doubled or of the wrong case."""
        query = self.scope["query_string"]
        if not query:
            return {}
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError as error:
            raise broken(400, PARAMETER, f"the query cannot be read: {error}") from None
        found = dict(pairs)
        if len(found) != len(pairs):
            raise broken(400, PARAMETER, "a parameter is given twice")
        for name in found:
            if name not in allowed:
                raise broken(400, PARAMETER, f"{name[:40]!r} is no parameter of {self.method} here")
        return found

    async def json_body(self, limit: int) -> bytes:
        """The body, which must be said to be JSON; raises ApiError 415 or 413, the latter without reading on."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            if kind == b"multipart/mixed":
                raise broken(415, CONTENT_TYPE, "attachments inside a request (multipart/mixed) are not taken yet")
            raise broken(415, CONTENT_TYPE, f"the content type {kind.decode('latin-1')[:60]!r} is not taken")
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise broken(415, ENCODING, "the body is encoded")
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise self._too_large(limit)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > limit:
                raise self._too_large(limit)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ApiError(400, "the request ended before its body did")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise self._too_large(limit)
        return b"".join(parts)

    async def answer(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the whole answer; the body of a HEAD request is left out, its length told."""
        headers.append((b"content-length", str(len(body)).encode()))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    def _too_large(self, limit: int) -> ApiError:
        error = broken(413, TOO_LARGE, f"the body is larger than {limit} bytes")
        # The rest is not read: the connection cannot be used again.
        error.headers = ((b"connection", b"close"),)
        return error


Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
"""Status, body, headers."""

Headers = list[tuple[bytes, bytes]]
Json = dict[str, Any]
