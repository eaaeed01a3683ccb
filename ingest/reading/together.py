"""Reads by id of several requests at once: those that come while one is under way share the next one.

In store, registry and client most of such a read is the asking itself: eight ids cost the store 1.5 times one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final

from clickhouse_connect.driver.client import Client

from ingest.reading.agents import AgentReader, Kept
from ingest.reading.rows import AskedId, by_ids
from ingest.store import Store

AT_ONCE: Final = 2
"""Queries under way at most."""
SLOW_SECONDS: Final = 0.1
"""A query that takes longer does not hold up all others: another one is begun."""
MOST: Final = 64
"""Ids of one query."""
GATHER_SECONDS: Final = 0.002
"""Those who were answered together ask again at about the same time: so long a query waits for as many as came last."""


class ReadsById:
    """Statements by their ids; used in the event loop alone."""

    def __init__(self, store: Store, agents: AgentReader) -> None:
        self._store = store
        self._agents = agents
        self._waiting: dict[AskedId, asyncio.Future[Kept | None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._began = 0.0
        self._crowd = 0
        self._enough = asyncio.Event()

    async def get(self, asked: AskedId) -> Kept | None:
        """A statement, None where there is none; raises what the store's client and the registry raise."""
        answer = self._waiting.get(asked)
        if answer is None:
            answer = self._waiting[asked] = asyncio.get_running_loop().create_future()
            if len(self._waiting) >= self._crowd:
                self._enough.set()
            slow = time.monotonic() - self._began > SLOW_SECONDS
            if not self._running or (slow and len(self._running) < AT_ONCE):
                self._began = time.monotonic()
                task = asyncio.create_task(self._work())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        # One who goes away takes the answer from nobody else.
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        while self._waiting:
            await self._gather()
            taken = {one: self._waiting.pop(one) for one in list(self._waiting)[:MOST]}
            if not taken:  # another query took them meanwhile
                break
            self._began = time.monotonic()
            try:
                found = await self._store.run(partial(self._read, asked=list(taken)))
            except Exception as error:
                _refuse(taken.values(), error)
            else:
                for asked, answer in taken.items():
                    if not answer.done():
                        answer.set_result(found.get(asked))
            self._crowd = min(len(taken) + len(self._waiting), MOST)

    async def _gather(self) -> None:
        """Wait a moment for as many as there were last; who reads alone waits for nobody."""
        if len(self._waiting) < self._crowd:
            self._enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._enough.wait()

    def _read(self, client: Client, asked: list[AskedId]) -> dict[AskedId, Kept]:
        found = by_ids(client, asked)
        return dict(zip(found, self._agents.with_agents(found.values()), strict=True))


def _refuse(answers: Collection[asyncio.Future[Kept | None]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may be gone: then nobody looks at it
