"""Who is who, as the registry has it now: identities that were moved lately, their groups, and all their students."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, or_, select

from schemas.registry.tables import agents, identities, identity_links
from streams.corrections.facts import chunks

_CHUNK = 300


class Move(NamedTuple):
    """One link of the history; ``at`` in µs."""

    link_id: str
    identity_id: str
    from_student: str | None
    to_student: str
    at: int


@dataclass
class People:
    """What is known of some identities.

    Attributes:
        students: identity to its present student.
        groups: key of a group to the identities of its members, in their order.
        moves: identity to its links, oldest first.
    """

    students: dict[str, str | None] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    moves: dict[str, list[Move]] = field(default_factory=lambda: defaultdict(list))

    def members(self, actor: str) -> list[str]:
        """The identities that act under a key."""
        return self.groups.get(actor) or [actor.partition(".")[0]]

    def credited(self, actor: str) -> list[str]:
        """The students to whom what an actor does is to be credited, each once; empty where one is not known."""
        found = [self.students.get(one) for one in self.members(actor)]
        return [] if None in found else list(dict.fromkeys(one for one in found if one is not None))

    def all_students(self) -> set[str]:
        """Everybody under whom statements of these identities may stand: present students and those before."""
        found = {one for one in self.students.values() if one}
        for moves in self.moves.values():
            for move in moves:
                found.add(move.to_student)
                if move.from_student:
                    found.add(move.from_student)
        return found

    def cause(self, actor: str, student: str, *, to: bool) -> str:
        """Id of the last link that brought an actor to a student, or took it away; of the last one at all, else."""
        moves = sorted((move for one in self.members(actor) for move in self.moves[one]), key=lambda move: move.at)
        fitting = [move for move in moves if (move.to_student if to else move.from_student) == student]
        last = (fitting or moves)[-1:]
        return last[0].link_id if last else ""


def moved_since(connection: Connection, since: int) -> dict[str, int]:
    """Identities that were moved since then (µs), and when they were last."""
    own = identity_links.c
    query = select(own.identity_id, own.at).where(own.at >= since).order_by(own.at)
    return {row.identity_id: row.at for row in connection.execute(query)}


def load(connection: Connection, identity_ids: Collection[str]) -> People:
    """These identities, the groups that they are members of, and the other members of those."""
    people = People()
    own = agents.c
    for some in chunks(sorted(identity_ids), 50):
        # A group is kept with the keys of its members: identity, a point, the number of the variant.
        holds = or_(*(own.json.contains(f'"{one}.', autoescape=True) for one in some))
        for key, text in connection.execute(select(own.agent_key, own.json).where(holds)):
            if keys := _member_keys(text):
                people.groups[key] = [one.partition(".")[0] for one in keys]
    everybody = set(identity_ids).union(*people.groups.values())
    for part in chunks(sorted(everybody), _CHUNK):
        people.students.update(_students(connection, part))
        links = identity_links.c
        query = select(links.link_id, links.identity_id, links.from_student, links.to_student, links.at)
        for row in connection.execute(query.where(links.identity_id.in_(part)).order_by(links.at)):
            people.moves[row.identity_id].append(Move(*row))
    return people


def _students(connection: Connection, identity_ids: Iterable[str]) -> dict[str, str | None]:
    own = identities.c
    query = select(own.identity_id, own.student_id).where(own.identity_id.in_(list(identity_ids)))
    return {row.identity_id: row.student_id for row in connection.execute(query)}


class _Group(msgspec.Struct):
    member: list[str] = []


def _member_keys(text: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=_Group).member
    except msgspec.ValidationError:  # an agent that holds such a text in another place
        return []
