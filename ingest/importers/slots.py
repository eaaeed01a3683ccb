"""What imported rows said last, by what they are about: twice the same is said once, and a correction voids.

Before anything is posted it is written down what is about to be said, and what is to be voided for it: killed at any
moment, the next run says and voids the rest, also where the file says something else by then. A statement's id is a
UUIDv5 (RFC 9562, 5.5) of the slot, the number of its corrections and all that is said, so it is the same in every run;
what is voided stays voided, and so something that holds again has a new id.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Engine, delete, insert, select

from ingest.importers.school_records import Said
from ingest.xapi.terms import VOIDED
from schemas.registry.lrs import said_rows

_NAMESPACE: Final = uuid.UUID("0b1de1a5-2c57-5f0b-9d8e-61f7c3a9b2d4")
_NOTHING: Final = "0" * 32


class Step(NamedTuple):
    """What is to be done for a slot: a statement to post (None: none), and ids to void once that is accepted."""

    said: Said
    slot: str
    statement_id: str | None
    digest: str
    revision: int
    voids: tuple[str, ...]

    def body(self) -> bytes | None:
        """The statement as it is posted."""
        if self.said.statement is None:
            return None
        return msgspec.json.encode({"id": self.statement_id, **self.said.statement})

    def voiding(self) -> list[bytes]:
        """The voiding statements (xAPI 1.0.3 part 2, 2.3.2): of the student, in whose record they stand."""
        return [
            msgspec.json.encode(
                {
                    "id": str(uuid.uuid5(_NAMESPACE, f"void {one}")),
                    "actor": self.said.actor,
                    "verb": {"id": VOIDED, "display": {"en-US": "voided"}},
                    "object": {"objectType": "StatementRef", "id": one},
                }
            )
            for one in self.voids
        ]


class Slots:
    """The slots of one provider and kind of file."""

    def __init__(self, engine: Engine, provider_id: str, kind: str) -> None:
        self._engine = engine
        self._provider_id = provider_id
        self._kind = kind

    def key(self, slot: Sequence[str]) -> str:
        """Key of a slot in the registry."""
        return _digest([self._provider_id, self._kind, *slot])

    def plan(self, batch: Sequence[Said], *, again: bool = False) -> list[Step]:
        """What a batch makes necessary, a slot at most once in it; with ``again`` also what was accepted before."""
        keys = {self.key(said.slot): said for said in batch}
        own = said_rows.c
        with self._engine.connect() as connection:
            held = {row.slot: row for row in connection.execute(select(said_rows).where(own.slot.in_(list(keys))))}
        steps = []
        for slot, said in keys.items():
            row = held.get(slot)
            digest = _NOTHING if said.statement is None else _digest(said.statement)
            if row is None:
                if said.statement is not None:
                    steps.append(self._step(said, slot, digest, 0, ()))
            elif row.digest == digest:
                if not row.accepted or (again and said.statement is not None):
                    steps.append(self._step(said, slot, digest, row.revision, tuple(row.voids.split())))
            else:
                before = row.voids.split() if not row.accepted else []
                voids = (*before, row.statement_id) if row.statement_id else tuple(before)
                steps.append(self._step(said, slot, digest, row.revision + 1, tuple(voids)))
        return steps

    def _step(self, said: Said, slot: str, digest: str, revision: int, voids: tuple[str, ...]) -> Step:
        new = None if said.statement is None else str(uuid.uuid5(_NAMESPACE, f"{slot} {revision} {digest}"))
        return Step(said, slot, new, digest, revision, voids)

    def keep(self, steps: Sequence[Step], now: int, *, accepted: bool) -> None:
        """Write down what is about to be said, or that it was ``accepted``; ``now`` in µs."""
        if not steps:
            return
        rows = [
            {
                "slot": step.slot,
                "provider_id": self._provider_id,
                "kind": self._kind,
                "statement_id": step.statement_id,
                "digest": step.digest,
                "revision": step.revision,
                "voids": "" if accepted else " ".join(step.voids),
                "accepted": accepted,
                "updated_at": now,
            }
            for step in steps
        ]
        with self._engine.begin() as connection:
            connection.execute(delete(said_rows).where(said_rows.c.slot.in_([step.slot for step in steps])))
            connection.execute(insert(said_rows), rows)


def _digest(what: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(what, order="sorted"), digest_size=16).hexdigest()
