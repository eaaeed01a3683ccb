"""HTTP for whole, bounded bodies: the application runs once the body is there, and its answer is one write.

uvicorn's own cycle is made for streams: it wakes the application with the headers, again with each piece of the body,
and writes head and body of the answer apart. A POST of statements that tells its length is neither; everything else
takes uvicorn's way. On both ways a request has to be there in time, and its head is bounded.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ingest.errors import ApiError, broken
from ingest.xapi.faults import Rule

WHOLE_BYTES: Final = 1024 * 1024
"""Bodies up to this size are collected; larger ones are streamed, with back-pressure."""

HEAD_BYTES: Final = 64 * 1024
"""Largest head of a request: its line, parameters and all, and its headers."""

TIME = Rule("limit.time", "1.0.3 Communication 3.2", "Send the whole request at once, or less in one.")
HEAD = Rule("limit.head", "1.0.3 Communication 3.2", "Send fewer and shorter headers and parameters.")

HTTP = Rule("http.malformed", "1.0.3 Communication 1.0", "Send HTTP/1.1 as RFC 9112 has it, one length for a body.")

_LINGER_SECONDS: Final = 2.0
_PATH: Final = "/xapi/statements"
_RAW_PATH: Final = _PATH.encode()
_ALREADY: Final[asyncio.Event] = asyncio.Event()


class _Whole:
    """One request whose body is collected before the application starts; has what uvicorn asks of a cycle."""

    __slots__ = (
        *("_flow", "_head", "_on_response", "_scope", "_state", "_transport"),
        *("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete"),
    )

    def __init__(
        self, scope: Any, transport: asyncio.Transport, flow: FlowControl, on_response: Any, state: ServerState
    ) -> None:
        self._scope = scope
        self._state = state
        self._transport = transport
        self._flow = flow
        self._on_response = on_response
        self._head: bytes | None = None
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        # uvicorn sets it when the connection is lost; nobody waits for it here.
        self.message_event = _ALREADY

    async def run(self, application: Any, log: Any) -> None:
        """Run the application; whatever it leaves unanswered ends the connection."""
        try:
            await application(self._scope, self._receive, self._send)
        except BaseException:
            log.exception("Exception in ASGI application")
        if not self.response_complete and not self.disconnected:
            self._transport.close()

    async def _receive(self) -> dict[str, Any]:
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Any) -> None:
        """The head, kept back, then the whole body; the application tells its length."""
        if self.disconnected:
            return
        if self._head is None:
            lines = [STATUS_LINE[message["status"]]]
            for name, value in (*self._state.default_headers, *message["headers"]):
                if name == b"connection" and value == b"close":
                    self.keep_alive = False
                else:
                    lines += (name, b": ", value, b"\r\n")
            self._head = b"".join(lines)
            return
        if self._flow.write_paused:
            await self._flow.drain()
        closing = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self._transport.write(b"".join((self._head, closing, message["body"])))
        self.response_complete = True
        if not self.keep_alive:
            self._transport.close()
        self._on_response()


class _Lingering:
    """A transport that closes slowly where the request is still coming in: closed at once, its answer would be lost.

    The kernel resets a connection that is closed with bytes unread, and the client throws away what it has not read.
    """

    __slots__ = ("_protocol", "is_closing", "write")

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        """Close, or wait a moment for the client to stop."""
        self._protocol.close_slowly()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a short way for posts of statements, and with bounds."""

    request_seconds: ClassVar[float] = 30.0
    """A request that is not there in full by then is answered 408."""

    whole_bytes: ClassVar[int] = WHOLE_BYTES

    _begun: float | None = None
    """When the request that is coming in began, on the loop's clock; None while none is."""

    _in_head = True
    _head_bytes = 0
    _dropping = False
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Someone is there: from now on the first request is awaited."""
        super().connection_made(transport)
        self._begun = self.loop.time()
        self._watch = self.loop.call_later(self.request_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of one or more requests."""
        if self._dropping:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(broken(431, HEAD, f"the head of the request is larger than {HEAD_BYTES} bytes"))

    def send_400_response(self, msg: str) -> None:
        """What comes is no HTTP; it is told as everything else."""
        self._refuse(broken(400, HTTP, msg))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._begun = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take the short way where the request allows it."""
        self._in_head = False
        if self.url != _RAW_PATH or not self._short():
            super().on_headers_complete()
            if self.cycle is not None:
                self.cycle.transport = _Lingering(self)  # type: ignore[assignment]
            return
        scope: Any = self.scope
        scope["method"] = "POST"
        scope["path"], scope["raw_path"], scope["query_string"] = _PATH, _RAW_PATH, b""
        whole: Any = _Whole(scope, self.transport, self.flow, self.on_response_complete, self.server_state)
        whole.keep_alive = self.parser.should_keep_alive()
        self.cycle = whole

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        cycle: Any = self.cycle
        if type(cycle) is _Whole:
            cycle.body = cycle.body + body if cycle.body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._begun, self._in_head, self._head_bytes = None, True, 0
        cycle: Any = self.cycle
        if type(cycle) is not _Whole:
            super().on_message_complete()
            return
        task = self.loop.create_task(cycle.run(self.app, self.logger))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def close_slowly(self) -> None:
        """Close; where the request is still coming in, only once the client has stopped, or a moment has passed."""
        if self._begun is None or self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._dropping = True
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _look(self) -> None:
        """Whether the request that is coming in takes too long; the time that we do not read is not counted."""
        now = self.loop.time()
        if self.flow.read_paused and self._begun is not None:
            self._begun = now
        if self._begun is not None and now - self._begun >= self.request_seconds and not self._dropping:
            self._late()
        if not self.transport.is_closing():
            self._watch = self.loop.call_later(self.request_seconds / 4, self._look)

    def _late(self) -> None:
        """Answer 408, unless an answer is on its way already; who has sent nothing is told nothing."""
        cycle: Any = self.cycle
        if self._in_head:
            if cycle is not None and not cycle.response_complete:
                return
            if not self._head_bytes:
                self.transport.close()
                return
        elif cycle.response_complete or getattr(cycle, "response_started", False):
            self.close_slowly()
            return
        self._refuse(broken(408, TIME, f"the request was not there in full after {self.request_seconds:g} seconds"))

    def _refuse(self, error: ApiError) -> None:
        """Answer a request that the application does not see, or not in full, and close."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if self._in_head:
                # It would be taken for the answer to the request before, which is still under way.
                self.close_slowly()
                return
        body = error.body("")
        lines = [STATUS_LINE[error.status]]
        for name, value in self.server_state.default_headers:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(b"".join((*lines, body)))
        self.close_slowly()

    def _short(self) -> bool:
        """Whether it is a POST of a bounded, told length, and nothing of this connection is still to be answered."""
        parser = self.parser
        if (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.expect_100_continue
            or self.limit_concurrency is not None
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            return False
        for name, value in self.headers:
            if name == b"content-length":
                return value.isdigit() and int(value) <= self.whole_bytes
        return False


def bounded(request_seconds: float, most_bytes: int) -> type[Protocol]:
    """The protocol with the bounds of the settings; larger bodies are for the application to refuse."""
    bounds = {"request_seconds": request_seconds, "whole_bytes": min(WHOLE_BYTES, most_bytes)}
    return type("Bounded", (Protocol,), bounds)
