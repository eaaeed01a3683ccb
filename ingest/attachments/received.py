"""multipart/mixed as requests have it: statements first, then the bytes of their attachments (Communication 1.5.2).

Read as it comes, within limits: what is too much ends the request without reading on. What is held of all requests
together has a limit of its own (``Room``), so that many large ones at once cannot take the memory of the process.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ingest.errors import ApiError, broken, retry_after
from ingest.xapi.faults import Rule
from ingest.xapi.terms import is_sha2

_SECTION: Final = "1.0.3 Communication 1.5.2"
KIND = Rule("multipart.type", _SECTION, "Send statements with attachments as multipart/mixed, others as JSON.")
BOUNDARY = Rule(
    "multipart.boundary", _SECTION, "Give boundary in Content-Type, and set it before each part (RFC 2046)."
)
FIRST = Rule("multipart.first", _SECTION, "Send the statements in the first part, with Content-Type: application/json.")
ENCODING = Rule("multipart.encoding", _SECTION, "Give each attachment's part Content-Transfer-Encoding: binary.")
HASH = Rule("multipart.hash", _SECTION, "Give each attachment's part X-Experience-API-Hash: the SHA-2 of its bytes.")
BYTES = Rule("limit.attachment", "1.0.3 Data 2.4.11", "Send smaller attachments, or give their fileUrl.")
COUNT = Rule("limit.attachments", "1.0.3 Data 2.4.11", "Send fewer attachments at once.")
STATEMENTS = Rule("limit.body", "1.0.3 Communication 3.2", "Send smaller batches.")

_HASHES: Final = {56: hashlib.sha224, 64: hashlib.sha256, 96: hashlib.sha384, 128: hashlib.sha512}
_AT_ONCE: Final = 64 * 1024
_CLOSE: Final = ((b"connection", b"close"),)
# The parser tells of malformed bodies in the log; here they are answered.
_SILENT: Final = logging.Logger("multipart", logging.CRITICAL + 1)


class Limits(NamedTuple):
    """Bytes of statements, bytes of an attachment, and how many attachments."""

    statements: int
    attachment: int
    attachments: int


class Mixed(NamedTuple):
    """A request: JSON of its statements, and each attachment's bytes by SHA-2 in lower case, which they have."""

    statements: bytes
    parts: dict[str, bytes]


class Room:
    """Bytes that all requests together may hold."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    def taken(self) -> Share:
        """The share of one request; leaving it gives back what it took."""
        return Share(self)

    def change(self, size: int) -> None:
        """Take or give back; raises ApiError 503 where there is no room."""
        if size > 0 and self._held + size > self._most:
            raise retry_after(503, "too many attachments are being sent: try again", 1)
        self._held += size


class Share:
    """What one request holds of the room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def take(self, size: int) -> None:
        """Hold so many bytes more; raises ApiError 503."""
        self._room.change(size)
        self._held += size

    def __enter__(self) -> Share:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.change(-self._held)


def is_multipart(content_type: bytes | None) -> bool:
    """Whether a Content-Type is a multipart one, of any kind."""
    return content_type is not None and content_type[:10].lower() == b"multipart/"


async def receive(pieces: AsyncIterator[bytes], content_type: str, limits: Limits, share: Share) -> Mixed:
    """Read a request; raises ApiError 400, 413 or 503 at the first thing that is wrong."""
    reader = Reader(boundary_of(content_type), limits)
    async for piece in pieces:
        share.take(len(piece))
        for start in range(0, len(piece), _AT_ONCE):
            reader.feed(piece[start : start + _AT_ONCE])
            await asyncio.sleep(0)
    return reader.finish()


def boundary_of(content_type: str) -> bytes:
    """The boundary of a Content-Type; raises ApiError 400."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/mixed":
        raise broken(400, KIND, f"the content type {kind.decode('latin-1')[:60]!r} is not taken")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise broken(400, BOUNDARY, "Content-Type has no boundary")
    return boundary


class Reader:
    """Takes a body piece by piece; ``feed`` and ``finish`` raise ApiError 400 or 413."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._limits = limits
        self._statements: bytes | None = None
        self._parts: dict[str, bytes] = {}
        self._number = -1
        self._name, self._value = b"", b""
        self._headers: dict[str, str] = {}
        self._bytes = bytearray()
        self._sha2 = ""
        self._digest: Any = None
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._field,
                    "on_header_value": self._content,
                    "on_header_end": self._header,
                    "on_headers_finished": self._head,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finished,
                },
                max_header_count=16,
                max_header_size=4096,
            )
        except FormParserError as error:
            raise broken(400, BOUNDARY, f"the boundary is not usable: {error}") from None
        self._parser.logger = _SILENT

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise broken(400, BOUNDARY, f"the multipart body is malformed: {error}") from None

    def finish(self) -> Mixed:
        """There are no more bytes."""
        if not self._ended:
            raise broken(400, BOUNDARY, "the multipart body ends before its closing boundary")
        if self._statements is None:
            raise broken(400, FIRST, "the multipart body has no part")
        return Mixed(self._statements, self._parts)

    def _begin(self) -> None:
        self._number += 1
        most = self._limits.attachments if self._limits.attachment else 0
        if self._number > most:
            raise _too_large(COUNT, f"more attachments than {most}, which are taken in one request")
        self._headers, self._bytes = {}, bytearray()
        self._name, self._value = b"", b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        name = self._name.decode("latin-1").lower()
        if name in self._headers:
            raise broken(400, BOUNDARY, f"part {self._number + 1} has the header {name[:40]!r} twice")
        self._headers[name] = self._value.decode("latin-1").strip()
        self._name, self._value = b"", b""

    def _head(self) -> None:
        headers, here = self._headers, f"part {self._number + 1} of the body"
        if not self._number:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise broken(400, FIRST, f"the first part's content type is {kind[:60]!r}")
            return
        if headers.get("content-transfer-encoding", "").lower() != "binary":
            raise broken(400, ENCODING, f"{here} has no Content-Transfer-Encoding: binary")
        self._sha2 = headers.get("x-experience-api-hash", "").lower()
        if not is_sha2(self._sha2):
            raise broken(400, HASH, f"{here} has no X-Experience-API-Hash, a SHA-2 in hexadecimal")
        self._digest = _HASHES[len(self._sha2)]()

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        self._bytes += piece
        if self._number:
            if len(self._bytes) > self._limits.attachment:
                raise _too_large(BYTES, f"part {self._number + 1} is larger than {self._limits.attachment} bytes")
            self._digest.update(piece)
        elif len(self._bytes) > self._limits.statements:
            raise _too_large(STATEMENTS, f"the statements are larger than {self._limits.statements} bytes")

    def _end(self) -> None:
        whole = bytes(self._bytes)
        self._bytes = bytearray()
        if not self._number:
            self._statements = whole
        elif self._digest.hexdigest() != self._sha2:
            raise broken(400, HASH, f"the bytes of part {self._number + 1} of the body do not have the hash it tells")
        else:
            self._parts[self._sha2] = whole

    def _finished(self) -> None:
        self._ended = True


def _too_large(rule: Rule, message: str) -> ApiError:
    error = broken(413, rule, message)
    # The rest is not read: the connection cannot be used again.
    error.headers = _CLOSE
    return error
