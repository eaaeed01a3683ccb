"""Statements of sandbox credentials, in the registry alone: no log, no student and no count knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ingest.credentials import Credential
from ingest.duplicates.conflicts import conflict
from ingest.errors import retry_after
from ingest.identifiers import StatementIds
from ingest.xapi.matching import IsAgent, Wanted, matches
from ingest.xapi.parse import DECODER, ENCODER
from ingest.xapi.stamp import Stamp, stamp
from ingest.xapi.terms import VOIDED
from ingest.xapi.version import statement_version
from schemas.registry.lrs import sandboxed

T_ = TypeVar("T_")

_TRIMMED_EVERY: Final = 200
_AT_ONCE: Final = 500


class Row(NamedTuple):
    """A statement of a page; ``stored`` in µs."""

    statement_id: str
    stored: int
    statement: dict[str, Any]


class Page(NamedTuple):
    """What a page is asked for: times in µs, since exclusive, until inclusive; ``after``: the last one of the page
    before."""

    wanted: Wanted
    is_agent: IsAgent | None
    limit: int
    ascending: bool = False
    since: int | None = None
    until: int | None = None
    after: tuple[int, str] | None = None


class Sandbox:
    """The newest statements of each provider's sandbox credentials. Raises ApiError 503 without a registry."""

    def __init__(self, engine: Engine, clock: Callable[[], int], most: int, home_page: str) -> None:
        self._engine = engine
        self._clock = clock
        self._most = most
        self._home_page = home_page
        self._ids = StatementIds()
        self._written = 0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sandbox")

    def close(self) -> None:
        """Release the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def accept(self, statements: list[dict[str, Any]], by: Credential, version: str) -> list[str]:
        """Keep valid statements, whole or not at all; their ids. They are used up.

        An equal repetition changes nothing; raises ApiError 409 for other content under an id that is known.
        """
        return await self._run(partial(self._accept, statements, by, version), len(statements))

    async def one(self, provider_id: str, statement_id: str, *, voided: bool) -> dict[str, Any] | None:
        """A statement that is voided, or is not (Data 2.3.2); None where there is none."""
        return await self._run(partial(self._one, provider_id, statement_id.lower(), voided=voided))

    async def page(self, provider_id: str, asked: Page) -> list[Row]:
        """Statements that match and are not voided, one more than the limit where there are more."""
        return await self._run(partial(self._page, provider_id, asked))

    async def _run(self, call: Callable[[], T_], statements: int = 0) -> T_:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except SQLAlchemyError:
            raise retry_after(503, "the registry does not answer: try again", 2, statements=statements) from None

    def _accept(self, statements: list[dict[str, Any]], by: Credential, version: str) -> list[str]:
        stored = self._clock()
        authority = {"objectType": "Agent", "account": {"homePage": self._home_page, "name": by.provider_id}}
        rows: dict[str, dict[str, Any]] = {}
        ids = []
        for one in statements:
            stamped = stamp(one, self._ids.new(), Stamp(stored, "", statement_version(version)))
            ids.append(stamped.statement_id)
            rows[stamped.statement_id] = {
                "provider_id": by.provider_id,
                "statement_id": stamped.statement_id,
                "stored": stored,
                "digest": stamped.digest,
                "statement": ENCODER.encode({**DECODER.decode(stamped.json), "authority": authority}).decode(),
            }
        try:
            self._insert(rows, by.provider_id)
        except IntegrityError:
            # Another process took one of the ids meanwhile: now it is there to be compared with.
            self._insert(rows, by.provider_id)
        return ids

    def _insert(self, rows: dict[str, dict[str, Any]], provider_id: str) -> None:
        with self._engine.begin() as connection:
            known = dict(self._digests(connection, provider_id, list(rows)))
            others = [
                index for index, (key, row) in enumerate(rows.items()) if known.get(key, row["digest"]) != row["digest"]
            ]
            if others:
                raise conflict(list(rows), others, single=len(rows) == 1)
            if new := [row for statement_id, row in rows.items() if statement_id not in known]:
                connection.execute(insert(sandboxed), new)
            self._written += len(new)
            if self._written >= _TRIMMED_EVERY:
                self._written = 0
                self._trim(connection, provider_id)

    def _digests(self, connection: Connection, provider_id: str, ids: list[str]) -> Iterator[tuple[str, int]]:
        own = sandboxed.c
        for first in range(0, len(ids), _AT_ONCE):
            some = own.statement_id.in_(ids[first : first + _AT_ONCE])
            query = select(own.statement_id, own.digest).where(own.provider_id == provider_id, some)
            yield from ((row[0], row[1]) for row in connection.execute(query))

    def _trim(self, connection: Connection, provider_id: str) -> None:
        own = sandboxed.c
        newest = select(own.stored).where(own.provider_id == provider_id).order_by(own.stored.desc())
        last = connection.execute(newest.offset(self._most).limit(1)).scalar()
        if last is not None:
            connection.execute(delete(sandboxed).where(own.provider_id == provider_id, own.stored <= last))

    def _one(self, provider_id: str, statement_id: str, *, voided: bool) -> dict[str, Any] | None:
        own = sandboxed.c
        query = select(own.statement).where(own.provider_id == provider_id, own.statement_id == statement_id)
        with self._engine.connect() as connection:
            text = connection.execute(query).scalar()
            if text is None:
                return None
            voiding = select(own.statement).where(
                own.provider_id == provider_id, own.statement.contains(statement_id, autoescape=True)
            )
            targets = {
                target for one in connection.execute(voiding).scalars() if (target := _voids(DECODER.decode(one)))
            }
        found: dict[str, Any] = DECODER.decode(text)
        # A voiding statement cannot be voided itself.
        is_voided = statement_id in targets and not _voids(found)
        return found if is_voided == voided else None

    def _page(self, provider_id: str, asked: Page) -> list[Row]:
        own = sandboxed.c
        query = select(own.statement_id, own.stored, own.statement).where(own.provider_id == provider_id)
        with self._engine.connect() as connection:
            rows = [Row(key, at, DECODER.decode(text)) for key, at, text in connection.execute(query)]
        by_id = {row.statement_id: row.statement for row in rows}
        voided = {target for row in rows if (target := _voids(row.statement))}
        rows.sort(key=lambda row: (row.stored, row.statement_id), reverse=not asked.ascending)
        found: list[Row] = []
        for row in rows:
            if row.statement_id in voided and not _voids(row.statement):
                continue
            if _in_time(row, asked) and _through_references(row.statement, asked, by_id):
                found.append(row)
            if len(found) > asked.limit:
                break
        return found


def _voids(statement: Mapping[str, Any]) -> str:
    """Id of the statement that one voids; empty where it voids none."""
    return str(statement["object"]["id"]).lower() if statement["verb"]["id"] == VOIDED else ""


def _in_time(row: Row, asked: Page) -> bool:
    if asked.after is not None:
        place = row.stored, row.statement_id
        if place <= asked.after if asked.ascending else place >= asked.after:
            return False
    return (asked.since is None or row.stored > asked.since) and (asked.until is None or row.stored <= asked.until)


def _through_references(statement: dict[str, Any], asked: Page, by_id: Mapping[str, dict[str, Any]]) -> bool:
    """Whether a statement matches, or one that it refers to, however far (Communication 2.1.3)."""
    seen: set[str] = set()
    current: dict[str, Any] | None = statement
    while current is not None:
        if matches(current, asked.wanted, asked.is_agent):
            return True
        target = current["object"]
        key = str(target.get("id", "")).lower() if target.get("objectType") == "StatementRef" else ""
        current = by_id.get(key) if key and key not in seen else None
        seen.add(key)
    return False
