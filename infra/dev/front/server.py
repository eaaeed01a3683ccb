"""HTTP/1.1 over plain sockets, a thread a connection: what clients of ClickHouse use of it.

An engine's clients are few, keep their connections and wait for each answer, so a thread that reads a request, asks
the engine and answers is all there is to do. Measured beside an ASGI server: an insert of few rows costs 2 ms of
processor less, one of 8 MiB 20 ms less, since the body is read once, into the bytes that the engine takes.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Final, cast
from urllib.parse import parse_qsl, urlsplit

from infra.runtime.logging import get_logger

log = get_logger(__name__)

KEEP_ALIVE_SECONDS: Final = 300.0
LONGEST_LINE: Final = 1024 * 1024
MOST_HEADERS: Final = 200


@dataclass(frozen=True)
class Request:
    """One request; names of headers in lower case. ``oversized``: its body was too large and is not read."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""
    oversized: bool = False


@dataclass
class Response:
    """An answer: ``body``, or ``parts`` of which the length is not known when it begins.

    Parts that raise BrokenResultError close the connection in the middle of the answer, as ClickHouse does: nobody
    takes a part for the whole.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: Generator[bytes] | None = None


class BrokenResultError(Exception):
    """A result that cannot be completed."""


class BadRequestError(ValueError):
    """What came is no request of HTTP/1.1."""


class Server(socketserver.ThreadingTCPServer):
    """Serves until stop(); ``answer`` is called in the thread of the connection."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Response], most_bytes: int) -> None:
        self.answer = answer
        self.most_bytes = most_bytes
        self._in_hand = 0
        self._idle = threading.Condition()
        super().__init__(address, _Connection)

    def stop(self) -> None:
        """Make serve_forever return; may be called in a signal's handler."""
        threading.Thread(target=self.shutdown).start()

    def drain(self, seconds: float) -> None:
        """Return when no request is in hand, at the latest after so long."""
        with self._idle:
            self._idle.wait_for(lambda: not self._in_hand, seconds)

    def __enter__(self) -> Server:
        return self

    def begun(self) -> None:
        """A request is in hand."""
        with self._idle:
            self._in_hand += 1

    def ended(self) -> None:
        """It is answered, or its connection is gone."""
        with self._idle:
            self._in_hand -= 1
            self._idle.notify_all()


class _Connection(socketserver.StreamRequestHandler):
    timeout = KEEP_ALIVE_SECONDS
    disable_nagle_algorithm = True
    rbufsize = 64 * 1024

    def handle(self) -> None:
        try:
            while self._one():
                pass
        except BadRequestError as error:
            self._send(Response(HTTPStatus.BAD_REQUEST, body=f"{error}\n".encode()), alive=False)
        except (OSError, EOFError, BrokenResultError):
            return  # the client went away, or must not take what it has for all

    def _one(self) -> bool:
        """Answer one request; whether the connection stays."""
        server = cast(Server, self.server)
        head = _head(cast(BinaryIO, self.rfile))
        if head is None:
            return False
        server.begun()
        try:
            request = self._read(*head, server.most_bytes)
            response = self._answer(server, request)
            alive = request.headers.get("connection", "").lower() != "close" and not request.oversized
            self._send(response, alive, bare=request.method == "HEAD")
            return alive
        finally:
            server.ended()

    def _answer(self, server: Server, request: Request) -> Response:
        try:
            return server.answer(request)
        except Exception:
            log.exception("a request could not be answered", path=request.path)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, body=b"Code: 1001. DB::Exception: the front failed\n")

    def _read(self, method: str, target: str, headers: dict[str, str], most: int) -> Request:
        reader = cast(BinaryIO, self.rfile)
        url = urlsplit(target)
        query = parse_qsl(url.query, keep_blank_values=True)
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        size = 0 if chunked else _number(headers.get("content-length", "0"), 10)
        if headers.get("expect", "").lower() == "100-continue" and size <= most:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _chunks(reader, most) if chunked else _exactly(reader, size) if size <= most else None
        return Request(method, url.path, query, headers, body or b"", oversized=body is None)

    def _send(self, response: Response, alive: bool, bare: bool = False) -> None:
        headers = dict(response.headers)
        if response.parts is None:
            headers["Content-Length"] = str(len(response.body))
        else:
            headers["Transfer-Encoding"] = "chunked"
        if not alive:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")
        if response.parts is None:
            self.wfile.write(head if bare else head + response.body)
            return
        with closing(response.parts) as parts:
            self.wfile.write(head)
            for part in parts:
                if part:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")


def _head(reader: BinaryIO) -> tuple[str, str, dict[str, str]] | None:
    """Method, target and headers; None when the client has closed the connection."""
    line = reader.readline(LONGEST_LINE)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not line.endswith(b"\n") or not words[2].startswith("HTTP/1."):
        raise BadRequestError("no request line of HTTP/1.1")
    headers: dict[str, str] = {} if words[2] != "HTTP/1.0" else {"connection": "close"}
    for _ in range(MOST_HEADERS):
        line = reader.readline(LONGEST_LINE)
        if line in (b"\r\n", b"\n"):
            return words[0], words[1], headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not line.endswith(b"\n"):
            raise BadRequestError("a header that is none")
        headers[name.strip().lower()] = value.strip()
    raise BadRequestError("too many headers")


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError as error:
        raise BadRequestError(f"{text[:20]!r} is no length") from error
    if number < 0:
        raise BadRequestError("a length below zero")
    return number


def _exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _chunks(reader: BinaryIO, most: int) -> bytes | None:
    """A body in chunks (RFC 9112, 7.1), whole; None when it is too large."""
    parts, total = [], 0
    while size := _number(reader.readline(LONGEST_LINE).partition(b";")[0].strip().decode("latin-1"), 16):
        total += size
        if total > most:
            return None
        parts.append(_exactly(reader, size))
        _exactly(reader, 2)
    while reader.readline(LONGEST_LINE).strip():
        pass  # trailers say nothing that is used
    return b"".join(parts)
