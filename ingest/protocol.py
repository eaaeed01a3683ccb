"""HTTP for whole, bounded bodies: the application runs once the body is there, and its answer is one write.

uvicorn's own cycle is made for streams: it wakes the application with the headers, again with each piece of the body,
and writes head and body of the answer apart. A POST of statements that tells its length is neither; everything else
takes uvicorn's way.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

WHOLE_BYTES: Final = 1024 * 1024
"""Bodies up to this size are collected; larger ones are streamed, with back-pressure."""

_PATH: Final = "/xapi/statements"
_RAW_PATH: Final = _PATH.encode()
_ALREADY: Final[asyncio.Event] = asyncio.Event()


class _Whole:
    """One request whose body is collected before the application starts; has what uvicorn asks of a cycle."""

    __slots__ = (
        *("_flow", "_head", "_on_response", "_scope", "_transport"),
        *("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete"),
    )

    def __init__(self, scope: Any, transport: asyncio.Transport, flow: FlowControl, on_response: Any) -> None:
        self._scope = scope
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
            for name, value in message["headers"]:
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


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a short way for posts of statements."""

    def on_headers_complete(self) -> None:
        """Take the short way where the request allows it."""
        if self.url != _RAW_PATH or not self._short():
            super().on_headers_complete()
            return
        scope: Any = self.scope
        scope["method"] = "POST"
        scope["path"], scope["raw_path"], scope["query_string"] = _PATH, _RAW_PATH, b""
        whole: Any = _Whole(scope, self.transport, self.flow, self.on_response_complete)
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
        cycle: Any = self.cycle
        if type(cycle) is not _Whole:
            super().on_message_complete()
            return
        task = self.loop.create_task(cycle.run(self.app, self.logger))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

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
                return value.isdigit() and int(value) <= WHOLE_BYTES
        return False
