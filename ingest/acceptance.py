"""From the values of a body to acknowledged statements: identities, stamps, verbs and skills, partitions, the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingest.catalogue import Catalogue
from ingest.credentials import Credential
from ingest.identifiers import StatementIds
from ingest.identity.resolver import Known, Request, Resolver
from ingest.minutes import Minutes
from ingest.progress import Progress
from ingest.publisher import Publisher
from ingest.xapi.agents import Slot, exact, slots
from ingest.xapi.stamp import Stamp, stamp
from ingest.xapi.version import statement_version
from schemas.events import CREDIT, ID_GENERATED, TIMESTAMP_GENERATED, Item
from schemas.partitioning import partition_of

Statement = dict[str, Any]


class Acceptance:
    """Accepts valid statements. ``catalogue`` is replaced by whoever refreshes it."""

    def __init__(
        self,
        resolver: Resolver,
        publisher: Publisher,
        minutes: Minutes,
        progress: Progress,
        clock: Callable[[], int],
        *,
        partitions: int,
        authority_home_page: str,
    ) -> None:
        self.catalogue = Catalogue()
        self._resolver = resolver
        self._publisher = publisher
        self._minutes = minutes
        self._progress = progress
        self._clock = clock
        self._partitions = partitions
        self._home_page = authority_home_page
        self._ids = StatementIds()
        self._authorities: dict[str, tuple[bytes, Request]] = {}

    async def accept(self, statements: list[Statement], by: Credential, version: str) -> list[str]:
        """Publish valid statements, whole or not at all; their ids once Kafka has acknowledged them.

        The statements are used up. Raises ApiError 503 when registry or log do not answer, 413 for what the log
        cannot take.
        """
        for statement in statements:
            statement.pop("authority", None)
        places = [slots(statement) for statement in statements]
        authority, resolved = await self._resolve(places, by.provider_id)
        stored = self._clock()
        stamp_of_all = Stamp(stored, authority, statement_version(version))
        items: dict[int, list[Item]] = {}
        ids = []
        for statement, own in zip(statements, resolved, strict=True):
            ids.append(self._add_items(items, statement, own.students(), by.provider_id, stamp_of_all))
        if not ids:
            return ids
        offsets = await self._publisher.publish(items)
        self._minutes.accepted(by.provider_id, stored, len(ids))
        self._progress.acknowledged(by.key, offsets)
        return ids

    async def _resolve(self, places: list[list[Slot]], provider_id: str) -> tuple[str, list[Known]]:
        """Swap all agents for keys; the authority's key, and each statement's actor."""
        cached = self._resolver.cached
        authority, authority_request = self._authority(provider_id)
        agents: list[list[bytes]] = []
        missing: dict[bytes, Request] = {}
        if cached(authority, acting=False) is None:
            missing[authority] = authority_request
        for own in places:
            ours = []
            for number, (holder, name) in enumerate(own):
                agent = exact(holder[name])
                ours.append(agent)
                # The first place is the statement's own actor: what it does is credited to a student.
                if cached(agent, acting=not number) is None:
                    acting = not number or (agent in missing and missing[agent].acting)
                    missing[agent] = Request(holder[name], acting)
            agents.append(ours)
        found = await self._resolver.resolve(missing) if missing else {}
        actors = []
        for own, ours in zip(places, agents, strict=True):
            known = [found.get(agent) or self._known(agent) for agent in ours]
            for (holder, name), one in zip(own, known, strict=True):
                holder[name] = one.key
            actors.append(known[0])
        return (found.get(authority) or self._known(authority)).key, actors

    def _known(self, agent: bytes) -> Known:
        known = self._resolver.cached(agent, acting=False)
        assert known is not None, "looked up above"
        return known

    def _authority(self, provider_id: str) -> tuple[bytes, Request]:
        """The authority of what a provider sends (Data 2.4.9): an account of this LRS."""
        made = self._authorities.get(provider_id)
        if made is None:
            agent = {"objectType": "Agent", "account": {"homePage": self._home_page, "name": provider_id}}
            made = self._authorities[provider_id] = (exact(agent), Request(agent, False))
        return made

    def _add_items(
        self,
        items: dict[int, list[Item]],
        statement: Statement,
        students: list[str | None],
        provider_id: str,
        stamp_of_all: Stamp,
    ) -> str:
        """One item for each credited student, the first of them primary; the statement's id."""
        catalogue = self.catalogue
        verb = catalogue.verb(provider_id, statement["verb"]["id"])
        skills = catalogue.skills_of(provider_id, statement)
        stamped = stamp(statement, self._ids.new() if "id" not in statement else "", stamp_of_all)
        flags = ID_GENERATED * stamped.id_generated + TIMESTAMP_GENERATED * stamped.timestamp_generated
        for number, student_id in enumerate(students):
            assert student_id is not None, "the resolver gives each actor a student"
            partition = partition_of(student_id, self._partitions)
            item = Item(
                stamped.statement_id,
                student_id,
                provider_id,
                verb,
                skills,
                stamped.timestamp,
                stamp_of_all.stored,
                stamped.digest,
                flags | (CREDIT if number else 0),
                stamped.json,
            )
            lane = items.get(partition)
            if lane is None:
                items[partition] = [item]
            else:
                lane.append(item)
        return stamped.statement_id
