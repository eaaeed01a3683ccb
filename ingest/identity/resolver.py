"""Agents to keys and students: a bounded cache over the registry; misses of many requests make one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.logging import get_logger
from ingest.errors import ApiError, retry_after
from ingest.identity.matching import digest, identifier
from ingest.identity.store import Found, Wanted, changed_links, find_or_make
from ingest.xapi.agents import exact, members

log = get_logger(__name__)

_Waiting = tuple[dict[bytes, "Request"], "asyncio.Future[dict[bytes, Known]]"]

_OVERLAP_US: Final = 60_000_000
"""How far back links are read again: a transaction that began earlier may end later."""


class Identity:
    """One identity; shared by all its variants, so that a new link reaches them all."""

    __slots__ = ("__weakref__", "identity_id", "student_id")

    def __init__(self, identity_id: str, student_id: str | None) -> None:
        self.identity_id = identity_id
        self.student_id = student_id


class Known(msgspec.Struct, frozen=True, gc=False):
    """A resolved agent or group: the key it is kept under, its identity, and the identities of a group's members."""

    key: str
    identity: Identity
    members: tuple[Identity, ...]

    def students(self) -> list[str | None]:
        """Who is credited with what it does: the agent's student, or those of the members, each once."""
        if not self.members:
            return [self.identity.student_id]
        return list(dict.fromkeys(one.student_id for one in self.members))


class Request(msgspec.Struct, gc=False):
    """An agent to resolve: its JSON, and whether it acts, so that a student must stand behind it."""

    agent: dict[str, Any]
    acting: bool


class Resolver:
    """Resolves agents. One asyncio loop uses it; the registry is read and written in one thread of its own."""

    def __init__(
        self, engine: Engine, clock: Callable[[], int], timeout_seconds: float, capacity: int = 400_000
    ) -> None:
        """``clock`` gives µs since the epoch; ``capacity`` bounds the agents kept in memory."""
        self._timeout = timeout_seconds
        self._engine = engine
        self._clock = clock
        self._capacity = capacity
        self._known: dict[bytes, Known] = {}
        self._identities: WeakValueDictionary[str, Identity] = WeakValueDictionary()
        self._waiting: list[_Waiting] = []
        self._loader: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="identity")
        self._links_seen = 0

    def cached(self, agent: bytes, *, acting: bool) -> Known | None:
        """What is known of an agent's exact JSON without asking the registry."""
        known = self._known.get(agent)
        if known is not None and acting and None in known.students():
            return None
        return known

    async def resolve(self, wanted: dict[bytes, Request]) -> dict[bytes, Known]:
        """Ask the registry, making what is new. Raises ApiError 503 when it does not answer, or not in time."""
        future: asyncio.Future[dict[bytes, Known]] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        if self._loader is None:
            self._loader = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            raise _away() from None

    async def refresh_links(self) -> None:
        """Take over links that changed in the registry. Raises SQLAlchemyError."""
        changed = await asyncio.get_running_loop().run_in_executor(self._thread, self._changed)
        for identity_id, student_id, at in changed:
            self._links_seen = max(self._links_seen, at)
            if identity := self._identities.get(identity_id):
                identity.student_id = student_id

    def close(self) -> None:
        """Release the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _changed(self) -> list[tuple[str, str | None, int]]:
        with self._engine.connect() as connection:
            return list(changed_links(connection, self._links_seen - _OVERLAP_US))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                wanted: dict[bytes, Request] = {}
                for one, _ in taken:
                    for agent, request in one.items():
                        earlier = wanted.get(agent)
                        wanted[agent] = request if earlier is None or request.acting else earlier
                try:
                    loaded = await loop.run_in_executor(self._thread, self._load, wanted)
                except Exception as error:
                    self._fail(taken, error)
                    continue
                known = {agent: self._keep(agent, own, inner) for agent, (own, inner) in loaded.items()}
                for _, future in taken:
                    if not future.done():
                        future.set_result(known)
        finally:
            self._loader = None

    def _fail(self, taken: list[_Waiting], error: Exception) -> None:
        log.warning("agents could not be resolved", error=type(error).__name__)
        for _, future in taken:
            if not future.done():
                away = isinstance(error, SQLAlchemyError)
                future.set_exception(_away() if away else error)

    def _load(self, wanted: dict[bytes, Request]) -> dict[bytes, tuple[Found, list[Found]]]:
        """In the thread: members first, since a group is kept with its members' keys."""
        now = self._clock()
        inner: dict[bytes, Request] = {}
        for request in wanted.values():
            for member in members(request.agent):
                agent = exact(member)
                acting = request.acting or (agent in inner and inner[agent].acting)
                inner[agent] = Request(member, acting)
        found_members = self._find({agent: (agent, one) for agent, one in inner.items()}, now) if inner else {}
        outer = {}
        for agent, request in wanted.items():
            if inside := members(request.agent):
                kept = {**request.agent, "member": [found_members[exact(one)].agent_key for one in inside]}
                # The members are credited: the group needs a student of its own only where it has none.
                outer[agent] = (exact(kept), Request(kept, False))
            else:
                outer[agent] = (agent, request)
        found = self._find(outer, now)
        return {
            agent: (found[agent], [found_members[exact(one)] for one in members(wanted[agent].agent)])
            for agent in wanted
        }

    def _find(self, wanted: dict[bytes, tuple[bytes, Request]], now: int) -> dict[bytes, Found]:
        digests = {agent: digest(kept) for agent, (kept, _) in wanted.items()}
        found = find_or_make(
            self._engine,
            [
                Wanted(*identifier(request.agent, kept), digests[agent], kept, request.acting)
                for agent, (kept, request) in wanted.items()
            ],
            now,
        )
        return {agent: found[digests[agent]] for agent in wanted}

    def _keep(self, agent: bytes, own: Found, inner: list[Found]) -> Known:
        if len(self._known) >= self._capacity:
            for oldest in list(islice(self._known, self._capacity // 4)):
                del self._known[oldest]
        known = Known(own.agent_key, self._identity(own), tuple(self._identity(one) for one in inner))
        self._known[agent] = known
        return known

    def _identity(self, found: Found) -> Identity:
        identity = self._identities.get(found.identity_id)
        if identity is None:
            identity = self._identities[found.identity_id] = Identity(found.identity_id, found.student_id)
        elif found.student_id is not None:
            identity.student_id = found.student_id
        return identity


def _away() -> ApiError:
    return retry_after(503, "the registry does not answer: try again", 2)
