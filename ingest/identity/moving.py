"""An identity that turns out to be another student's: moved in the registry, with its history.

The registry alone is changed here. Ingest reads the change within seconds; what the identity did before is moved by the
workers, which read the history (streams.corrections.links).
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, or_, select, update

from ingest.identity.matching import ANONYMOUS
from schemas.registry.tables import identities, identity_links, students


class IdentityFaultError(Exception):
    """What was asked for cannot be done, in words for who asked."""


class Link(NamedTuple):
    """A move as it was written into the history."""

    link_id: str
    identity_id: str
    from_student: str | None
    to_student: str


def find(connection: Connection, text: str, kind: str = "") -> Row[Any]:
    """The identity with this id or value (an e-mail address with or without mailto:).

    Raises IdentityFaultError where there is none, or several of different kinds.
    """
    own = identities.c
    matches = or_(own.identity_id == text, own.value.in_([text, f"mailto:{text}", text.lower()]))
    query = select(identities).where(matches).order_by(own.kind)
    found = connection.execute(query.where(own.kind == kind) if kind else query).all()
    if not found:
        raise IdentityFaultError(
            f"no identity {text!r}{f' of kind {kind}' if kind else ''}: give its id or its value as actors send it "
            "(an account as homePage, a space, name)"
        )
    if len(found) > 1:
        kinds = ", ".join(row.kind for row in found)
        raise IdentityFaultError(f"{text!r} is known in several ways ({kinds}): say which with --kind")
    return found[0]


def of_student(connection: Connection, student_id: str) -> list[Row[Any]]:
    """Identities of a student, oldest first; raises IdentityFaultError where there is no such student."""
    _require_student(connection, student_id)
    own = identities.c
    query = select(identities).where(own.student_id == student_id).order_by(own.created_at, own.identity_id)
    return list(connection.execute(query).all())


def history(connection: Connection, identity_id: str) -> list[Row[Any]]:
    """Moves of an identity, oldest first."""
    own = identity_links.c
    query = select(identity_links).where(own.identity_id == identity_id).order_by(own.at, own.link_id)
    return list(connection.execute(query).all())


def link(connection: Connection, identity: Row[Any], student_id: str, now: int, by: str, reason: str) -> Link:
    """Move an identity to a student; ``now`` in µs. Raises IdentityFaultError."""
    if identity.kind == ANONYMOUS:
        raise IdentityFaultError(f"{identity.identity_id} is a group: link its members")
    _require_student(connection, student_id)
    if identity.student_id == student_id:
        raise IdentityFaultError(f"{identity.value} is student {student_id} already")
    return _move(connection, identity, student_id, now, by, reason, takes_back=None)


def unlink(connection: Connection, identity: Row[Any], now: int, by: str, reason: str) -> Link:
    """Take back the last link that stands: the identity goes back to the student it came from, to a new one where it
    came from none. Raises IdentityFaultError where no link stands, or the identity is not where it led."""
    moves = history(connection, identity.identity_id)
    undone = {move.takes_back for move in moves}
    standing = [move for move in moves if move.takes_back is None and move.link_id not in undone]
    if not standing:
        raise IdentityFaultError(f"{identity.value} was never linked, or each link was taken back")
    last = standing[-1]
    if identity.student_id != last.to_student:
        raise IdentityFaultError(f"{identity.value} is not student {last.to_student} any more: link it instead")
    back_to = last.from_student or _new_student(connection, now)
    return _move(connection, identity, back_to, now, by, reason, takes_back=last.link_id)


def _move(
    connection: Connection, identity: Row[Any], to: str, now: int, by: str, reason: str, *, takes_back: str | None
) -> Link:
    # Ingest looks for what is newer than it has seen: a clock that was set back must not hide a move.
    at = max(now, identity.updated_at + 1)
    own = identities.c
    unmoved = own.student_id.is_(None) if identity.student_id is None else own.student_id == identity.student_id
    mine = update(identities).where(own.identity_id == identity.identity_id, unmoved)
    if not connection.execute(mine.values(student_id=to, updated_at=at)).rowcount:
        raise IdentityFaultError(f"{identity.value} was moved meanwhile: look at it again")
    made = Link(str(uuid.uuid4()), identity.identity_id, identity.student_id, to)
    row = {**made._asdict(), "at": at, "decided_by": by, "reason": reason, "takes_back": takes_back}
    connection.execute(insert(identity_links).values(row))
    return made


def _require_student(connection: Connection, student_id: str) -> None:
    if connection.scalar(select(students.c.student_id).where(students.c.student_id == student_id)) is None:
        raise IdentityFaultError(f"there is no student {student_id}")


def _new_student(connection: Connection, now: int) -> str:
    made = str(uuid.uuid4())
    row = {"student_id": made, "linked": False, "created_at": now, "updated_at": now}
    connection.execute(insert(students).values(row))
    return made
