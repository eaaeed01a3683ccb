"""The HTTP side: one path that takes statements, one that says the server is there."""

from __future__ import annotations

import base64
import secrets
import tempfile
import threading
import uuid
from collections.abc import Generator

from infra.dev.front import compression
from infra.dev.front.engine import JOINABLE, Engine, Rows, Summary
from infra.dev.front.errors import QueryError, refuse
from infra.dev.front.request import QueryRequest, build, parse_multipart
from infra.dev.front.server import BrokenResultError, Request, Response
from infra.runtime.logging import get_logger

log = get_logger(__name__)

MAX_BODY_BYTES = 512 * 1024 * 1024
KEPT_IN_MEMORY = 16 * 1024 * 1024
TOLD_AT_ONCE = 256 * 1024
READ_BYTES = 1024 * 1024
QUERIES_AT_ONCE = 64


class Front:
    """Answers over one engine; ``credential`` is the user and password to ask for, None to let anyone in."""

    def __init__(self, engine: Engine, credential: tuple[str, str] | None = None) -> None:
        self._engine = engine
        self._credential = credential
        self._places = threading.BoundedSemaphore(QUERIES_AT_ONCE)

    def answer(self, request: Request) -> Response:
        """GET /ping; GET or POST /. Called in the thread of the connection."""
        if request.path == "/ping" and request.method in ("GET", "HEAD"):
            return Response(body=b"Ok.\n")
        if request.path != "/":
            return Response(404, body=b"There is / and /ping.\n")
        if request.method not in ("GET", "HEAD", "POST"):
            return Response(405, {"Allow": "GET, HEAD, POST"})
        with self._places:
            return self._query(request)

    def _query(self, request: Request) -> Response:
        """The statement is in the parameter ``query``, the body, or both joined."""
        query_id = next((value for name, value in request.query if name == "query_id"), "") or str(uuid.uuid4())
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        try:
            self._authenticate(request)
            asked = self._understand(request)
            if not asked.statement.sql.strip():
                return Response(headers=headers, body=b"Ok.\n")
            wanted = asked.settings.get("enable_http_compression") == "1"
            encoding = compression.choose_encoding(request.headers.get("accept-encoding", ""), wanted)
            return self._answer(asked, headers, encoding)
        except QueryError as error:
            text = error.message(self._engine.version) + "\n"
            return Response(
                error.status, {**headers, "X-ClickHouse-Exception-Code": str(error.code)}, text.encode()
            )  # fmt: skip

    def _answer(self, asked: QueryRequest, headers: dict[str, str], encoding: str) -> Response:
        if asked.statement.kind == "insert":
            summary = self._engine.insert(asked)
            return Response(headers={**headers, "X-ClickHouse-Summary": summary.header()})
        if asked.statement.kind == "read" and asked.format in JOINABLE:
            rows = self._engine.read(asked)
            try:
                return self._stream(rows, asked, headers, encoding)
            except BaseException:
                rows.close()
                raise
        data, summary = self._engine.run(asked)
        if data or asked.statement.kind == "read":
            headers = {**headers, "X-ClickHouse-Format": asked.format}
        headers = _describe(headers, summary, encoding if data else "")
        return Response(headers=headers, body=compression.whole([data], encoding) if data else b"")

    def _stream(self, rows: Rows, asked: QueryRequest, headers: dict[str, str], encoding: str) -> Response:
        """The first parts are read before the answer begins, so that most errors still find their status.

        To the end when the client waits for it, else so much as one answer holds.
        """
        headers = {**headers, "X-ClickHouse-Format": asked.format}
        kept = tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY)  # noqa: SIM115
        packer = compression.compressor(encoding)
        complete = True
        while (part := rows.next()) is not None:
            kept.write(packer.add(part))
            if not asked.wait_for_end and kept.tell() > TOLD_AT_ONCE:
                complete = False
                break
        if complete:
            kept.write(packer.finish())
            rows.close()
        size = kept.tell()
        kept.seek(0)
        headers = _describe(headers, rows.summary, encoding)
        if not complete:
            tag = secrets.token_hex(8)
            headers["X-ClickHouse-Exception-Tag"] = tag
            return Response(headers=headers, parts=self._send_rows(kept.read(), rows, packer, tag))
        if size <= KEPT_IN_MEMORY:
            return Response(headers=headers, body=kept.read())
        return Response(headers=headers, parts=_send_file(kept))

    def _send_rows(self, first: bytes, rows: Rows, packer: compression.Compressor, tag: str) -> Generator[bytes]:
        try:
            yield first
            try:
                while (part := rows.next()) is not None:
                    yield packer.add(part)
                yield packer.finish()
            except QueryError as error:
                text = error.message(self._engine.version)
                log.warning("a read failed after its answer had begun", error=text)
                yield packer.add(_exception_block(text, tag)) + packer.finish()
                raise BrokenResultError from error
        finally:
            rows.close()  # also when the client went away: what it asked for still has to be ended

    def _understand(self, request: Request) -> QueryRequest:
        if request.oversized:
            raise refuse(62, "QUERY_IS_TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes")
        known = self._engine.settings
        form = request.headers.get("content-type", "")
        clear = compression.decompress(request.body, request.headers.get("content-encoding", ""))
        try:
            if form.startswith("multipart/form-data"):
                return build(request.query, request.headers, b"", parse_multipart(clear, form), known)
            return build(request.query, request.headers, clear, (), known)
        except UnicodeDecodeError as error:
            raise refuse(62, "SYNTAX_ERROR", f"the statement is not UTF-8: {error}") from error

    def _authenticate(self, request: Request) -> None:
        if self._credential is None:
            return
        parameters = dict(request.query)
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        user, password = request.headers.get("x-clickhouse-user", ""), request.headers.get("x-clickhouse-key", "")
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(value).decode("utf-8", "replace").partition(":")
        user = parameters.get("user", user or "default")
        password = parameters.get("password", password)
        given = f"{user}:{password}".encode()
        if not secrets.compare_digest(given, ":".join(self._credential).encode()):
            text = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise refuse(516, "AUTHENTICATION_FAILED", text)


def _send_file(kept: tempfile.SpooledTemporaryFile[bytes]) -> Generator[bytes]:
    with kept:
        while part := kept.read(READ_BYTES):
            yield part


def _describe(headers: dict[str, str], summary: Summary, encoding: str) -> dict[str, str]:
    described = {**headers, "X-ClickHouse-Summary": summary.header()}
    return {**described, "Content-Encoding": encoding} if encoding else described


def _exception_block(text: str, tag: str) -> bytes:
    """How ClickHouse (25.11 and newer) writes an error into a body that has begun."""
    message = text.encode()
    opened = f"\r\n__exception__\r\n{tag}\r\n".encode()
    return opened + message + f"\n{len(message) + 1} {tag}\r\n__exception__\r\n".encode()
