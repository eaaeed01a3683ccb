"""What finders find, and the items of the log that it becomes. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from schemas.events import CREDIT, REMOVAL, TIMESTAMP_GENERATED, Item, Removal

VOIDED: Final = "voided"
UNLINKED: Final = "unlinked"
DUPLICATE: Final = "duplicate"
CONFLICT: Final = "conflict"
CREDITED: Final = "credited"


class Key(NamedTuple):
    """Where a statement stands in the record of a student; ``timestamp`` in µs."""

    student_id: str
    timestamp: int
    statement_id: str


class Standing(NamedTuple):
    """A row of statements, or of credits (``credited``), that was not taken out itself; times in µs."""

    key: Key
    stored: int
    provider_id: str
    digest: int
    generation: int
    partition: int
    offset: int
    idx: int
    credited: bool
    verb: str

    @property
    def place(self) -> tuple[int, int, int, int]:
        """By what copies are ordered: when it was stored, then its position."""
        return self.stored, self.partition, self.offset, self.idx


class Acted(NamedTuple):
    """A row of statements and the key of its actor."""

    row: Standing
    actor: str


class Body(NamedTuple):
    """What a statement needs beside its row to be credited to one more student."""

    skills: list[str]
    statement: bytes


class Removed(NamedTuple):
    """Row of removals: the statement is out of the student's record unless it was put back."""

    reason: str
    restored: bool


Name = tuple[Key, str, str]
"""What is corrected, why, and its cause: the same correction, found again, has the same name."""


class Correction(NamedTuple):
    """An item of the log, why (a reason of Removal, or ``credited``), and what caused it."""

    item: Item
    reason: str
    cause: str

    @property
    def name(self) -> Name:
        """By which it is known for one that was found before."""
        item = self.item
        return Key(item.student_id, item.timestamp, item.statement_id), self.reason, self.cause


def removal(row: Standing, reason: str, cause: str, now: int) -> Correction:
    """Takes a row out of its student's record; ``now`` (µs) is when the item goes into the log."""
    told = Removal(reason, cause, row.stored, row.credited, row.partition, row.offset, row.idx)
    item = Item(
        statement_id=row.key.statement_id,
        student_id=row.key.student_id,
        provider_id=row.provider_id,
        verb=row.verb,
        skills=[],
        timestamp=row.key.timestamp,
        stored=now,
        digest=row.digest,
        flags=REMOVAL,
        statement=msgspec.json.encode(told),
    )
    return Correction(item, reason, cause)


def credit(row: Standing, body: Body, student_id: str, cause: str) -> Correction:
    """Credits the statement of a row to a student, as the door would have done."""
    _, timestamp, statement_id = row.key
    item = Item(
        statement_id=statement_id,
        student_id=student_id,
        provider_id=row.provider_id,
        verb=row.verb,
        skills=body.skills,
        timestamp=timestamp,
        stored=row.stored,
        digest=row.digest,
        # A timestamp made at the door is that of storing; then copies are looked for under any timestamp.
        flags=CREDIT | (TIMESTAMP_GENERATED if timestamp == row.stored else 0),
        statement=body.statement,
    )
    return Correction(item, CREDITED, cause)
