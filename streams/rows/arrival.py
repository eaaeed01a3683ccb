"""One item of an envelope, read and checked, and the rows that it writes by itself."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec

from infra.runtime.compiled import compiled
from schemas import verbs
from schemas.events import Envelope, Item
from streams.rows.days import EARLIEST_US, LATEST_US
from streams.rows.document import decode
from streams.rows.result import UNKNOWN_MS, duration_ms, outcome
from streams.rows.tables import Row
from streams.rows.texts import row_text

NO_UUID = "00000000-0000-0000-0000-000000000000"


class Fault(Exception):
    """Why an item cannot be processed: a short code and the words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An item at its position in the log, with what its statement tells; ``registration`` is NO_UUID for none."""

    partition: int
    offset: int
    idx: int
    item: Item
    actor: str
    verb_iri: str
    activity: str
    registration: str
    outcome: float | None
    duration_ms: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Its position: partition, offset, index in the envelope."""
        return self.partition, self.offset, self.idx


def read(partition: int, offset: int, idx: int, item: Item) -> Arrival:
    """Read an item's statement; raises Fault where its rows could not be written."""
    if extension is not None:
        arrival: Arrival | None = extension.read(partition, offset, idx, item)
        if arrival is not None:
            return arrival
    return in_python(partition, offset, idx, item)


def read_all(partition: int, offset: int, items: list[Item]) -> list[Arrival] | None:
    """All items of an envelope at once; None where one of them has to be looked at by itself, and without the
    extension."""
    arrivals: list[Arrival] | None = extension.read_all(partition, offset, items) if extension is not None else None
    return arrivals


def in_python(partition: int, offset: int, idx: int, item: Item) -> Arrival:
    """The same, without the extension; what is unusual, and every fault, is told here."""
    if not EARLIEST_US <= item.timestamp <= LATEST_US:
        raise Fault("timestamp_out_of_range", "the timestamp is not between 1970-01-03 and 2149-06-04")
    if not EARLIEST_US <= item.stored <= LATEST_US:
        raise Fault("stored_out_of_range", "the time of storing is not between 1970-01-03 and 2149-06-04")
    if not (is_uuid(item.statement_id) and _was_uuid(item.student_id)):
        raise Fault("id_invalid", "the id of the statement or of the student is no UUID")
    try:
        document = decode(item.statement)
    except msgspec.ValidationError as error:
        raise Fault("statement_invalid", f"the statement is not as the xAPI has it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault("statement_undecodable", f"the statement is no JSON: {error}") from None
    context, result = document.context, document.result
    registration = context.registration if context is not None else None
    if registration is not None and not _was_uuid(registration):
        raise Fault("registration_invalid", "context.registration is no UUID")
    told, lasted = None, UNKNOWN_MS
    if result is not None:
        told = outcome(result) if item.verb in verbs.OUTCOMES else None
        lasted = duration_ms(result.duration)
    named = document.actor, document.verb.id, document.activity, registration or NO_UUID
    return Arrival(partition, offset, idx, item, *named, told, lasted)


_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its canonical form."""
    return _UUID.fullmatch(text) is not None


_was_uuid = lru_cache(maxsize=50_000)(is_uuid)
"""For ids that come again and again: of students, of registrations."""


extension = compiled("streams._arrivals")
"""Reads envelopes and statements; see streams/_arrivals.c."""
if extension is not None:
    extension.configure(Item, Envelope, Arrival, verbs.OUTCOMES, NO_UUID, duration_ms, EARLIEST_US, LATEST_US)


def statement_row(arrival: Arrival, generation: int) -> Row:
    """Row of the table statements, for a primary item."""
    item = arrival.item
    return (
        item.student_id, item.timestamp, item.statement_id, item.stored, item.provider_id, item.verb,
        arrival.verb_iri, arrival.activity, arrival.actor, arrival.registration,
        item.skills, item.digest, generation, arrival.partition, arrival.offset, arrival.idx,
        row_text(item.statement, item.statement_id),
    )  # fmt: skip


def credit_row(arrival: Arrival, generation: int) -> Row:
    """Row of the table credits, for an item that credits one more student."""
    item = arrival.item
    return (
        item.student_id, item.timestamp, item.statement_id, item.stored, item.provider_id, item.verb,
        arrival.activity, item.skills, -1.0 if arrival.outcome is None else arrival.outcome, arrival.duration_ms,
        item.digest, generation, arrival.partition, arrival.offset, arrival.idx,
    )  # fmt: skip


def attempt_row(arrival: Arrival, generation: int) -> Row:
    """Row of the table attempts, for an item with an outcome."""
    item = arrival.item
    return (
        item.student_id, item.timestamp, item.statement_id, arrival.activity, item.skills, arrival.outcome,
        arrival.duration_ms, item.verb, item.provider_id, item.stored,
        generation, arrival.partition, arrival.offset, arrival.idx,
    )  # fmt: skip


class Rows(NamedTuple):
    """Rows by table."""

    statements: list[Row]
    credits: list[Row]
    attempts: list[Row]


def rows_of(arrivals: list[Arrival], generation: int) -> Rows:
    """The rows that arrivals write by themselves."""
    if extension is not None and (made := extension.rows(arrivals, generation)) is not None:
        return Rows(made[0], [], made[1])
    return Rows(
        [statement_row(arrival, generation) for arrival in arrivals if arrival.item.primary],
        [credit_row(arrival, generation) for arrival in arrivals if not arrival.item.primary],
        [attempt_row(arrival, generation) for arrival in arrivals if arrival.outcome is not None],
    )
