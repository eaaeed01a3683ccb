"""Rounds of publishing: what goes together, what is counted, and what a failure answers."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from infra.runtime.metrics import IngestMetrics, process_registry
from ingest import publisher
from ingest.duplicates.taking import Taking
from ingest.errors import ApiError
from ingest.publisher import MAX_ENVELOPE_BYTES, MAX_ENVELOPE_ITEMS, Part, Publisher, TakenError
from schemas import packing
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import Envelope, Item

MINUTE = 60_000_000
NOW = 30_000_000 * MINUTE


class Log:
    """A producer, and the link to it: acknowledges in the next turn of the loop, or fails."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] = defaultdict(int)
        self.records: list[tuple[int, Envelope, dict[str, int]]] = []
        self.rounds: list[str] = []
        self.error: Exception | None = None
        self.client = SimpleNamespace(cluster=SimpleNamespace(leader_for_partition=lambda _tp: 1))
        self.current = self
        self._codec = envelope_codec(FileSchemaRegistry())

    async def get(self) -> Log:
        return self

    def failed(self, _used: Log) -> None:
        self.rounds.append("failed")

    async def begin_transaction(self) -> None:
        self.rounds.append("begin")

    async def commit_transaction(self) -> None:
        self.rounds.append("commit")

    async def send(self, _topic: str, *, value: bytes, partition: int, headers: Any) -> asyncio.Future[Any]:
        self.records.append((partition, self._codec.decode(value), json.loads(headers[0][1])))
        self.offsets[partition] += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        found = SimpleNamespace(offset=self.offsets[partition])
        if self.error:
            answer.set_exception(self.error)
        else:
            asyncio.get_running_loop().call_soon(answer.set_result, found)
        return answer


class Free:
    """Reservations that refuse the ids they are told to."""

    def __init__(self) -> None:
        self.others: set[bytes] = set()
        self.rounds: list[list[list[Taking]]] = []

    async def take(self, requests: Sequence[Sequence[Taking]]) -> list[list[int]]:
        self.rounds.append([list(one) for one in requests])
        return [[index for index, (one, _) in enumerate(request) if one in self.others] for request in requests]


def made(log: Log, max_pending: int = 100_000, free: Free | None = None) -> Publisher:
    link: Any = log
    reservations: Any = free or Free()
    framing = packing.framing(FileSchemaRegistry())
    metrics = IngestMetrics(process_registry())
    return Publisher(
        "statements",
        "i",
        framing,
        link,
        link,
        reservations,
        metrics,
        lambda: NOW,
        timeout_seconds=5.0,
        max_pending=max_pending,
    )


def item(size: int = 10, flags: int = 0) -> bytes:
    return packing.item(Item(str(uuid.uuid4()), str(uuid.uuid4()), "p", "v", [], 0, NOW, 0, flags, b"x" * size))


async def test_requests_that_come_while_a_round_is_on_its_way_share_the_next() -> None:
    log = Log()
    publisher_ = made(log)
    told = await asyncio.gather(*(publisher_.publish("p", NOW, {n % 2: Part([item()], [])}) for n in range(6)))
    assert [len(envelope.items) for _, envelope, _ in log.records] == [3, 3]
    assert told == [{0: 1}, {1: 1}] * 3
    assert log.rounds == []


async def test_a_request_of_several_partitions_is_a_transaction() -> None:
    log = Log()
    told = await made(log).publish("p", NOW, {0: Part([item()], []), 3: Part([item(), item()], [])})
    assert told == {0: 1, 3: 1}
    assert log.rounds == ["begin", "commit"]
    assert [(partition, counts) for partition, _, counts in log.records] == [(0, {"p": 1}), (3, {"p": 2})]


async def test_a_round_waits_for_those_who_were_under_way_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_GATHER_SECONDS", 600.0)
    log = Log()
    publisher_ = made(log)

    async def client() -> None:
        await publisher_.publish("p", NOW, {0: Part([item()], [])})
        await asyncio.sleep(0.01)
        await publisher_.publish("p", NOW, {0: Part([item()], [])})

    await asyncio.gather(*(client() for _ in range(4)))
    assert [len(envelope.items) for _, envelope, _ in log.records] == [4, 4]


