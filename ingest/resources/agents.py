"""The agents resource (Communication 2.4): a Person with all that one identifier was sent with.

Identifiers that belong to the same student are not told of each other: that link is a school's knowledge.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from ingest.credentials import Credential
from ingest.errors import retry_after
from ingest.http import JSON, Answer, Exchange, misused
from ingest.reading.agents import AgentReader
from ingest.resources.asking import agent_of
from ingest.resources.base import Door, Handler, Resource
from ingest.xapi import merging
from ingest.xapi.parse import ENCODER

_PARAMETERS: Final = frozenset({"agent"})


class Agents(Resource):
    """/xapi/agents."""

    scopes = MappingProxyType({"GET": "statements/read/mine"})

    def __init__(self, door: Door, agents: AgentReader) -> None:
        super().__init__(door)
        self._agents = agents

    def methods(self) -> dict[str, Handler]:
        return {"GET": self._get, "HEAD": self._get}

    async def _get(self, exchange: Exchange, by: Credential, _version: str) -> Answer:
        text = exchange.parameters(_PARAMETERS).get("agent")
        if text is None:
            raise misused("agent", "GET needs the parameter agent, an agent as JSON")
        asked = agent_of(text)
        if asked.get("objectType", "Agent") != "Agent":
            raise misused("agent", "the parameter agent is a group: a Person is told of an agent")
        try:
            known = [] if by.sandbox else await self._agents.run(partial(self._variants, asked))
        except SQLAlchemyError:
            raise retry_after(503, "the registry does not answer: try again", 2) from None
        return 200, ENCODER.encode(merging.person([asked, *known])), [JSON]

    def _variants(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        identity = self._agents.identity_of(asked)
        return [] if identity is None else self._agents.variants(identity)
