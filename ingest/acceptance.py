"""From valid statements to acknowledged ones: identities, stamps, verbs and skills, partitions, the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ingest.catalogue import Catalogue
from ingest.credentials import Credential
from ingest.duplicates.conflicts import conflict
from ingest.duplicates.stored import StoredIds
from ingest.duplicates.taking import Taking, code
from ingest.identifiers import StatementIds
from ingest.identity.resolver import Known, Request, Resolver
from ingest.minutes import Minutes
from ingest.progress import Progress
from ingest.publisher import Part, Publisher, TakenError
from ingest.xapi.accepted import Party, Valid
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
        stored: StoredIds,
        clock: Callable[[], int],
        *,
        partitions: int,
        authority_home_page: str,
        credited_types: Collection[str] = (),
    ) -> None:
        """``credited_types``: relevantTypes (IRIs) of context agents and groups that a statement is credited to; those
        that name none are always."""
        self.catalogue = Catalogue()
        self._resolver = resolver
        self._publisher = publisher
        self._minutes = minutes
        self._progress = progress
        self._stored = stored
        self._clock = clock
        self._partitions = partitions
        self._home_page = authority_home_page
        self._credited_types = frozenset(credited_types)
        self._ids = StatementIds()
        self._authorities: dict[str, tuple[bytes, Request]] = {}

    async def accept(self, statements: Valid, by: Credential, version: str, own_id: str = "") -> list[str]:
        """Publish valid statements, whole or not at all; their ids once Kafka has acknowledged them.

        ``own_id`` is the id, in lower case, of a statement that came without one and is told by its address (PUT). The
        statements are used up. Raises ApiError 409 where an id stands for another content, 503 when registry or log do
        not answer, 413 for what the log cannot take.
        """
        if not statements.count:
            return []
        provider_id = by.provider_id
        given = [own_id or None] if own_id else statements.ids()
        agents = statements.agents()
        parties = statements.parties()
        credited = {index: self._credited(found) for index, found in parties.items()} if parties else {}
        authority, known = await self._resolve(agents, credited, provider_id)
        codes = [None if one is None else code(one) for one in given]
        maybe = self._stored.maybe(given, codes)
        kept = await self._stored.digests(maybe) if maybe else {}
        stored = self._clock()
        statements.stamp(
            provider_id.encode(),
            authority.encode(),
            stored,
            format_microseconds(stored).encode(),
            statement_version(version).encode(),
        )
        ids: list[str] = []
        parts: dict[int, Part] = {}
        taking: list[Taking] = []
        came: list[int] = []
        conflicts: list[int] = []
        catalogue, partitions = self.catalogue, self._partitions
        meanings = statements.meanings()
        for index, own in enumerate(agents):
            sent_id, flags = given[index], 0
            if sent_id is None:
                statement_id, flags = self._ids.new(), ID_GENERATED
            else:
                statement_id = sent_id
            ids.append(statement_id)
            meaning = catalogue.meaning(provider_id, meanings[index])
            keys = tuple([known[agent].key for agent in own])
            students = known[own[0]].students()
            if index in credited:
                students += [one for place in credited[index] for one in known[own[place]].students()]
                students = list(dict.fromkeys(students))
            for student_id in students:
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
            own_code = codes[index]
            if own_code is not None:
                digest = statements.digest(index)
                if kept and kept.get(statement_id, digest) != digest:
                    conflicts.append(index)
                taking.append((own_code, digest))
                came.append(index)
        if conflicts:
            raise conflict(ids, conflicts, single=statements.single)
        try:
            offsets = await self._publisher.publish(provider_id, stored, parts, taking)
        except TakenError as taken:
            raise conflict(ids, [came[number] for number in taken.conflicts], single=statements.single) from None
        self._minutes.accepted(provider_id, stored, len(ids))
        self._progress.acknowledged(by.key, offsets)
        return ids

    def _credited(self, parties: Sequence[Party]) -> list[int]:
        """Places of the context agents and groups of a statement that it is credited to."""
        types = self._credited_types
        return [one.place for one in parties if not one.relevant_types or not types.isdisjoint(one.relevant_types)]

    async def _resolve(
        self, agents: list[tuple[bytes, ...]], credited: dict[int, list[int]], provider_id: str
    ) -> tuple[str, dict[bytes, Known]]:
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
        for index, own in enumerate(agents):
            also = credited.get(index, ()) if credited else ()
            acting = True  # The first one is the statement's actor: what it does is credited to a student.
            for place, agent in enumerate(own):
                found = cached(agent, acting=acting)
                if found is not None:
                    known[agent] = found
                else:
                    earlier = missing.get(agent)
                    missing[agent] = Request(DECODER.decode(agent), acting or (earlier is not None and earlier.acting))
                acting = place + 1 in also
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
