"""The HTTP side: one route that takes statements, one that says the server is there."""

from __future__ import annotations

import base64
import secrets
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.dev.front import compression
from infra.dev.front.engine import JOINABLE, Engine, Rows, Summary
from infra.dev.front.errors import QueryError, refuse
from infra.dev.front.request import QueryRequest, build, parse_multipart
from infra.runtime.logging import get_logger

log = get_logger(__name__)

MAX_BODY_BYTES = 512 * 1024 * 1024
KEPT_IN_MEMORY = 16 * 1024 * 1024
TOLD_AT_ONCE = 256 * 1024
QUERIES_AT_ONCE = 64

T = TypeVar("T")


class BrokenResultError(Exception):
    """A result that cannot be completed: the connection is closed in the middle of it, as ClickHouse does."""


class Front:
    """The routes over one engine; ``credential`` is the user and password to ask for, None to let anyone in."""

    def __init__(self, engine: Engine, credential: tuple[str, str] | None = None) -> None:
        self._engine = engine
        self._credential = credential
        self._threads = CapacityLimiter(QUERIES_AT_ONCE)

    async def ping(self, request: Request) -> Response:
        """GET /ping."""
        return PlainTextResponse("Ok.\n")

    async def query(self, request: Request) -> Response:
        """GET or POST /: the statement is in the parameter ``query``, the body, or both joined."""
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        headers = {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Timezone": self._engine.timezone}
        try:
            self._authenticate(request)
            asked = await self._read_request(request)
            if not asked.statement.sql.strip():
                return PlainTextResponse("Ok.\n", headers=headers)
            wanted = asked.settings.get("enable_http_compression") == "1"
            encoding = compression.choose_encoding(request.headers.get("accept-encoding", ""), wanted)
            return await self._answer(asked, headers, encoding)
        except QueryError as error:
            return PlainTextResponse(
                error.message(self._engine.version) + "\n",
                status_code=error.status,
                headers={**headers, "X-ClickHouse-Exception-Code": str(error.code)},
            )

    async def _answer(self, asked: QueryRequest, headers: dict[str, str], encoding: str) -> Response:
        if asked.statement.kind == "insert":
            summary = await self._in_thread(lambda: self._engine.insert(asked))
            return Response(headers={**headers, "X-ClickHouse-Summary": summary.header()})
        if asked.statement.kind == "read" and asked.format in JOINABLE:
            rows = await self._in_thread(lambda: self._engine.read(asked))
            try:
                return await self._stream(rows, asked, headers, encoding)
            except BaseException:
                await self._in_thread(rows.close)
                raise
        data, summary = await self._in_thread(lambda: self._engine.run(asked))
        if data or asked.statement.kind == "read":
            headers = {**headers, "X-ClickHouse-Format": asked.format}
        headers = _describe(headers, summary, encoding if data else "")
        return Response(compression.whole([data], encoding) if data else b"", headers=headers)

    async def _stream(self, rows: Rows, asked: QueryRequest, headers: dict[str, str], encoding: str) -> Response:
        """The first parts are read before the answer begins, so that most errors still find their status."""
        headers = {**headers, "X-ClickHouse-Format": asked.format}
        kept = tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY)  # noqa: SIM115
        packer = compression.compressor(encoding)

        def read_ahead() -> bool:
            """Whether all was read: to the end when the client waits for it, else so much as one answer holds."""
            while (part := rows.next()) is not None:
                kept.write(packer.add(part))
                if not asked.wait_for_end and kept.tell() > TOLD_AT_ONCE:
                    return False
            kept.write(packer.finish())
            return True

        complete = await self._in_thread(read_ahead)
        size = kept.tell()
        kept.seek(0)
        if complete:
            await self._in_thread(rows.close)
            headers = _describe(headers, rows.summary, encoding)
            if size <= KEPT_IN_MEMORY:
                return Response(kept.read(), headers=headers)
            return StreamingResponse(self._send_file(kept), headers=headers)
        tag = secrets.token_hex(8)
        headers = {**_describe(headers, rows.summary, encoding), "X-ClickHouse-Exception-Tag": tag}
        return StreamingResponse(self._send_rows(kept.read(), rows, packer, tag), headers=headers)

    async def _send_file(self, kept: tempfile.SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
        with kept:
            while part := await self._in_thread(lambda: kept.read(1 << 20)):
                yield part

    async def _send_rows(
        self, first: bytes, rows: Rows, packer: compression.Compressor, tag: str
    ) -> AsyncIterator[bytes]:
        def next_part() -> bytes | None:
            part = rows.next()
            return None if part is None else packer.add(part)

        try:
            yield first
            try:
                while (part := await self._in_thread(next_part)) is not None:
                    yield part
                yield packer.finish()
            except QueryError as error:
                text = error.message(self._engine.version)
                log.warning("a read failed after its answer had begun", error=text)
                yield packer.add(_exception_block(text, tag)) + packer.finish()
                raise BrokenResultError from error
        finally:
            with CancelScope(shield=True):  # the client went away: what it asked for still has to be ended
                await self._in_thread(rows.close)

    async def _read_request(self, request: Request) -> QueryRequest:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise refuse(62, "QUERY_IS_TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes")
        known = self._engine.settings
        form = request.headers.get("content-type", "")
        encoding = request.headers.get("content-encoding", "")

        def understand() -> QueryRequest:
            clear = compression.decompress(bytes(body), encoding)
            parameters = request.query_params.multi_items()
            try:
                if form.startswith("multipart/form-data"):
                    return build(parameters, request.headers, b"", parse_multipart(clear, form), known)
                return build(parameters, request.headers, clear, (), known)
            except UnicodeDecodeError as error:
                raise refuse(62, "SYNTAX_ERROR", f"the statement is not UTF-8: {error}") from error

        # A small body is understood faster than a thread is found for it.
        return understand() if len(body) < 65_536 else await self._in_thread(understand)

    def _authenticate(self, request: Request) -> None:
        if self._credential is None:
            return
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        user, password = request.headers.get("x-clickhouse-user", ""), request.headers.get("x-clickhouse-key", "")
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(value).decode("utf-8", "replace").partition(":")
        user = request.query_params.get("user", user or "default")
        password = request.query_params.get("password", password)
        given = f"{user}:{password}".encode()
        if not secrets.compare_digest(given, ":".join(self._credential).encode()):
            text = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise refuse(516, "AUTHENTICATION_FAILED", text)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)


def build_app(engine: Engine, credential: tuple[str, str] | None = None) -> ASGIApp:
    """The ASGI application."""
    front = Front(engine, credential)
    app = Starlette(
        routes=[
            Route("/ping", front.ping, methods=["GET"]),
            Route("/", front.query, methods=["GET", "POST"]),
        ]
    )

    async def closing_broken_results(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except BrokenResultError:
            # To return without the last part makes the server close the connection: nobody takes a part for the whole.
            return

    return closing_broken_results


def _describe(headers: dict[str, str], summary: Summary, encoding: str) -> dict[str, str]:
    described = {**headers, "X-ClickHouse-Summary": summary.header()}
    return {**described, "Content-Encoding": encoding} if encoding else described


def _exception_block(text: str, tag: str) -> bytes:
    """How ClickHouse (25.11 and newer) writes an error into a body that has begun."""
    message = text.encode()
    opened = f"\r\n__exception__\r\n{tag}\r\n".encode()
    return opened + message + f"\n{len(message) + 1} {tag}\r\n__exception__\r\n".encode()
