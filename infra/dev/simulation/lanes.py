"""A lane is one provider's way to the learning record store: one connection, batches in order, each until kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from infra.dev.posting import Answer, Connection
from infra.dev.simulation.report import Report, say
from infra.dev.simulation.timeline import Post

_SHOWN_REFUSALS: Final = 3
_TOO_LARGE: Final = 413


@dataclass(slots=True)
class Lane:
    """Posts what its provider tells, in batches of at most ``batch``; ``patience`` s are given to each request."""

    connection: Connection
    report: Report
    batch: int
    patience: float
    _pending: list[Post] = field(default_factory=list)
    _again: list[Post] = field(default_factory=list)
    _refused: list[bytes] = field(default_factory=list)
    _busy: bool = False
    _shown: int = 0

    async def post(self, posts: Sequence[Post]) -> None:
        """Post all, in order. Raises GaveUpError when the store does not take them."""
        for begin in range(0, len(posts), self.batch):
            chunk = posts[begin : begin + self.batch]
            self.report.posted += len(chunk)
            await self._send(chunk)

    async def post_again(self, posts: Sequence[Post]) -> None:
        """Post what was kept already, like a client that missed the answer."""
        self.report.duplicates += len(posts)
        await self._request(_body(posts))

    async def post_refused(self, statement: bytes) -> None:
        """Post a statement that should be refused."""
        self.report.posted += 1
        answer = await self._request(statement)
        if answer.status < 300:
            self.report.accepted += 1
        else:
            self.report.rejected += 1

    @property
    def idle(self) -> bool:
        """Whether all that was put in has been answered."""
        return not (self._busy or self._pending)

    def put(self, posts: Iterable[Post]) -> None:
        """Have these posted by ``run``."""
        self._pending += posts

    def put_again(self, posts: Iterable[Post]) -> None:
        """Have these posted once more by ``run``, after what is pending."""
        self._again += posts

    def put_refused(self, statement: bytes) -> None:
        """Have a statement that should be refused posted by ``run``."""
        self._refused.append(statement)

    async def run(self, pause: float) -> None:
        """Post what is put in, every ``pause`` s, until cancelled."""
        while True:
            while self._pending:
                chunk, self._pending = self._pending[: self.batch], self._pending[self.batch :]
                self._busy = True
                await self.post(chunk)
                self._busy = False
            if self._again:
                chunk, self._again = self._again, []
                await self.post_again(chunk)
            while self._refused:
                await self.post_refused(self._refused.pop())
            await asyncio.sleep(pause)

    async def _send(self, posts: Sequence[Post]) -> None:
        """Post one batch; one that is too large is sent in halves."""
        answer = await self._request(_body(posts))
        if answer.status < 300:
            self.report.accepted += len(posts)
            return
        if answer.status == _TOO_LARGE and len(posts) > 1:
            half = len(posts) // 2
            await self._send(posts[:half])
            await self._send(posts[half:])
            return
        self.report.rejected += len(posts)
        if self._shown < _SHOWN_REFUSALS:
            self._shown += 1
            say(f"{self.connection.key}: refused with {answer.status}: {answer.body[:300].decode(errors='replace')}")

    async def _request(self, body: bytes) -> Answer:
        before = self.connection.retried
        try:
            return await self.connection.post_until_kept(body, patience=self.patience)
        finally:
            self.report.retried += self.connection.retried - before


def _body(posts: Sequence[Post]) -> bytes:
    return b"[" + b",".join([post.body for post in posts]) + b"]"
