"""The at-least-once client: what is not acknowledged is sent again, the same to the byte."""

import asyncio
import time
from collections.abc import Callable

import pytest

from infra.dev.loadgen import Load, NotLoopbackError, generate
from infra.dev.posting import Connection, GaveUpError
from tests.fixtures.fake_lrs import FakeLrs

BODY = b'[{"id":"1"},{"id":"2"}]'


def refusing(*answers: tuple[int, dict[str, str]]) -> Callable[[object], tuple[int, dict[str, str]] | None]:
    left = list(answers)
    return lambda _: left.pop(0) if left else None


async def test_a_batch_is_kept_at_once_when_nothing_is_wrong(fake_lrs: FakeLrs):
    connection = Connection(fake_lrs.url, "key-1", "secret")
    answer = await connection.post_until_kept(BODY, patience=5)
    connection.close()
    assert (answer.status, connection.retried, fake_lrs.batches) == (200, 0, [("key-1", [{"id": "1"}, {"id": "2"}])])


async def test_503_and_429_are_tried_again_after_the_time_they_tell(fake_lrs: FakeLrs):
    fake_lrs.refuse = refusing((503, {"Retry-After": "0.2"}), (429, {"Retry-After": "0.1"}), (500, {}))
    connection = Connection(fake_lrs.url, "key-1", "secret")
    began = time.monotonic()
    answer = await connection.post_until_kept(BODY, patience=30)
    connection.close()
    assert (answer.status, connection.retried, len(fake_lrs.batches)) == (200, 3, 1)
    assert time.monotonic() - began > 0.3


async def test_a_refusal_for_good_is_not_tried_again(fake_lrs: FakeLrs):
    fake_lrs.refuse = refusing((400, {}))
    connection = Connection(fake_lrs.url, "key-1", "secret")
    assert (await connection.post_until_kept(BODY, patience=5)).status == 400
    connection.close()
    assert fake_lrs.batches == []


async def test_a_store_that_is_away_is_waited_for(fake_lrs: FakeLrs):
    answers = iter([b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(next(answers))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(f"http://127.0.0.1:{port}/xapi", "key-1", "secret")
    answer = await connection.post_until_kept(BODY, patience=30)
    connection.close()
    server.close()
    assert (answer.status, answer.body, connection.retried) == (200, b"[]", 1)


async def test_patience_has_an_end_and_the_reason_is_told():
    connection = Connection("http://127.0.0.1:1/xapi", "key-1", "secret")
    with pytest.raises(GaveUpError, match="ConnectionRefusedError"):
        await connection.post_until_kept(BODY, patience=0.3)
    with pytest.raises(GaveUpError, match="does not answer"):
        await connection.until_known(patience=0.1)


def test_a_secret_is_not_shown_with_its_connection():
    assert "hidden" not in repr(Connection("http://127.0.0.1:1/xapi", "key-1", "hidden"))


async def test_a_load_sends_what_it_says_and_counts_what_came_of_it(fake_lrs: FakeLrs):
    fake_lrs.refuse = refusing((503, {}))
    outcome = await generate(Load(fake_lrs.url, "key-1", "secret", statements=1010, batch=50, connections=3))
    assert outcome.statements == len(fake_lrs.statements) == 960
    assert outcome.statuses == {200: 20, 503: 1}
    assert 0 < outcome.latency_ms(0.5) <= outcome.latency_ms(0.99)
    verbs = [statement["verb"]["id"].rpartition("/")[2] for statement in fake_lrs.statements.values()]
    assert 450 < verbs.count("answered") < 700


async def test_a_load_at_a_rate_ends_after_its_time(fake_lrs: FakeLrs):
    load = Load(fake_lrs.url, "key-1", "secret", seconds=1.0, rate=50, batch=1, connections=2)
    outcome = await generate(load)
    assert 30 <= outcome.statements <= 50


async def test_a_load_is_sent_to_this_machine_alone_and_has_an_end():
    with pytest.raises(NotLoopbackError):
        await generate(Load("http://192.0.2.1:8080/xapi", "key-1", "secret", statements=1))
    with pytest.raises(ValueError, match="needs an end"):
        await generate(Load("http://127.0.0.1:1/xapi", "key-1", "secret"))
