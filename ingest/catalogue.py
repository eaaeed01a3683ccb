"""Verbs and alignments, resolved at the door (docs/decisions/0003): a snapshot, and its loading from the registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from schemas import packing, verbs
from schemas.registry import tables

_KEPT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What verbs mean and which skills activities are aligned to; pure, replaced as a whole.

    ``alignments`` by provider ("" for any), then by activity; skills sorted.
    """

    provider_verbs: dict[str, dict[str, str]] = field(default_factory=dict)
    alignments: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()
    _known: dict[tuple[str, bytes], bytes] = field(default_factory=dict, init=False, compare=False, repr=False)

    def verb(self, provider_id: str, iri: str) -> str:
        """Canonical verb: the provider's own mapping, then the verbs that mean the same everywhere, else other."""
        own = self.provider_verbs.get(provider_id)
        return (own and own.get(iri)) or verbs.IRIS.get(iri, verbs.OTHER)

    def skills_of(self, provider_id: str, activity: str, named: Sequence[str]) -> list[str]:
        """Skills of an activity, sorted: aligned for the provider, else for all, else those among ``named``: the
        activities of the statement's own grouping and category. None where the object is no activity ("")."""
        if not activity:
            return []
        for owner in (provider_id, ""):
            if (aligned := self.alignments.get(owner)) and (found := aligned.get(activity)):
                return found
        return sorted({one for one in named if one in self.skills})

    def meaning(self, provider_id: str, lines: bytes) -> bytes:
        """Verb and skills as packed (schemas.packing), of what ``ingest.xapi.accepted`` tells a statement by.

        The same few come again and again; as many are kept as a district has activities.
        """
        known = self._known.get((provider_id, lines))
        if known is None:
            verb, activity, *named = lines.decode().split("\n")
            known = packing.meaning(self.verb(provider_id, verb), self.skills_of(provider_id, activity, named))
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[provider_id, lines] = known
        return known


def load(connection: Connection) -> Catalogue:
    """The catalogue as the registry has it now."""
    provider_verbs: dict[str, dict[str, str]] = defaultdict(dict)
    for provider_id, iri, verb in connection.execute(
        select(tables.provider_verbs.c.provider_id, tables.provider_verbs.c.verb_iri, tables.provider_verbs.c.verb)
    ):
        provider_verbs[provider_id][iri] = verb
    alignments: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for provider_id, activity_id, skill_id in connection.execute(
        select(tables.alignments.c.provider_id, tables.alignments.c.activity_id, tables.alignments.c.skill_id).order_by(
            tables.alignments.c.skill_id
        )
    ):
        alignments[provider_id].setdefault(activity_id, []).append(skill_id)
    skills = frozenset(connection.execute(select(tables.skills.c.skill_id)).scalars())
    return Catalogue(dict(provider_verbs), dict(alignments), skills)
