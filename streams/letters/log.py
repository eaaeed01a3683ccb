"""What the log holds of dead letters: the letters themselves, the records that they are about, and replays of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition

from infra.runtime.kafka import connection
from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings
from schemas import topics
from schemas.codec import Codec, CodecError
from schemas.events import DeadLetter
from streams.ledger import told_replay
from streams.letters.place import Place, place_of
from streams.processor import Record

log = get_logger(__name__)

_POLL_MS: Final = 500
_SILENT_SECONDS: Final = 20.0


class Letter(NamedTuple):
    """A dead letter and its place."""

    place: Place
    event: DeadLetter


class Log:
    """Reads of the log; closed when left."""

    def __init__(self, settings: KafkaSettings, codec: Codec[DeadLetter]) -> None:
        self._codec = codec
        self._consumer = KafkaConsumer(
            enable_auto_commit=False, isolation_level="read_committed", **connection(settings)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._consumer.close()

    def letters(self, since_us: int = 0) -> list[Letter]:
        """Letters kept since then, newest first, one for each place: the last, since a redelivery is told again."""
        found: dict[Place, Letter] = {}
        for record in self._records(TopicPartition(topics.DEAD_LETTERS.name, 0), since_us):
            try:
                letter = self._codec.decode(record.value)
            except CodecError as error:
                log.warning("a dead letter cannot be read", offset=record.offset, error=str(error))
                continue
            place = place_of(letter)
            found.pop(place, None)
            found[place] = Letter(place, letter)
        return list(reversed(found.values()))

    def record(self, topic: str, partition: int, offset: int) -> Record | None:
        """A record of the log, None when the log does not hold it any more."""
        tp = TopicPartition(topic, partition)
        if self._first(tp) <= offset:
            for record in self._from(tp, offset, offset + 1):
                if record.offset == offset:
                    headers = tuple(record.headers or ())
                    return Record(partition, offset, record.value, headers, record.timestamp * 1_000)
        return None

    def replays(self, topic: str, partition: int, since_us: int) -> dict[Place, int]:
        """Letters that were put into a partition since then, each with the offset of the last time."""
        found = {}
        for record in self._records(TopicPartition(topic, partition), since_us):
            if replay := told_replay(record.headers or ()):
                place = Place(replay.generation, replay.partition, replay.offset, replay.index)
                found[place] = int(record.offset)
        return found

    def end(self, topic: str, partition: int) -> int:
        """Offset after the last record of a partition."""
        tp = TopicPartition(topic, partition)
        return int(self._consumer.end_offsets([tp])[tp])

    def _records(self, tp: TopicPartition, since_us: int) -> Iterator[Any]:
        start = self._first(tp)
        if since_us > 0:
            [found] = self._consumer.offsets_for_times({tp: since_us // 1_000}).values()
            start = found.offset if found is not None else self.end(*tp)
        yield from self._from(tp, start, self.end(*tp))

    def _from(self, tp: TopicPartition, start: int, end: int) -> Iterator[Any]:
        if start >= end:
            return
        self._consumer.assign([tp])
        self._consumer.seek(tp, start)
        heard_at = time.monotonic()
        # Markers of transactions move the position without a record.
        while self._consumer.position(tp) < end:
            for record in self._consumer.poll(timeout_ms=_POLL_MS).get(tp, ()):
                heard_at = time.monotonic()
                if record.offset < end:
                    yield record
            if time.monotonic() - heard_at > _SILENT_SECONDS:
                raise TimeoutError(f"Kafka sends nothing of {tp.topic}, partition {tp.partition}")

    def _first(self, tp: TopicPartition) -> int:
        return int(self._consumer.beginning_offsets([tp])[tp])
