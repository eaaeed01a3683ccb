"""Which statements a listener gets, and their agents put back: decided once for all listeners together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from ingest.identity.matching import identifier
from ingest.xapi.agents import exact, members
from ingest.xapi.matching import Wanted, matches
from ingest.xapi.parse import DECODER, ENCODER
from schemas.events import Item

PutBack = Callable[[list[bytes]], Awaitable[list[dict[str, Any]]]]
"""Statements with their agents instead of keys."""


class Asked(msgspec.Struct, frozen=True):
    """What a listener asks for.

    ``provider_id``: whose statements it may see, empty for everyone's. ``agent``: kind and value of the identifier that
    an agent must have; None for any agent.
    """

    provider_id: str = ""
    wanted: Wanted = Wanted()
    agent: tuple[str, str] | None = None

    def may_want(self, provider_id: str, statement: dict[str, Any]) -> bool:
        """All that can be told while the agents are keys."""
        return self.provider_id in ("", provider_id) and matches(statement, self.wanted)

    def wants(self, statement: dict[str, Any]) -> bool:
        """The rest, with agents put back."""
        return self.agent is None or matches(statement, self.wanted, self._is_agent)

    def _is_agent(self, place: Any) -> bool:
        return identifier(place, exact(place)) == self.agent or any(self._is_agent(one) for one in members(place))


class Chosen(NamedTuple):
    """A statement as JSON, its index in the envelope, and the numbers of those who want it."""

    idx: int
    json: bytes
    takers: tuple[int, ...]


async def choose(items: Sequence[tuple[int, Item]], asked: Sequence[Asked], put_back: PutBack) -> list[Chosen]:
    """The statements that somebody wants, in order; raises what ``put_back`` raises."""
    everyone = any(not one.provider_id for one in asked)
    providers = {one.provider_id for one in asked}
    some: list[tuple[int, bytes, list[int]]] = []
    for idx, item in items:
        if everyone or item.provider_id in providers:
            statement = DECODER.decode(item.statement)
            takers = [number for number, one in enumerate(asked) if one.may_want(item.provider_id, statement)]
            if takers:
                some.append((idx, item.statement, takers))
    if not some:
        return []
    chosen = []
    told = await put_back([one for _, one, _ in some])
    for (idx, _, takers), statement in zip(some, told, strict=True):
        if left := tuple(number for number in takers if asked[number].wants(statement)):
            chosen.append(Chosen(idx, ENCODER.encode(statement), left))
    return chosen
