"""What a provider's verbs and activities mean here, in the registry; ingest reads it again every few seconds."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from infra.runtime.providers import ProviderFaultError, note_change, require
from schemas import verbs
from schemas.registry.tables import alignments, provider_verbs, skills


def map_verb(connection: Connection, provider_id: str, iri: str, verb: str, by: str, now: int) -> None:
    """A provider's verb means one of ours, in statements accepted from now on; ``now`` in µs."""
    if verb not in verbs.ALL:
        raise ProviderFaultError(f"{verb!r} is no canonical verb: use one of {', '.join(sorted(verbs.ALL))}")
    if ":" not in iri:
        raise ProviderFaultError(f"{iri!r} is no IRI")
    require(connection, provider_id)
    own = provider_verbs
    connection.execute(delete(own).where(own.c.provider_id == provider_id, own.c.verb_iri == iri))
    connection.execute(insert(own).values(provider_id=provider_id, verb_iri=iri, verb=verb))
    note_change(connection, provider_id, now, by, f"verb {iri} means {verb}")


def unmap_verb(connection: Connection, provider_id: str, iri: str, by: str, now: int) -> None:
    """A provider's verb has no meaning of its own any more; raises ProviderFaultError where it had none."""
    own = provider_verbs
    gone = connection.execute(delete(own).where(own.c.provider_id == provider_id, own.c.verb_iri == iri)).rowcount
    if not gone:
        raise ProviderFaultError(f"{provider_id} has no mapping of {iri}")
    note_change(connection, provider_id, now, by, f"verb {iri} is no longer mapped")


def verbs_of(connection: Connection, provider_id: str) -> list[tuple[str, str]]:
    """IRI and canonical verb of each mapping of a provider."""
    own = provider_verbs.c
    query = select(own.verb_iri, own.verb).where(own.provider_id == provider_id).order_by(own.verb_iri)
    return [(row[0], row[1]) for row in connection.execute(query)]


def align(connection: Connection, provider_id: str, activity: str, skill_id: str, by: str, now: int) -> bool:
    """An activity of a provider is evidence of a skill, from now on; whether that is new."""
    require(connection, provider_id)
    if ":" not in activity:
        raise ProviderFaultError(f"{activity!r} is no IRI")
    if not connection.scalar(select(skills.c.name).where(skills.c.skill_id == skill_id)):
        raise ProviderFaultError(f"skill {skill_id!r} is not in the catalogue")
    values = {"provider_id": provider_id, "activity_id": activity, "skill_id": skill_id}
    if connection.execute(select(alignments.c.skill_id).filter_by(**values)).first():
        return False
    connection.execute(insert(alignments).values(values))
    note_change(connection, provider_id, now, by, f"activity {activity} is evidence of {skill_id}")
    return True


def unalign(connection: Connection, provider_id: str, activity: str, skill_id: str, by: str, now: int) -> None:
    """Take an alignment back; raises ProviderFaultError where there is none."""
    own = alignments.c
    gone = connection.execute(
        delete(alignments).where(own.provider_id == provider_id, own.activity_id == activity, own.skill_id == skill_id)
    ).rowcount
    if not gone:
        raise ProviderFaultError(f"{activity} of {provider_id} is not aligned to {skill_id}")
    note_change(connection, provider_id, now, by, f"activity {activity} is no longer evidence of {skill_id}")


def alignments_of(connection: Connection, provider_id: str) -> list[tuple[str, str]]:
    """Activity and skill of each alignment of a provider's own; ``""`` for those of any provider."""
    own = alignments.c
    query = select(own.activity_id, own.skill_id).where(own.provider_id == provider_id)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(own.activity_id, own.skill_id))]
