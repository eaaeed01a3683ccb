"""Statements to another LRS, until each is there or is known to be refused for good."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import httpx

from infra.runtime.logging import get_logger
from ingest.attachments.multipart import mixed
from ingest.forwarding.rules import Verdict, retry_after, verdict, wait_seconds

log = get_logger(__name__)

FIRST_WAIT: Final = 0.5
POISON_ATTEMPTS: Final = 10
"""After so many answers of 500 it is believed that a statement is the cause, and not the moment."""
_TOLD_EVERY: Final = 10


class Outgoing(NamedTuple):
    """A statement on its way: id, JSON, attachments as (content type, hash, data), and when it was stored (µs)."""

    statement_id: str
    json: bytes
    parts: tuple[tuple[str, str, bytes], ...] = ()
    stored: int = 0


class Failure(NamedTuple):
    """Why a statement was given up; status 0: there was no answer."""

    statement_id: str
    attempts: int
    status: int
    message: str


class _Answer(NamedTuple):
    verdict: Verdict
    status: int
    message: str
    pause: float | None = None


class Listening:
    """What is told of a delivery; the default tells nobody."""

    async def taken(self, statements: Sequence[Outgoing], *, known: bool) -> None:
        """They are with the other LRS; ``known``: it had it already."""

    async def failed(self, failure: Failure) -> None:
        """A statement is given up."""

    def answered(self, status: int) -> None:
        """A request was answered; 0: it was not."""

    def waiting(self, *, waits: bool) -> None:
        """Whether the other LRS takes nothing at present."""


class Delivery:
    """Posts batches, one after the other; the caller may run several at once.

    ``attempts``: give up after so many in vain; None: an LRS that is away is waited for, for ever.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        listening: Listening,
        *,
        longest_wait: float,
        attempts: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = url
        self._listening = listening
        self._longest = longest_wait
        self._attempts = attempts
        self._sleep = sleep

    async def deliver(self, batch: Sequence[Outgoing]) -> None:
        """Return when each statement was told as taken or failed, in order.

        A batch that is refused is halved until the faulty ones stand alone: an LRS takes a batch whole or not at all.
        """
        if not batch:
            return
        answer, attempts = await self._settled(batch)
        if answer.verdict == "taken" or (answer.verdict == "known" and len(batch) == 1):
            await self._listening.taken(batch, known=answer.verdict == "known")
        elif len(batch) > 1:
            middle = len(batch) // 2
            await self.deliver(batch[:middle])
            await self.deliver(batch[middle:])
        else:
            await self._listening.failed(Failure(batch[0].statement_id, attempts, answer.status, answer.message))

    async def _settled(self, batch: Sequence[Outgoing]) -> tuple[_Answer, int]:
        attempts = poisoned = 0
        while True:
            answer = await self._post(batch)
            attempts += 1
            poisoned += answer.status == 500
            self._listening.answered(answer.status)
            self._listening.waiting(waits=answer.verdict == "later")
            given_up = poisoned >= POISON_ATTEMPTS or (self._attempts is not None and attempts >= self._attempts)
            if answer.verdict != "later" or given_up:
                return answer, attempts
            if attempts % _TOLD_EVERY == 1:
                log.warning(
                    "the other LRS takes nothing", url=self._url, status=answer.status, message=answer.message[:200]
                )
            wait = wait_seconds(attempts, FIRST_WAIT, self._longest, random.random())  # noqa: S311
            await self._sleep(wait if answer.pause is None else answer.pause)

    async def _post(self, batch: Sequence[Outgoing]) -> _Answer:
        body = b"[" + b",".join([one.json for one in batch]) + b"]"
        kind = "application/json"
        if parts := {part[1]: part for one in batch for part in one.parts}:
            body, kind = mixed(body, list(parts.values()))
        try:
            answer = await self._client.post(self._url, content=body, headers={"Content-Type": kind})
        except httpx.HTTPError as error:
            return _Answer("later", 0, f"{type(error).__name__}: {error}")
        pause = retry_after(answer.headers.get("retry-after", ""), self._longest)
        return _Answer(verdict(answer.status_code), answer.status_code, answer.text, pause)