async def test_a_round_waits_for_nobody_long() -> None:
    publisher_ = made(Log())
    await asyncio.gather(*(publisher_.publish("p", NOW, {0: Part([item()], [])}) for _ in range(2)))
    await asyncio.wait_for(publisher_.publish("p", NOW, {0: Part([item()], [])}), 30)


async def test_credits_are_not_counted_and_providers_are_counted_apart() -> None:
    log = Log()
    publisher_ = made(log)
    await asyncio.gather(
        publisher_.publish("p", NOW, {0: Part([item(), item(flags=4), item(flags=4)], [1, 2])}),
        publisher_.publish("q", NOW, {0: Part([item()], [])}),
    )
    await publisher_.publish("p", NOW, {0: Part([item(flags=4)], [0])})
    assert [counts for _, _, counts in log.records] == [{"p": 1, "q": 1}, {}]


async def test_envelopes_are_of_one_minute_and_of_bounded_size() -> None:
    log = Log()
    publisher_ = made(log)
    await asyncio.gather(*(publisher_.publish("p", NOW + n * MINUTE, {0: Part([item()], [])}) for n in range(2)))
    assert [len(envelope.items) for _, envelope, _ in log.records] == [1, 1]
    log.records.clear()
    many = [item() for _ in range(MAX_ENVELOPE_ITEMS + 10)]
    told = await publisher_.publish("p", NOW, {0: Part(many, [MAX_ENVELOPE_ITEMS + 1])})
    assert [(len(envelope.items), counts) for _, envelope, counts in log.records] == [
        (2000, {"p": 2000}),
        (10, {"p": 9}),
    ]
    assert b"".join(packing.item(one) for _, envelope, _ in log.records for one in envelope.items) == b"".join(many)
    assert (told, log.rounds) == ({0: 4}, ["begin", "commit"])
    log.records.clear()
    half = MAX_ENVELOPE_BYTES // 2
    await asyncio.gather(*(publisher_.publish("p", NOW, {0: Part([item(half)], [])}) for _ in range(3)))
    assert [len(envelope.items) for _, envelope, _ in log.records] == [1, 1, 1]


async def test_a_failed_round_answers_503_to_all_of_it_and_what_is_too_large_or_too_much_is_refused() -> None:
    log = Log()
    log.error = OSError("gone")
    publisher_ = made(log, max_pending=10)
    found = await asyncio.gather(
        *(publisher_.publish("p", NOW, {n: Part([item()], [])}) for n in range(3)), return_exceptions=True
    )
    assert [error.status for error in found if isinstance(error, ApiError)] == [503, 503, 503]
    assert "failed" in log.rounds
    log.error = None
    assert await publisher_.publish("p", NOW, {0: Part([item()], [])})
    with pytest.raises(ApiError, match="too many statements are waiting"):
        await publisher_.publish("p", NOW, {0: Part([item()] * 11, [])})
    with pytest.raises(ApiError, match="too large") as refused:
        await publisher_.publish("p", NOW, {0: Part([item(8 * 1024 * 1024)], [])})
    assert refused.value.status == 413


async def test_requests_that_go_together_take_their_ids_in_one_look_up_and_one_whose_id_is_taken_falls_out() -> None:
    log, free = Log(), Free()
    publisher_ = made(log, free=free)
    free.others.add(b"2" * 16)
    takings = [[(str(number).encode() * 16, number)] for number in range(4)]
    told = await asyncio.gather(
        *(publisher_.publish("p", NOW, {0: Part([item()], [])}, taking) for taking in takings), return_exceptions=True
    )
    assert free.rounds == [takings]
    assert [len(envelope.items) for _, envelope, _ in log.records] == [3]
    assert [isinstance(one, TakenError) for one in told] == [False, False, True, False]
    assert isinstance(told[2], TakenError)
    assert told[2].conflicts == [0]


async def test_nothing_is_published_when_all_requests_of_a_round_fall_out() -> None:
    log, free = Log(), Free()
    publisher_ = made(log, free=free)
    free.others.add(b"1" * 16)
    with pytest.raises(TakenError):
        await publisher_.publish("p", NOW, {0: Part([item()], [])}, [(b"1" * 16, 1)])
    assert not log.records
    await publisher_.publish("p", NOW, {0: Part([item()], [])}, [(b"3" * 16, 1)])
    assert len(log.records) == 1
