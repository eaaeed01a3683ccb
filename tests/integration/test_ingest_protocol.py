"""The short way of HTTP: requests whose whole body is there before the application runs, beside uvicorn's own way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from infra.dev.ports import any_free
from ingest.protocol import HEAD_BYTES, WHOLE_BYTES, Protocol, bounded

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = "POST /xapi/statements HTTP/1.1\r\nHost: door\r\n{extra}Content-Length: {length}\r\n\r\n"


class Application:
    """Answers with the path and the length of the body, and notes in how many pieces the body came."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.held: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            return
        pieces = [await receive()]
        while pieces[-1].get("more_body"):
            pieces.append(await receive())
        self.pieces.append(len(pieces))
        body = b"".join(piece["body"] for piece in pieces)
        if self.held:
            await self.held.wait()
        if body == b"fail":
            raise RuntimeError("this application fails")
        told = f"{scope['path']} {len(body)}".encode()
        headers = [(b"content-length", str(len(told)).encode())]
        if body == b"enough":
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})


@asynccontextmanager
async def serving(application: Application, protocol: type[Protocol] = Protocol) -> AsyncIterator[Streams]:
    port = any_free("127.0.0.1")
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, http=protocol, ws="none", lifespan="off", log_config=None
    )  # fmt: skip
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await running


def request(body: bytes, extra: str = "") -> bytes:
    return HEAD.format(extra=extra, length=len(body)).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Head and body of the next answer."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return head, (await reader.readexactly(length)).decode()


async def test_a_body_that_comes_in_pieces_is_given_to_the_application_whole() -> None:
    application = Application()
    async with serving(application) as (reader, writer):
        sent = request(b"x" * 50_000)
        for begin in range(0, len(sent), 20_000):
            writer.write(sent[begin : begin + 20_000])
            await writer.drain()
            await asyncio.sleep(0.05)
        head, body = await answer(reader)
    assert (body, application.pieces) == ("/xapi/statements 50000", [1])
    assert head.startswith("http/1.1 200 ok")


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with serving(Application()) as (reader, writer):
        for length in (1, 0, 2000):
            writer.write(request(b"y" * length))
            assert (await answer(reader))[1] == f"/xapi/statements {length}"


async def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    application = Application()
    application.held = asyncio.Event()
    async with serving(application) as (reader, writer):
        writer.write(b"".join(request(b"z" * length) for length in (1, 2, 3)))
        await asyncio.sleep(0.1)
        application.held.set()
        assert [(await answer(reader))[1] for _ in range(3)] == [f"/xapi/statements {n}" for n in (1, 2, 3)]


async def test_large_bodies_other_paths_and_those_who_ask_first_take_uvicorns_way() -> None:
    application = Application()
    async with serving(application) as (reader, writer):
        writer.write(request(b"x" * (WHOLE_BYTES + 1)))
        assert (await answer(reader))[1] == f"/xapi/statements {WHOLE_BYTES + 1}"
        assert application.pieces[0] > 1
        writer.write(request(b"ab").replace(b"/xapi/statements", b"/xapi/statements/?a=b"))
        assert (await answer(reader))[1] == "/xapi/statements/ 2"
        writer.write(HEAD.format(extra="Expect: 100-continue\r\n", length=2).encode())
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).startswith(b"HTTP/1.1 100")
        writer.write(b"ab")
        assert (await answer(reader))[1] == "/xapi/statements 2"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00 no HTTP at all\r\n\r\n",
        HEAD.format(extra="Content-Length: 3\r\n", length=2).encode() + b"ab",
        HEAD.format(extra="", length=-1).encode(),
    ],
)
async def test_what_is_no_http_is_told_so_and_the_connection_ends(sent: bytes) -> None:
    application = Application()
    async with serving(application) as (reader, writer):
        writer.write(sent)
        head, body = await answer(reader)
        assert head.startswith("http/1.1 400 ")
        [fault] = json.loads(body)["faults"]
        assert fault["rule"] == "http.malformed"
        writer.write(request(b"ab"))
        assert await asyncio.wait_for(reader.read(), 30) == b""
    assert application.pieces == []


