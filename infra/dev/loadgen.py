"""A bounded load on a learning record store of this machine, at little cost to the machine.

Statements are rendered before the load begins, all but their ids and times; answers are read only as far as needed, in
the callbacks of protocols: the client is to take a small part of the cores that the store is measured on. Any other
address than a loopback one is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

from infra.dev.posting import Connection

HOME_PAGE: Final = "https://load.example/students"
_LONGEST_RUN: Final = 3600.0
_WHEN_LOST: Final = 0.1
_ITEMS: Final = 500
_RENDERED: Final = 5_000
"""Statements rendered ahead, at least; more where there are more students. They come again with other ids and times."""
_ANSWERED: Final = (
    '"actor":{"objectType":"Agent","account":{"homePage":"https://load.example/students","name":"%d"}},'
    '"verb":{"id":"http://adlnet.gov/expapi/verbs/answered","display":{"en-US":"answered"}},'
    '"object":{"objectType":"Activity","id":"https://load.example/items/%d","definition":{"type":'
    '"http://adlnet.gov/expapi/activities/cmi.interaction","name":{"en-US":"An item of the load generator"},'
    '"interactionType":"choice"}},"result":{"success":%s,"completion":true,"score":{"scaled":%d,"raw":%d,"min":0,'
    '"max":1},"response":"b","duration":"PT31.50S"},"context":{"registration":"%s","platform":"Load generator",'
    '"language":"en-US","contextActivities":{"parent":[{"id":"https://load.example/sets/1"}],"grouping":[{"id":'
    '"https://load.example/courses/1"}]},"extensions":{"https://load.example/extensions/hints":0,'
    '"https://load.example/extensions/session":"a-session-of-some-length"}}}'
)
_EXPERIENCED: Final = (
    '"actor":{"objectType":"Agent","account":{"homePage":"https://load.example/students","name":"%d"}},'
    '"verb":{"id":"http://adlnet.gov/expapi/verbs/experienced","display":{"en-US":"experienced"}},'
    '"object":{"objectType":"Activity","id":"https://load.example/pages/%d","definition":{"type":'
    '"http://adlnet.gov/expapi/activities/lesson","name":{"en-US":"A page of the load generator"}}},'
    '"context":{"registration":"%s","platform":"Load generator","language":"en-US"}}'
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
    run.began = began
    run.deadline = began + min(load.seconds or _LONGEST_RUN, _LONGEST_RUN)
    await asyncio.gather(*(run.connection() for _ in range(load.connections)))
    run.outcome.seconds = time.perf_counter() - began
    return run.outcome


def bodies(load: Load, requests: int) -> list[bytes]:
    """Bodies of the load's first requests, as they would be sent."""
    run = _Run(load, ("", 0))
    run.deadline = math.inf
    taken = (run.take() for _ in range(requests))
    return [one[0].partition(b"\r\n\r\n")[2] for one in taken if one is not None]


async def _loopback(host: str, port: int) -> tuple[str, int]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not ipaddress.ip_address(address).is_loopback:
        raise NotLoopbackError(f"{host} is not on this machine: load is sent to loopback addresses only")
    return address, port


class _Run:
    def __init__(self, load: Load, address: tuple[str, int]) -> None:
        self.outcome = Outcome()
        self.began = 0.0
        self.deadline = 0.0
        self._load = load
        self._address = address
        self._left = load.statements or None
        self._random = random.Random(load.seed)  # noqa: S311
        self._run_id = f"{random.SystemRandom().getrandbits(32):08x}"
        self._number = 0
        self._requests = 0
        client = Connection(load.url, load.key, load.secret)
        # The length, the last thing in the head, differs from request to request.
        self._head = client.head("POST", "/statements", 0).removesuffix(b"0\r\n\r\n")
        self._rendered = [self._render() for _ in range(max(_RENDERED, min(4 * load.students, 10 * _RENDERED)))]

    async def connection(self) -> None:
        """Send on one connection, opened again when it is lost, until the load ends."""
        while True:
            ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            try:
                await asyncio.get_running_loop().create_connection(partial(_Protocol, self, ended), *self._address)
            except OSError:
                if self.take() is None:
                    return
                self.outcome.statuses[0] += 1
            else:
                if await ended:
                    return
            await asyncio.sleep(_WHEN_LOST)

    def take(self) -> tuple[bytes, int, float] | None:
        """The next request, the statements in it, and when it is due: at once, or at its place in the rate. None at the
        end."""
        now = time.perf_counter()
        # Each place in the rate is counted from the start: sums of a period drift, and one statement more is sent.
        due = self.began + self._requests * self._load.batch / self._load.rate if self._load.rate else now
        if max(due, now) >= self.deadline or self._left == 0:
            return None
        self._requests += 1
        many = self._load.batch if self._left is None else min(self._load.batch, self._left)
        if self._left is not None:
            self._left -= many
        at = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6]
        told, number, rendered = [], self._number, self._rendered
        for _ in range(many):
            number += 1
            told.append(
                b'{"id":"%s-0000-4000-8000-%012x","timestamp":"%sZ",%s'
                % (self._run_id.encode(), number, at.encode(), rendered[number % len(rendered)])
            )
        self._number = number
        body = told[0] if self._load.batch == 1 else b"[%s]" % b",".join(told)
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body), many, due

    def answered(self, status: int, statements: int, due: float) -> None:
        """Note an answer; status 0: there is none."""
        self.outcome.statuses[status] += 1
        if status:
            self.outcome.latencies.append(time.perf_counter() - due)
        if 200 <= status < 300:
            self.outcome.statements += statements

    def _render(self) -> bytes:
        """A statement from behind its id and time."""
        chance = self._random.random
        student = int(chance() * self._load.students)
        registration = f"{student:08x}-0000-4000-8000-000000000000"
        item = int(chance() * _ITEMS)
        if chance() >= self._load.attempts:
            return (_EXPERIENCED % (student, item, registration)).encode()
        right = chance() < 0.7
        return (_ANSWERED % (student, item, "true" if right else "false", right, right, registration)).encode()


class _Protocol(asyncio.Protocol):
    """One connection: sends the next request when the last one is answered. HTTP/1.1 answers with a Content-Length: all
    that a load needs."""

    def __init__(self, run: _Run, ended: asyncio.Future[bool]) -> None:
        """``ended``: set when there is no more to send (true), or the connection is lost."""
        self._run = run
        self._ended = ended
        self._transport: asyncio.Transport
        self._waiting: tuple[int, float] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """A piece of an answer; when it is whole, the next request."""
        self._data = data = self._data + data if self._data else data
        split = data.find(b"\r\n\r\n")
        if split < 0:
            return
        length = data[:split].lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(data) - split - 4 >= int(length or b"0"):
            self._data = b""
            self._answered(int(data[9:12]))
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """The request under way has no answer."""
        self._answered(0)
        if not self._ended.done():
            self._ended.set_result(False)

    def _answered(self, status: int) -> None:
        if self._waiting is not None:
            self._run.answered(status, *self._waiting)
            self._waiting = None

    def _next(self) -> None:
        taken = self._run.take()
        if taken is None:
            self._ended.set_result(True)
            self._transport.close()
            return
        request, statements, due = taken
        self._waiting = statements, due
        wait = due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._transport.write, request)
        else:
            self._transport.write(request)
