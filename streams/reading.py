"""Records to arrivals and directives; what cannot be read becomes a dead letter and an outcome, and blocks nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from schemas.codec import CodecError
from schemas.events import CREDIT, DIRECTIVES, DeadLetter, Envelope, Item
from streams.batch import Batch, Record
from streams.dedupe import First
from streams.directives import Directive, read_directive
from streams.ledger import LATEST_STORED_US, MINUTE_US, Entry, told_counts, told_replay
from streams.rows import tables
from streams.rows.arrival import NO_UUID, Arrival, Fault, read, read_all


class Opened(NamedTuple):
    """What records hold: statements, directives, and the first envelope of each partition."""

    arrivals: list[Arrival]
    directives: list[Directive]
    firsts: dict[int, First]


class Reading:
    """Opens records of one generation of the topic; ``clock`` tells now in µs."""

    def __init__(
        self, decode: Callable[[bytes], Envelope], topic: str, generation: int, clock: Callable[[], int]
    ) -> None:
        self._decode = decode
        self._topic = topic
        self._generation = generation
        self._clock = clock

    def open(self, records: Iterable[Record], batch: Batch) -> Opened:
        """What records hold, which come in offset order within a partition."""
        arrivals: list[Arrival] = []
        directives: list[Directive] = []
        firsts: dict[int, First] = {}
        for record in records:
            partition, offset = record.partition, record.offset
            part = batch.parts[partition]
            part.last_offset = offset
            try:
                envelope = self._decode(record.value)
            except CodecError as error:
                self.bury_record(batch, record, Fault("undecodable", str(error)))
                continue
            items = envelope.items
            if not items:
                continue
            told = told_counts(record.headers)
            if told is None:
                told = Counter(i.provider_id for i in items if i.primary)
            self._enter(batch, record, items[0].stored, told)
            if partition not in firsts:
                # What a correction credits anew was stored long before its envelope was sealed.
                firsts[partition] = First(offset, max(envelope.published, *(item.stored for item in items)))
            if (usual := read_all(partition, offset, items)) is not None:
                arrivals += usual
                part.statements += len(items)
                part.stored += [item.stored for item in items]
                continue
            for idx, item in enumerate(items):
                primary = item.flags < CREDIT
                part.statements += primary
                try:
                    if item.flags & DIRECTIVES:
                        directives.append(read_directive(partition, offset, idx, item))
                        continue
                    arrivals.append(read(partition, offset, idx, item))
                except Fault as fault:
                    self.bury(batch, (partition, offset, idx), item, fault)
                    continue
                if primary:
                    part.stored.append(item.stored)
        return Opened(arrivals, directives, firsts)

    def bury(self, batch: Batch, place: tuple[int, int, int], item: Item, fault: Fault) -> None:
        """Make an item a dead letter, counted when it is primary."""
        self.letter(batch, (self._generation, *place), item, fault)
        if item.primary:
            self.outcome(batch, (self._generation, *place), item, "dead", fault)

    def bury_record(self, batch: Batch, record: Record, fault: Fault) -> None:
        """Make a whole record a dead letter, counted by its header."""
        at = self._clock()
        place = self._generation, record.partition, record.offset, -1
        batch.dead.append(DeadLetter(self._topic, *place, "", "", 0, fault.reason, fault.message, record.value, at))
        told, stored = told_counts(record.headers), record.timestamp_us or at
        self._enter(batch, record, stored, {"": 0} if told is None else told)
        counts = Counter(told or {})
        if replay := told_replay(record.headers):
            counts.update(replay.counts)
            stored = replay.stored
        for provider, count in (counts or {"": 0}).items():
            batch.parts[record.partition].statements += count
            batch.rows[tables.OUTCOMES].append(
                (*place, provider, NO_UUID, stored, count, "dead", fault.reason, fault.message, at)
            )

    def letter(self, batch: Batch, place: tuple[int, int, int, int], item: Item, fault: Fault) -> None:
        """A dead letter of an item; ``place``: generation, partition, offset, index."""
        payload, at = msgspec.json.encode(item), self._clock()
        whose = item.provider_id, item.statement_id, item.stored
        batch.dead.append(DeadLetter(self._topic, *place, *whose, fault.reason, fault.message, payload, at))

    def outcome(
        self,
        batch: Batch,
        place: tuple[int, int, int, int],
        item: Item,
        outcome: str,
        fault: Fault,
        said_at: int | None = None,
    ) -> None:
        """What became of an item that is not in statements; ``place``: generation, partition, offset, index.

        What is said last at a place counts: ``said_at`` (µs) is that of the event which says so, now where the item
        itself does.
        """
        at = self._clock() if said_at is None else said_at
        statement_id = NO_UUID if fault.reason == "id_invalid" else item.statement_id
        stored = at if fault.reason == "stored_out_of_range" else item.stored
        batch.rows[tables.OUTCOMES].append(
            (*place, item.provider_id, statement_id, stored, 1, outcome, fault.reason, fault.message, at)
        )

    def _enter(self, batch: Batch, record: Record, stored: int, told: Mapping[str, int]) -> None:
        """Count a record for the ledger; the door puts statements of one minute into an envelope."""
        minute = (stored if 0 <= stored < LATEST_STORED_US else self._clock()) // MINUTE_US
        batch.entries += [Entry((record.partition, minute, p), record.offset, count) for p, count in told.items()]
