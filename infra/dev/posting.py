"""An at-least-once xAPI client on one keep-alive connection: what a careful provider does, at little cost.

It speaks HTTP/1.1 on asyncio streams by itself, so that load made on the machine under test leaves the machine to it.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_RETRY: Final = frozenset({429, 500, 502, 503, 504})
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


class Answer(NamedTuple):
    """An HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class GaveUpError(RuntimeError):
    """The learning record store did not take a request for as long as the client was patient."""


@dataclass(slots=True)
class Connection:
    """One connection to a learning record store, opened when first needed; serves one request at a time.

    Attributes:
        url: base of the store's resources, as http://127.0.0.1:8080/xapi, no slash at the end.
        key, secret: HTTP Basic credential.
        version: X-Experience-API-Version.
        timeout: for one answer, s.
        retried: requests sent again by ``post_until_kept``.
    """

    url: str
    key: str
    secret: str = field(repr=False)
    version: str = "1.0.3"
    timeout: float = 30.0
    retried: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One request, ``path`` below the base. Raises OSError, EOFError or TimeoutError when there is no answer."""
        head = self.head(method, path, len(body))
        try:
            async with asyncio.timeout(self.timeout):
                reader, writer = self._streams or await self._open()
                writer.write(head + body)
                await writer.drain()
                answer = await _read_answer(reader)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    async def post_until_kept(self, body: bytes, *, patience: float) -> Answer:
        """POST statements until they are kept or refused for good, for ``patience`` s at most.

        The same bytes are sent again after 429, a 5xx or no answer: after Retry-After where it is told, else after
        waits that double. Raises GaveUpError.
        """
        deadline = asyncio.get_running_loop().time() + patience
        wait, reason = _FIRST_WAIT, ""
        while True:
            told: float | None = None
            try:
                answer = await self.request("POST", "/statements", body)
                if answer.status not in _RETRY:
                    return answer
                told = _retry_after(answer)
                reason = f"status {answer.status}"
            except (OSError, EOFError) as error:
                reason = f"{type(error).__name__} {error}".strip()
            pause = wait if told is None else told
            if asyncio.get_running_loop().time() + pause > deadline:
                raise GaveUpError(f"{self.url} did not take statements for {patience:.0f} s: {reason}")
            await asyncio.sleep(pause)
            wait = min(2 * wait, _LONGEST_WAIT)
            self.retried += 1

    async def status(self, path: str) -> int | None:
        """Status of a GET, None where there is no answer."""
        try:
            return (await self.request("GET", path)).status
        except (OSError, EOFError):
            return None

    async def until_known(self, *, patience: float) -> None:
        """Wait until the store answers and knows the credential, for ``patience`` s at most; raises GaveUpError."""
        deadline = asyncio.get_running_loop().time() + patience
        while (status := await self.status("/statements?limit=1")) in (None, 401, 403, 503):
            if asyncio.get_running_loop().time() > deadline:
                why = "does not answer" if status is None else f"answers {status}"
                raise GaveUpError(f"{self.url} {why} for {patience:.0f} s")
            await asyncio.sleep(0.25)

    def head(self, method: str, path: str, length: int) -> bytes:
        """Request line and headers, to the empty line."""
        parts = urlsplit(self.url)
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        return (
            f"{method} {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {basic}\r\n"
            f"X-Experience-API-Version: {self.version}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        self._streams = await asyncio.open_connection(parts.hostname, port, ssl=secure or None)
        return self._streams


def _retry_after(answer: Answer) -> float | None:
    told = answer.headers.get("retry-after", "")
    return min(float(told), 30.0) if told.replace(".", "", 1).isdecimal() else None


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in head[1:])
        if colon
    }
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, await _read_chunks(reader))
    length = int(headers.get("content-length", "0"))
    return Answer(status, headers, await reader.readexactly(length) if length else b"")


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(chunks)
