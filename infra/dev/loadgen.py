"""A bounded load on a learning record store of this machine, at little cost to the machine.

Requests are built from templates and answers are read only as far as needed, on asyncio protocols: the client is to
take a small part of the cores that the store is measured on. Any other address than a loopback one is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from infra.dev.posting import Connection

HOME_PAGE: Final = "https://load.example/students"
_LONGEST_RUN: Final = 3600.0
_WHEN_LOST: Final = 0.1
_ITEMS: Final = 500
_ANSWERED: Final = (
    '{"id":"%s","actor":{"objectType":"Agent","account":{"homePage":"https://load.example/students","name":"%d"}},'
    '"verb":{"id":"http://adlnet.gov/expapi/verbs/answered","display":{"en-US":"answered"}},'
    '"object":{"objectType":"Activity","id":"https://load.example/items/%d","definition":{"type":'
    '"http://adlnet.gov/expapi/activities/cmi.interaction","name":{"en-US":"An item of the load generator"},'
    '"interactionType":"choice"}},"result":{"success":%s,"completion":true,"score":{"scaled":%d,"raw":%d,"min":0,'
    '"max":1},"response":"b","duration":"PT31.50S"},"context":{"registration":"%s","platform":"Load generator",'
    '"language":"en-US","contextActivities":{"parent":[{"id":"https://load.example/sets/1"}],"grouping":[{"id":'
    '"https://load.example/courses/1"}]},"extensions":{"https://load.example/extensions/hints":0,'
    '"https://load.example/extensions/session":"a-session-of-some-length"}},"timestamp":"%s"}'
)
_EXPERIENCED: Final = (
    '{"id":"%s","actor":{"objectType":"Agent","account":{"homePage":"https://load.example/students","name":"%d"}},'
    '"verb":{"id":"http://adlnet.gov/expapi/verbs/experienced","display":{"en-US":"experienced"}},'
    '"object":{"objectType":"Activity","id":"https://load.example/pages/%d","definition":{"type":'
    '"http://adlnet.gov/expapi/activities/lesson","name":{"en-US":"A page of the load generator"}}},'
    '"context":{"registration":"%s","platform":"Load generator","language":"en-US"},"timestamp":"%s"}'
)


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. At least one of ``seconds`` and ``statements`` ends it; an hour does in any case.

    Attributes:
        url: base of the LRS, on a loopback address.
        key, secret: HTTP Basic credential.
        connections: each sends one request at a time.
        batch: statements in a request; 1 sends a single object.
        rate: statements a second over all connections; 0: as fast as they are answered.
        seconds: for so long; 0: no bound.
        statements: so many; 0: no bound.
        students: shared evenly.
        attempts: share of statements that are answers; the others are pages seen.
        seed: for students, items and outcomes; ids are new in each run.
    """

    url: str
    key: str
    secret: str = field(repr=False)
    connections: int = 8
    batch: int = 50
    rate: float = 0.0
    seconds: float = 0.0
    statements: int = 0
    students: int = 1000
    attempts: float = 0.6
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        statements: those of requests answered with a 2xx.
        statuses: requests by HTTP status; 0 is no answer.
        latencies: of each answered request, s; at a rate, from when it was due.
        seconds: from the first request to the last answer.
    """

    statements: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Statements a second."""
        return self.statements / self.seconds if self.seconds else 0.0

    def latency_ms(self, share: float) -> float:
        """Quantile of the latencies, ms: 0.5, 0.95, 0.99; 0 where nothing was answered."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def __str__(self) -> str:
        quantiles = ", ".join(f"p{100 * q:.0f} {self.latency_ms(q):.1f}" for q in (0.5, 0.95, 0.99, 1.0))
        statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.statements:,} statements in {self.seconds:.1f} s = {self.rate:,.0f}/s; ms: {quantiles}; {statuses}"
        )


class NotLoopbackError(ValueError):
    """The load generator is for a server of this machine alone."""


async def generate(load: Load) -> Outcome:
    """Send the load; raises NotLoopbackError, or ValueError for a load without an end."""
    parts = urlsplit(load.url)
    address = await _loopback(parts.hostname or "", parts.port or 80)
    if not load.seconds and not load.statements:
        raise ValueError("a load needs an end: seconds or statements")
    run = _Run(load, address)
    began = time.perf_counter()
    run.due = began
    run.deadline = began + min(load.seconds or _LONGEST_RUN, _LONGEST_RUN)
    await asyncio.gather(*(run.connection() for _ in range(load.connections)))
    run.outcome.seconds = time.perf_counter() - began
    return run.outcome


async def _loopback(host: str, port: int) -> tuple[str, int]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not ipaddress.ip_address(address).is_loopback:
        raise NotLoopbackError(f"{host} is not on this machine: load is sent to loopback addresses only")
    return address, port


class _Run:
    def __init__(self, load: Load, address: tuple[str, int]) -> None:
        self.outcome = Outcome()
        self.due = 0.0
        self.deadline = 0.0
        self._load = load
        self._address = address
        self._left = load.statements or None
        self._random = random.Random(load.seed)  # noqa: S311
        self._run_id = f"{random.SystemRandom().getrandbits(32):08x}"
        self._number = 0
        self._client = Connection(load.url, load.key, load.secret)

    async def connection(self) -> None:
        protocol: _Protocol | None = None
        try:
            while (taken := self._take()) is not None:
                body, statements = taken
                due = await self._wait()
                try:
                    if protocol is None:
                        _, protocol = await asyncio.get_running_loop().create_connection(_Protocol, *self._address)
                    status = await protocol.send(self._client.head("POST", "/statements", len(body)) + body)
                except OSError:
                    status, protocol = 0, None
                    await asyncio.sleep(_WHEN_LOST)
                self.outcome.statuses[status] += 1
                if status:
                    self.outcome.latencies.append(time.perf_counter() - due)
                if 200 <= status < 300:
                    self.outcome.statements += statements
        finally:
            if protocol is not None:
                protocol.close()

    async def _wait(self) -> float:
        """When this request was due: at once, or at its place in the rate."""
        now = time.perf_counter()
        if not self._load.rate:
            return now
        due = self.due
        self.due += self._load.batch / self._load.rate
        if due > now:
            await asyncio.sleep(due - now)
        return due

    def _take(self) -> tuple[bytes, int] | None:
        """Body of the next request and the statements in it, None at the end."""
        due = self.due if self._load.rate else time.perf_counter()
        if max(due, time.perf_counter()) >= self.deadline or self._left == 0:
            return None
        many = self._load.batch if self._left is None else min(self._load.batch, self._left)
        if self._left is not None:
            self._left -= many
        at = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        told = [self._statement(at) for _ in range(many)]
        return (told[0] if self._load.batch == 1 else f"[{','.join(told)}]").encode(), many

    def _statement(self, at: str) -> str:
        self._number += 1
        chance = self._random.random
        statement_id = f"{self._run_id}-0000-4000-8000-{self._number:012x}"
        student = int(chance() * self._load.students)
        registration = f"{student:08x}-0000-4000-8000-000000000000"
        if chance() >= self._load.attempts:
            return _EXPERIENCED % (statement_id, student, int(chance() * _ITEMS), registration, at)
        right = chance() < 0.7
        item = int(chance() * _ITEMS)
        return _ANSWERED % (statement_id, student, item, "true" if right else "false", right, right, registration, at)


class _Protocol(asyncio.Protocol):
    """HTTP/1.1 answers with a Content-Length: all that a load needs."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def send(self, request: bytes) -> int:
        """Send a request and wait for its status; raises OSError when the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or b"0"):
            self._data = b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the connection was closed"))

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
