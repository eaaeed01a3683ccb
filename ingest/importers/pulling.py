"""Statements of another LRS, oldest first, page by page along its ``more`` links (Communication 2.1.3 and 2.2)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from ingest.forwarding.rules import retry_after, verdict, wait_seconds
from ingest.importers.sources import Found, Position, SourceError, found
from ingest.xapi.terms import VOIDED

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_AGAIN: Final = timedelta(seconds=1)
_GONE: Final = frozenset({400, 404, 410})


class _Page(msgspec.Struct):
    statements: list[msgspec.Raw]
    more: str | None = None


class _Verb(msgspec.Struct, frozen=True):
    id: str = ""


class _Object(msgspec.Struct, frozen=True):
    id: str = ""


class _Statement(msgspec.Struct):
    id: str = ""
    stored: str = ""
    verb: _Verb = _Verb()
    object: _Object = _Object()


class Pages:
    """Another LRS; ``done`` counts statements, and how many there are nobody tells. ``patience`` in seconds."""

    def __init__(self, client: httpx.AsyncClient, endpoint: str, *, limit: int, patience: float) -> None:
        self._client = client
        self._url = endpoint.rstrip("/").removesuffix("/statements") + "/statements"
        self._limit = limit
        self._patience = patience
        self.done = 0
        self.total = 0

    async def read(self, since: Position) -> AsyncGenerator[Found, None]:
        """Statements from a position on; raises SourceError."""
        if since == Position(stored=since.stored) and since.stored:
            return  # the last page was read to its end
        link, last = since.more or self._from(since.stored), since.stored
        resumed = bool(since.more)
        while link:
            answer = await self._get(link)
            if answer.status_code in _GONE and resumed and last:
                # Links do not live for ever: a second is read again, and what comes twice is accepted once.
                link, since, resumed = self._from(last), Position(stored=last), False
                continue
            resumed = False
            if answer.status_code != 200:
                raise SourceError(f"{link} answers {answer.status_code}: {answer.text[:300]}")
            try:
                page = msgspec.json.decode(answer.content, type=_Page)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise SourceError(f"{link} answers no StatementResult: {error}") from None
            more = urljoin(self._url, page.more) if page.more else ""
            if more and urlsplit(more)[:2] != urlsplit(self._url)[:2]:
                raise SourceError(f"the LRS leads to another host, which gets no credential: {more[:200]}")
            count = len(page.statements)
            for number, raw in enumerate(page.statements, 1):
                if number <= since.skip:
                    continue
                known = _known(bytes(raw))
                last = known.stored or last
                if known.verb.id == VOIDED and (voided := await self._voided(known.object.id)):
                    before = Position(more=link, stored=since.stored, skip=number - 1)
                    yield found(voided, self._url, f"voided statement {known.object.id}", before)
                after = Position(more=link, stored=since.stored, skip=number)
                if number == count:
                    after = Position(more=more, stored=last)
                yield found(bytes(raw), self._url, f"statement {known.id}", after)
                self.done += 1
            link, since = more, Position(more=more, stored=last)

    async def _voided(self, statement_id: str) -> bytes | None:
        """A voided statement: pages leave it out (Data 2.3.2)."""
        answer = await self._get(f"{self._url}?{httpx.QueryParams(voidedStatementId=statement_id)}")
        return answer.content if answer.status_code == 200 else None

    def _from(self, stored: str) -> str:
        parameters = {"ascending": "true", "limit": str(self._limit)}
        if stored:
            parameters["since"] = (datetime.fromisoformat(stored) - _AGAIN).isoformat()
        return f"{self._url}?{httpx.QueryParams(parameters)}"

    async def _get(self, link: str) -> httpx.Response:
        waited, attempts, reason = 0.0, 0, ""
        while True:
            attempts += 1
            pause = None
            try:
                answer = await self._client.get(link)
                if answer.status_code in (401, 403, 404) or verdict(answer.status_code) != "later":
                    return answer
                pause = retry_after(answer.headers.get("retry-after", ""), _LONGEST_WAIT)
                reason = f"status {answer.status_code}"
            except httpx.HTTPError as error:
                reason = repr(error)
            if pause is None:
                pause = wait_seconds(attempts, _FIRST_WAIT, _LONGEST_WAIT, random.random())  # noqa: S311
            if waited + pause > self._patience:
                raise SourceError(f"{link} does not answer: {reason}")
            waited += pause
            await asyncio.sleep(pause)


def _known(raw: bytes) -> _Statement:
    try:
        return msgspec.json.decode(raw, type=_Statement)
    except msgspec.ValidationError:
        return _Statement()
