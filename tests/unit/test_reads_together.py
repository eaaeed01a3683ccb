"""Reads by id that come while queries are under way share the next one."""

from __future__ import annotations

import asyncio
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
    await asyncio.sleep(0)
    assert [one.statement_id for one in store.queries[1][0]] == ["b", "missing", "c"]
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
    await asyncio.sleep(0)
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
    await asyncio.sleep(0)
    store.answer(1)
    assert await after == kept("a")


async def test_a_query_that_fails_is_told_to_all_who_wait_for_it_and_to_nobody_else():
    store = HeldStore()
    reads = reads_of(store)
    [alone] = await reading(reads, "a")
    failing = await reading(reads, "b", "c")
    store.answer(0)
    assert await alone == kept("a")
    await asyncio.sleep(0)
    [waiting] = await reading(reads, "d")
    failing[1].cancel()
    store.queries[1][1].set_exception(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await failing[0]
    with pytest.raises(asyncio.CancelledError):
        await failing[1]
    await asyncio.sleep(0)
    store.answer(2)
    assert await waiting == kept("d")
