"""Reads by id of several requests at once: those that come while queries are under way share the next one.

In the store most of such a read is the query itself: eight ids in one cost 2.5 times what one costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Final

from ingest.reading.rows import AskedId, by_ids
from ingest.store import Store

AT_ONCE: Final = 2
"""Queries under way: so one slow answer does not hold up all others."""
MOST: Final = 64
"""Ids of one query."""


class ReadsById:
    """Statements by their ids; used in the event loop alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[AskedId, asyncio.Future[bytes | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, asked: AskedId) -> bytes | None:
        """JSON of a statement, None where there is none; raises what the store's client raises."""
        answer = self._waiting.get(asked)
        if answer is None:
            answer = self._waiting[asked] = asyncio.get_running_loop().create_future()
            if len(self._running) < AT_ONCE:
                task = asyncio.create_task(self._work())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        # One who goes away takes the answer from nobody else.
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        while self._waiting:
            taken = {one: self._waiting.pop(one) for one in list(self._waiting)[:MOST]}
            try:
                found = await self._store.run(partial(by_ids, asked=list(taken)))
            except Exception as error:
                _refuse(taken.values(), error)
            else:
                for asked, answer in taken.items():
                    if not answer.done():
                        answer.set_result(found.get(asked))


def _refuse(answers: Collection[asyncio.Future[bytes | None]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may be gone: then nobody looks at it
