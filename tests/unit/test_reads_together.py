"""Reads by id that come while queries are under way share the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from ingest.reading import together
from ingest.reading.agents import AgentReader, Kept
from ingest.reading.rows import AskedId
from ingest.reading.together import AT_ONCE, ReadsById
from ingest.store import Store


class HeldStore:
    """Answers a query when told to: with the id itself for all but those that are missing."""

    def __init__(self) -> None:
        self.queries: list[tuple[list[AskedId], asyncio.Future[dict[AskedId, Kept]]]] = []

    def run(self, query: Callable[..., Any]) -> asyncio.Future[dict[AskedId, Kept]]:
        asked = cast("partial[Any]", query).keywords["asked"]
        answer: asyncio.Future[dict[AskedId, Kept]] = asyncio.get_running_loop().create_future()
        self.queries.append((asked, answer))
        return answer

    async def asked_for(self, number: int) -> list[str]:
        """Ids of a query, once it is asked: it may have waited a moment for others."""
        deadline = time.monotonic() + 10
        while len(self.queries) <= number:
            assert time.monotonic() < deadline, "nothing is asked"
            await asyncio.sleep(0.001)
        return [one.statement_id for one in self.queries[number][0]]

    def answer(self, number: int) -> None:
        asked, answer = self.queries[number]
        answer.set_result({one: kept(one.statement_id) for one in asked if one.statement_id != "missing"})


def kept(name: str) -> Kept:
    return Kept(name.encode(), {})


def reads_of(store: HeldStore) -> ReadsById:
    return ReadsById(cast(Store, store), cast(AgentReader, None))


def asked(name: str) -> AskedId:
    return AskedId(name, "p1", voided=False)


async def reading(reads: ReadsById, *names: str) -> list[asyncio.Task[Kept | None]]:
    tasks = [asyncio.create_task(reads.get(asked(name))) for name in names]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_reads_that_wait_share_one_query_and_each_gets_its_own_statement():
    store = HeldStore()
    reads = reads_of(store)
    [first] = await reading(reads, "a")
    waiting = await reading(reads, "b", "missing", "c", "b")
    assert len(store.queries) == 1
    store.answer(0)
    assert await first == kept("a")
    assert await store.asked_for(1) == ["b", "missing", "c"]
    store.answer(1)
    assert await asyncio.gather(*waiting) == [kept("b"), None, kept("c"), kept("b")]


async def test_a_slow_query_holds_up_nobody_who_comes_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(together, "SLOW_SECONDS", -1.0)
    store = HeldStore()
    reads = reads_of(store)
    slow = [task for name in ("a", "b") for task in await reading(reads, name)]
    assert len(store.queries) == AT_ONCE
    [waiting] = await reading(reads, "c")
    assert len(store.queries) == AT_ONCE
    store.answer(1)
    assert await slow[1] == kept("b")
    assert await store.asked_for(2) == ["c"]
    store.answer(2)
    assert await waiting == kept("c")
    store.answer(0)
    assert await slow[0] == kept("a")


async def test_a_read_that_comes_while_its_statement_is_looked_for_is_looked_for_again():
    """What was accepted in between would not be in the answer under way."""
    store = HeldStore()
    reads = reads_of(store)
    [before] = await reading(reads, "a")
    [after] = await reading(reads, "a")
    store.queries[0][1].set_result({})
    assert await before is None
    assert await store.asked_for(1) == ["a"]
    store.answer(1)
    assert await after == kept("a")


async def test_a_query_that_fails_is_told_to_all_who_wait_for_it_and_to_nobody_else():
    store = HeldStore()
    reads = reads_of(store)
    [alone] = await reading(reads, "a")
    failing = await reading(reads, "b", "c")
    store.answer(0)
    assert await alone == kept("a")
    assert await store.asked_for(1) == ["b", "c"]
    [waiting] = await reading(reads, "d")
    failing[1].cancel()
    store.queries[1][1].set_exception(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await failing[0]
    with pytest.raises(asyncio.CancelledError):
        await failing[1]
    assert await store.asked_for(2) == ["d"]
    store.answer(2)
    assert await waiting == kept("d")


async def test_a_crowd_that_was_answered_together_is_waited_for_and_asks_together_again(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(together, "GATHER_SECONDS", 600.0)
    store = HeldStore()
    reads = reads_of(store)
    [first] = await reading(reads, "a")
    crowd = await reading(reads, "b", "c")
    store.answer(0)
    await first
    [again] = await reading(reads, "d")
    # Three of whom the store knows: the one that was answered, and two that waited.
    assert await store.asked_for(1) == ["b", "c", "d"]
    store.answer(1)
    await asyncio.gather(*crowd, again)
    early = await reading(reads, "e", "f")
    assert len(store.queries) == 2
    [last] = await reading(reads, "g")
    assert await store.asked_for(2) == ["e", "f", "g"]
    store.answer(2)
    assert await asyncio.gather(*early, last) == [kept("e"), kept("f"), kept("g")]


async def test_who_reads_alone_waits_for_nobody_and_a_crowd_that_is_gone_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
):
    store = HeldStore()
    reads = reads_of(store)
    tasks = await reading(reads, "a")
    tasks += await reading(reads, "b", "c")
    for number in (0, 1):
        await store.asked_for(number)
        store.answer(number)
    await asyncio.gather(*tasks)
    [alone] = await reading(reads, "d")
    assert await store.asked_for(2) == ["d"]
    store.answer(2)
    assert await alone == kept("d")
    monkeypatch.setattr(together, "GATHER_SECONDS", 600.0)
    for number, name in ((3, "e"), (4, "f")):
        [alone] = await reading(reads, name)
        assert await store.asked_for(number) == [name]
        store.answer(number)
        assert await alone == kept(name)
