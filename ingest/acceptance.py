"""From valid statements to acknowledged ones: identities, stamps, verbs and skills, partitions, the log."""

from __future__ import annotations

from collections.abc import Callable

from ingest.catalogue import Catalogue
from ingest.credentials import Credential
from ingest.identifiers import StatementIds
from ingest.identity.resolver import Known, Request, Resolver
from ingest.minutes import Minutes
from ingest.progress import Progress
from ingest.publisher import Part, Publisher
from ingest.xapi.accepted import Valid
from ingest.xapi.agents import exact
from ingest.xapi.parse import DECODER
from ingest.xapi.timestamps import format_microseconds
from ingest.xapi.version import statement_version
from schemas.events import CREDIT, ID_GENERATED
from schemas.partitioning import partition_of


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

    async def accept(self, statements: Valid, by: Credential, version: str, own_id: str = "") -> list[str]:
        """Publish valid statements, whole or not at all; their ids once Kafka has acknowledged them.

        ``own_id`` is the id, in lower case, of a statement that came without one and is told by its address (PUT). The
        statements are used up. Raises ApiError 503 when registry or log do not answer, 413 for what the log cannot
        take.
        """
        if not statements.count:
            return []
        provider_id = by.provider_id
        agents = statements.agents()
        authority, known = await self._resolve(agents, provider_id)
        stored = self._clock()
        statements.stamp(
            provider_id.encode(),
            authority.encode(),
            stored,
            format_microseconds(stored).encode(),
            statement_version(version).encode(),
        )
        ids = []
        parts: dict[int, Part] = {}
        catalogue, partitions = self.catalogue, self._partitions
        given, meanings = statements.ids(), statements.meanings()
        for index, own in enumerate(agents):
            statement_id, flags = given[index] or own_id, 0
            if not statement_id:
                statement_id, flags = self._ids.new(), ID_GENERATED
            ids.append(statement_id)
            meaning = catalogue.meaning(provider_id, meanings[index])
            keys = tuple([known[agent].key for agent in own])
            for student_id in known[own[0]].students():
                assert student_id is not None, "the resolver gives each actor a student"
                partition = partition_of(student_id, partitions)
                part = parts.get(partition)
                if part is None:
                    part = parts[partition] = Part([], [])
                if flags & CREDIT:
                    part.credits.append(len(part.items))
                part.items.append(statements.item(index, statement_id, keys, student_id, meaning, flags))
                # One item for each credited student, the first of them primary.
                flags |= CREDIT
        offsets = await self._publisher.publish(provider_id, stored, parts)
        self._minutes.accepted(provider_id, stored, len(ids))
        self._progress.acknowledged(by.key, offsets)
        return ids

    async def _resolve(self, agents: list[tuple[bytes, ...]], provider_id: str) -> tuple[str, dict[bytes, Known]]:
        """The authority's key, and all agents by their exact JSON."""
        cached = self._resolver.cached
        authority, authority_request = self._authority(provider_id)
        known: dict[bytes, Known] = {}
        missing: dict[bytes, Request] = {}
        found = cached(authority, acting=False)
        if found is None:
            missing[authority] = authority_request
        else:
            known[authority] = found
        for own in agents:
            acting = True  # The first one is the statement's actor: what it does is credited to a student.
            for agent in own:
                found = cached(agent, acting=acting)
                if found is not None:
                    known[agent] = found
                else:
                    earlier = missing.get(agent)
                    missing[agent] = Request(DECODER.decode(agent), acting or (earlier is not None and earlier.acting))
                acting = False
        if missing:
            known.update(await self._resolver.resolve(missing))
        return known[authority].key, known

    def _authority(self, provider_id: str) -> tuple[bytes, Request]:
        """The authority of what a provider sends (Data 2.4.9): an account of this LRS."""
        made = self._authorities.get(provider_id)
        if made is None:
            agent = {"objectType": "Agent", "account": {"homePage": self._home_page, "name": provider_id}}
            made = self._authorities[provider_id] = (exact(agent), Request(agent, False))
        return made
