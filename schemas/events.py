"""The value of every topic, as msgspec structs. The Avro schemas in avro/<subject> say the same on the wire.

Times are integers: microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Final

import msgspec

ID_GENERATED: Final = 1
"""Flag of an item: the provider sent no id, so nothing can be a duplicate of it."""
TIMESTAMP_GENERATED: Final = 2
"""Flag of an item: the provider sent no timestamp; it was set to ``stored``."""
CREDIT: Final = 4
"""Flag of an item: credits one more student (a member of a group, or the student that an identity was linked to later);
the statement itself is kept with the primary item."""
REMOVAL: Final = 8
"""Flag of an item: takes a statement out of the student's record. ``statement`` holds a Removal as JSON."""
FOLD_AGAIN: Final = 16
"""Flag of an item: nothing new; the student is folded and counted again from what the store holds."""
DIRECTIVES: Final = REMOVAL | FOLD_AGAIN
"""Items that tell the owner of a student to do something, and are no statements: see streams.directives."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """One accepted statement, for one student.

    Attributes:
        statement_id: lower-case UUID.
        student_id: opaque id of the student it is credited to; lower-case UUID.
        provider_id: who sent it.
        verb: canonical verb (schemas.verbs).
        skills: ids of the skills that its activity is aligned to, sorted; empty when it is not aligned.
        timestamp: when it happened, µs since the epoch, UTC.
        stored: when ingest accepted it, µs since the epoch, UTC.
        digest: 64 bits of BLAKE2b over what identity of content means (xAPI 1.0.3 part 3, 2.1.2: without
            id, authority, stored, timestamp, version), as a signed integer.
        flags: sum of the flags above.
        statement: the statement as JSON (UTF-8), its agents swapped for keys.
    """

    statement_id: str
    student_id: str
    provider_id: str
    verb: str
    skills: list[str]
    timestamp: int
    stored: int
    digest: int
    flags: int
    statement: bytes

    @property
    def primary(self) -> bool:
        """Whether this item writes the statement's row and counts in the reconciliation."""
        return self.flags < CREDIT


class Removal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a statement is taken out of a student's record, and where its row stands.

    Attributes:
        reason: voided (xAPI 1.0.3 part 2, 2.3.2), unlinked (the actor is another student), duplicate or conflict (an
            earlier statement has its id).
        cause: id of the voiding statement or of the link; position of the first copy (generation/partition/offset/idx).
        stored: of the statement that is taken out, µs since the epoch, UTC.
        credited: whether the student's row stands in credits rather than in statements.
        partition, offset, idx: position of the item that is taken out.
    """

    reason: str
    cause: str
    stored: int
    credited: bool
    partition: int
    offset: int
    idx: int


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What one partition received within a few milliseconds.

    Attributes:
        instance: id of the ingest process.
        published: when the envelope was sealed, µs since the epoch, UTC.
        items: at least one, in the order of acceptance.
    """

    instance: str
    published: int
    items: list[Item]


class DeadLetter(msgspec.Struct, frozen=True):
    """What could not be processed. ``index`` is -1 for a whole envelope; ``payload`` its bytes as they came."""

    topic: str
    generation: int
    partition: int
    offset: int
    index: int
    provider_id: str
    statement_id: str
    stored: int
    reason: str
    message: str
    payload: bytes
    at: int


class ProviderMinute(msgspec.Struct, frozen=True):
    """Counts of one provider in one minute at one ingest process, cumulative within the minute.

    Attributes:
        minute: start of the minute, µs since the epoch, UTC; for accepted statements that of ``stored``.
        latency_us: sum of the requests' durations, µs.
        latency_buckets: requests by duration, one count for each bound of LATENCY_BOUNDS_MS and one above.
    """

    provider_id: str
    instance: str
    minute: int
    requests: int
    accepted: int
    rejected: int
    latency_us: int
    latency_buckets: list[int]


class Rejection(msgspec.Struct, frozen=True):
    """One fault of a refused request, for the provider's page; ``value`` is a short excerpt without agents."""

    provider_id: str
    at: int
    request_id: str
    status: int
    rule: str
    section: str
    path: str
    message: str
    fix: str
    value: str


class CaseEvent(msgspec.Struct, frozen=True):
    """One transition of a case (schemas.cases); ``who``: staff id, cli: and a user, or empty (the rules)."""

    event_id: str
    case_id: str
    sequence: int
    student_id: str
    at: int
    who: str
    action: str
    before: str
    after: str
    why: str
    details: str


LATENCY_BOUNDS_MS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