@pytest.mark.parametrize("path", ["/xapi/statements", "/xapi/about"])
async def test_what_is_no_http_after_a_request_is_no_answer_to_that_request(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    application = Application()
    application.held = asyncio.Event()
    async with serving(application) as (reader, writer):
        writer.write(request(b"ab").replace(b"/xapi/statements", path.encode()))
        await asyncio.sleep(0.1)
        writer.write(b"no HTTP at all\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 30) == b""
        application.held.set()
        await asyncio.sleep(0.1)
    assert "Exception" not in caplog.text


@pytest.mark.parametrize("asked", [True, False])
async def test_a_connection_is_closed_where_client_or_application_want_it(asked: bool) -> None:
    async with serving(Application()) as (reader, writer):
        writer.write(request(b"hello", "Connection: close\r\n") if asked else request(b"enough"))
        head, _ = await answer(reader)
        assert "connection: close\r\n" in head
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_an_application_that_fails_ends_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Application()) as (reader, writer):
        writer.write(request(b"fail"))
        assert await asyncio.wait_for(reader.read(), 30) == b""
    assert "Exception in ASGI application" in caplog.text


async def test_a_client_that_leaves_does_not_stop_the_application() -> None:
    application = Application()
    application.held = asyncio.Event()
    async with serving(application) as (_reader, writer):
        writer.write(request(b"bye"))
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.sleep(0.1)
        application.held.set()
    assert application.pieces == [1]


LONG_WAY = "POST /xapi/activities/state HTTP/1.1\r\nHost: door\r\nContent-Length: 10\r\n\r\n"
HURRIED = bounded(0.4, WHOLE_BYTES)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /xapi/state",
        HEAD.format(extra="", length=10).encode()[:-10],
        HEAD.format(extra="", length=10).encode(),
        HEAD.format(extra="", length=10).encode() + b"half",
        LONG_WAY.encode() + b"half",
        b"POST /xapi/statements HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ],
)
async def test_a_request_that_is_half_sent_is_told_so_and_its_connection_ends(sent: bytes) -> None:
    async with serving(Application(), HURRIED) as (reader, writer):
        writer.write(request(b"first"))
        assert (await answer(reader))[1] == "/xapi/statements 5"
        writer.write(sent)
        head, body = await answer(reader)
        assert head.startswith("http/1.1 408")
        assert "connection: close\r\n" in head
        [fault] = json.loads(body)["faults"]
        assert fault["rule"] == "limit.time"
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_bytes_that_drip_in_do_not_keep_a_request_alive() -> None:
    async with serving(Application(), HURRIED) as (reader, writer):
        dripping = asyncio.create_task(drip(writer))
        head, _ = await answer(reader)
        assert head.startswith("http/1.1 408")
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A body of which a byte comes now and then."""
    writer.write(HEAD.format(extra="", length=10_000).encode())
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_who_connects_and_says_nothing_is_told_nothing() -> None:
    async with serving(Application(), HURRIED) as (reader, _writer):
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_time_that_the_application_takes_is_not_the_clients() -> None:
    application = Application()
    application.held = asyncio.Event()
    async with serving(application, HURRIED) as (reader, writer):
        writer.write(request(b"a") + request(b"bc") + LONG_WAY.encode())
        await asyncio.sleep(1.2)
        application.held.set()
        assert (await answer(reader))[1] == "/xapi/statements 1"
        assert (await answer(reader))[1] == "/xapi/statements 2"
        writer.write(b"0123456789")
        assert (await answer(reader))[1] == "/xapi/activities/state 10"


@pytest.mark.parametrize("line", [b"GET /xapi/statements?agent=", b"GET / HTTP/1.1\r\nX-Long: "])
async def test_a_head_without_end_is_refused(line: bytes) -> None:
    async with serving(Application()) as (reader, writer):
        writer.write(line + b"x" * (HEAD_BYTES + 1))
        head, body = await answer(reader)
        assert head.startswith("http/1.1 431")
        assert json.loads(body)["faults"][0]["rule"] == "limit.head"
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_each_answer_has_one_date_whichever_way_it_took() -> None:
    async with serving(Application(), HURRIED) as (reader, writer):
        for sent in (request(b"short"), LONG_WAY.encode() + b"0123456789", b"POST /"):
            writer.write(sent)
            head, _ = await answer(reader)
            assert head.count("\r\ndate: ") == 1


class Refusing:
    """Answers 413 without reading, as the door does for a body that is too large."""

    async def __call__(self, scope: Any, _receive: Any, send: Callable[[Any], Any]) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"3"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": b"big"})


async def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    length = 64 * 1024 * 1024
    async with serving(Refusing(), HURRIED) as (reader, writer):  # type: ignore[arg-type]
        writer.write(HEAD.format(extra="", length=length).encode())
        piece = b"x" * 1_000_000
        for _ in range(8):
            writer.write(piece)
            await writer.drain()
        head, body = await answer(reader)
        assert (head.split("\r\n")[0], body) == ("http/1.1 413 request entity too large", "big")
        assert await asyncio.wait_for(reader.read(), 30) == b""
