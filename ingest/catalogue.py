"""Verbs and alignments, resolved at the door (docs/decisions/0003): a snapshot, and its loading from the registry."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from schemas import verbs
from schemas.registry import tables


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What verbs mean and which skills activities are aligned to; pure, replaced as a whole.

    ``alignments`` by provider ("" for any), then by activity; skills sorted.
    """

    provider_verbs: dict[str, dict[str, str]] = field(default_factory=dict)
    alignments: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()

    def verb(self, provider_id: str, iri: str) -> str:
        """Canonical verb: the provider's own mapping, then the verbs that mean the same everywhere, else other."""
        own = self.provider_verbs.get(provider_id)
        return (own and own.get(iri)) or verbs.IRIS.get(iri, verbs.OTHER)

    def skills_of(self, provider_id: str, statement: dict[str, Any]) -> list[str]:
        """Skills of a statement's activity, sorted: aligned for the provider, else for all, else named by the
        statement's own grouping and category."""
        target = statement["object"]
        if isinstance(target, str) or target.get("objectType", "Activity") != "Activity":
            return []
        for owner in (provider_id, ""):
            if (aligned := self.alignments.get(owner)) and (found := aligned.get(target["id"])):
                return found
        return self._named(statement)

    def _named(self, statement: dict[str, Any]) -> list[str]:
        activities = statement.get("context", {}).get("contextActivities")
        if not activities:
            return []
        found = set()
        for name in ("grouping", "category"):
            value = activities.get(name, ())
            for one in (value,) if isinstance(value, dict) else value:
                if one["id"] in self.skills:
                    found.add(one["id"])
        return sorted(found)


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
