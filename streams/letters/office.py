"""What an operator does with dead letters: look at them, put them into the log again, discard them.

A replay is decided before it is published: from then on the letter counts as in flight. Whether it was published is
told by the log itself, since each replay names its letter: a replay that died in between is taken up by asking again,
and one that was published is not published twice.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer

from infra.runtime.kafka import connection, statements_topic
from infra.runtime.settings import KafkaSettings, Settings
from schemas.avro_registry import schema_registry
from schemas.codec import Codec, CodecError, dead_letter_codec, envelope_codec
from schemas.events import DIRECTIVES, Envelope, Item
from schemas.partitioning import partition_of
from streams.dead_letters import LARGEST_REQUEST_BYTES, is_cut
from streams.ledger import COUNTS_HEADER, REPLAY_HEADER, Replay
from streams.letters.decisions import DISCARDED, REPLAYED, Count, Decision, Decisions
from streams.letters.log import Letter, Log
from streams.letters.payload import RepairError, fault_of, item_of, item_of_row, repaired
from streams.letters.place import Place, is_row

INSTANCE: Final = "dead-letters"
"""Instance of the envelopes of replays."""
_PUBLISH_SECONDS: Final = 30.0
_SLACK_US: Final = 60_000_000
"""Clocks of the broker and of whoever decided may differ by so much."""


class Standing(NamedTuple):
    """A letter, what it counts for, and what was decided about it."""

    letter: Letter
    counted: Count
    decision: Decision | None


class Sent(NamedTuple):
    """Where a letter's items went: positions in the log; ``again``: they had been put there before."""

    place: Place
    where: str
    again: bool


