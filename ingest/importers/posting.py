"""Batches of statements through the ingest's own door, until each is accepted or refused for good."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from ingest.forwarding.rules import retry_after, verdict, wait_seconds

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


class PostingError(Exception):
    """The door cannot be used: the credential, the address, or no answer for too long; in words."""


class Refused(NamedTuple):
    """A statement that the door refused: its place in the batch, and why."""

    number: int
    status: int
    error: str
    faults: list[dict[str, Any]]


class _Body(msgspec.Struct):
    error: str = ""
    faults: list[dict[str, Any]] = []  # msgspec copies it
    faulty: list[int] = []


class Poster:
    """Posts to one LRS; what it says is told by ``waiting`` while it takes nothing. ``patience`` in seconds."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        patience: float,
        waiting: Callable[[str], None] = lambda words: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = url
        self._patience = patience
        self._waiting = waiting
        self._sleep = sleep
        self.quarantined = 0
        """Accepted statements that break a rule and wait to be mended: of a provider in quarantine."""

    async def post(self, statements: Sequence[bytes], version: str, *, whole: bool = False) -> list[Refused]:
        """Have all accepted but those that are returned, in order; with ``whole``, none where one is
        refused. Raises PostingError."""
        refused: list[Refused] = []
        await self._post(list(enumerate(statements)), version, refused, whole=whole)
        return sorted(refused)

    async def _post(
        self, statements: list[tuple[int, bytes]], version: str, refused: list[Refused], *, whole: bool
    ) -> None:
        if not statements:
            return
        answer = await self._answered(b"[" + b",".join([raw for _, raw in statements]) + b"]", version)
        if answer.is_success:
            told = answer.headers.get("x-roundtrip-quarantined", "")
            self.quarantined += int(told) if told.isdecimal() else 0
            return
        why = _told(answer)
        at_fault = {number for number in why.faulty if 0 <= number < len(statements)}
        if len(statements) == 1:
            refused.append(Refused(statements[0][0], answer.status_code, why.error, _from(why.faults, 0)))
            return
        reasons = {number: _from(why.faults, number) for number in at_fault}
        for number, faults in reasons.items():
            if faults:
                refused.append(Refused(statements[number][0], answer.status_code, why.error, faults))
        if whole and refused:
            return
        # Faults of a large batch are not all told: what is at fault for an untold reason is asked for by itself.
        untold = [statements[number] for number in sorted(at_fault) if not reasons[number]]
        others = [one for number, one in enumerate(statements) if number not in at_fault]
        if not at_fault:
            middle = len(statements) // 2
            untold, others = statements[:middle], statements[middle:]
            await self._post(untold, version, refused, whole=whole)
        else:
            for one in untold:
                await self._post([one], version, refused, whole=whole)
        if not (whole and refused):
            await self._post(others, version, refused, whole=whole)

    async def _answered(self, body: bytes, version: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", "X-Experience-API-Version": version}
        waited, attempts = 0.0, 0
        while True:
            attempts += 1
            pause, reason = None, ""
            try:
                answer = await self._client.post(self._url, content=body, headers=headers)
                if answer.status_code in (401, 403, 404, 405):
                    raise PostingError(
                        f"{self._url} answers {answer.status_code}: {_told(answer).error or answer.text}"
                    )
                if verdict(answer.status_code) != "later":
                    return answer
                pause = retry_after(answer.headers.get("retry-after", ""), _LONGEST_WAIT)
                reason = f"answers {answer.status_code}"
            except httpx.HTTPError as error:
                reason = f"does not answer ({type(error).__name__})"
            if pause is None:
                pause = wait_seconds(attempts, _FIRST_WAIT, _LONGEST_WAIT, random.random())  # noqa: S311
            if waited + pause > self._patience:
                raise PostingError(f"{self._url} {reason}, and took nothing for {waited:.0f} s")
            self._waiting(f"waiting: the door {reason}")
            waited += pause
            await self._sleep(pause)


def _told(answer: httpx.Response) -> _Body:
    try:
        return msgspec.json.decode(answer.content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Body(error=answer.text[:500])


def _from(faults: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Faults of one statement of a batch, with paths as if it had come alone."""
    begin = f"$[{number}]"
    found = []
    for one in faults:
        path = str(one.get("path", ""))
        if path == begin or path.startswith((f"{begin}.", f"{begin}[")):
            found.append({**one, "path": "$" + path.removeprefix(begin)})
    return found