class Office:
    """Letters of one log and one store. ``clock`` tells now in µs."""

    def __init__(
        self,
        log: Log,
        decisions: Decisions,
        producer: Callable[[], KafkaProducer],
        codec: Codec[Envelope],
        kafka: KafkaSettings,
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._decisions = decisions
        self._producer = producer
        self._codec = codec
        self._topic = statements_topic(kafka)
        self._generation = kafka.generation
        self.partitions = kafka.partitions
        self._clock = clock

    def letters(self, since_us: int = 0) -> list[Standing]:
        """Letters kept since then, newest first."""
        letters = self._log.letters(since_us)
        counts, decisions = self._decisions.counts(letters), self._decisions.of([letter.place for letter in letters])
        return [Standing(letter, counts[letter.place], decisions.get(letter.place)) for letter in letters]

    def items(self, letter: Letter) -> list[Item]:
        """The items that a letter is about; raises RepairError where they cannot be had."""
        place, event = letter
        if place.table:
            raise RepairError(
                f"it is a row of {place.table} that the store did not take; its statement itself is stored. When the"
                " store takes such rows again, `roundtrip rebuild` writes them"
            )
        if place.idx < 0:
            return self._decoded(event.payload) if not is_cut(event) else self._original(letter)
        try:
            return [item_of(event)] if not is_row(event) else self._original(letter)
        except RepairError:
            return [item_of_row(event)] if is_row(event) else self._original(letter)

    def ready(self, standing: Standing, file: bytes | None = None) -> list[Item]:
        """Items of a letter as they would be published, checked as the worker does; raises RepairError."""
        place, event = standing.letter
        items = self.items(standing.letter)
        if event.reason == "stored_out_of_range":
            items = [msgspec.structs.replace(item, stored=standing.counted.stored) for item in items]
        if file is not None:
            if place.idx < 0:
                raise RepairError("a whole record cannot be repaired by a file: it is replayed when it can be decoded")
            items = [repaired(items[0], file)]
        for item in items:
            if not item.flags & DIRECTIVES and (fault := fault_of(item, place.partition)):
                raise RepairError(f"it would be put aside again: {fault.message}")
        return items

    def replay(self, standing: Standing, items: Sequence[Item], *, by: str, again: bool = False) -> Sent:
        """Put a letter's items into the log; published before, they are published once more only with ``again``.

        Raises kafka.errors.KafkaError when Kafka does not take them: to be asked again.
        """
        (place, _), count, decision = standing
        mine: dict[int, list[Item]] = defaultdict(list)
        for item in items:
            mine[partition_of(item.student_id, self.partitions)].append(item)
        there: dict[int, int] = {}
        times = 1
        if decision is not None and decision.decision == REPLAYED:
            if decision.reason and not again:
                return Sent(place, decision.reason, again=True)
            times = max(decision.statements // max(sum(count.statements.values()), 1), 1) + again
            if not again:
                there = self._published(place, decision.at - _SLACK_US)
        if not there:
            self._decisions.write(REPLAYED, {place: count}, reason="", by=by, at=self._clock(), times=times)
        for partition in sorted(mine.keys() - there.keys()):
            there[partition] = self._publish(partition, mine[partition], place, count)
        where = ", ".join(f"{self._generation}/{partition}/{offset}/0" for partition, offset in sorted(there.items()))
        self._decisions.write(REPLAYED, {place: count}, reason=where, by=by, at=self._clock(), times=times)
        return Sent(place, where, again=times > 1)

    def discard(self, standings: Iterable[Standing], *, reason: str, by: str) -> None:
        """Record that letters are left as they are; raises RepairError for one that was replayed."""
        counts = {}
        for standing in standings:
            if standing.decision is not None and standing.decision.decision == REPLAYED:
                raise RepairError(
                    f"{standing.letter.place} was replayed: what became of it is told by its new position"
                )
            counts[standing.letter.place] = standing.counted
        self._decisions.write(DISCARDED, counts, reason=reason, by=by, at=self._clock())

    def accept(self, partition: int, *, reason: str, by: str) -> int:
        """Have all that is in a partition's log now put aside, however much it is; the offset up to which."""
        until = self._log.end(self._topic, partition) - 1
        self._decisions.accept(self._generation, partition, until, reason=reason, by=by, at=self._clock())
        return until

    def _published(self, place: Place, since_us: int) -> dict[int, int]:
        """Offset by partition of what a replay that died had published."""
        found = {}
        for partition in range(self.partitions):
            if (offset := self._log.replays(self._topic, partition, since_us).get(place)) is not None:
                found[partition] = offset
        return found

    def _publish(self, partition: int, items: Sequence[Item], place: Place, count: Count) -> int:
        counts = dict(Counter(item.provider_id for item in items if item.primary))
        # A record whose count could not be read was never counted: it is now.
        fresh, known = (counts, {}) if place.idx < 0 and not any(count.statements.values()) else ({}, counts)
        replay = Replay(*place[:4], stored=count.stored, counts=known)
        headers = [(COUNTS_HEADER, msgspec.json.encode(fresh)), (REPLAY_HEADER, msgspec.json.encode(replay))]
        value = self._codec.encode(Envelope(INSTANCE, self._clock(), list(items)))
        sent = self._producer().send(self._topic, value, partition=partition, headers=headers)
        return int(sent.get(_PUBLISH_SECONDS).offset)

    def _original(self, letter: Letter) -> list[Item]:
        event = letter.event
        record = self._log.record(event.topic, event.partition, event.offset)
        if record is None:
            raise RepairError(
                "the letter holds the beginning only, and its record is no longer in the log: the log keeps it for"
                " ROUNDTRIP_KAFKA__STATEMENTS_RETENTION_HOURS"
            )
        items = self._decoded(record.value)
        return items if event.index < 0 else [items[event.index]]

    def _decoded(self, value: bytes) -> list[Item]:
        try:
            return self._codec.decode(value).items
        except CodecError as error:
            raise RepairError(f"the record still cannot be decoded: {error}") from None


@contextmanager
def open_office(settings: Settings, client: Client) -> Iterator[Office]:
    """An office over the settings' log and a client of the store; a producer is opened when something is replayed."""
    schemas = schema_registry(settings.kafka.schema_registry_url)
    producers: list[KafkaProducer] = []

    def producer() -> KafkaProducer:
        if not producers:
            largest = LARGEST_REQUEST_BYTES
            producers.append(KafkaProducer(acks="all", max_request_size=largest, **connection(settings.kafka)))
        return producers[0]

    with Log(settings.kafka, dead_letter_codec(schemas)) as log:
        try:
            yield Office(
                log, Decisions(client), producer, envelope_codec(schemas), settings.kafka,
                lambda: time.time_ns() // 1_000,
            )  # fmt: skip
        finally:
            for opened in producers:
                opened.close()
