"""What could not be processed goes to a topic of its own, before its record is acknowledged."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from infra.runtime.logging import get_logger
from schemas import topics
from schemas.codec import Codec
from schemas.events import DeadLetter
from streams.rows import tables
from streams.sink import Refused

log = get_logger(__name__)

_PAUSE_SECONDS = 1.0
LARGEST_REQUEST_BYTES = 16 * 1024 * 1024
"""Above what the topic takes, so that it is the broker that judges, after compression."""
CUT_BYTES = 256 * 1024


def key_of(letter: DeadLetter) -> bytes:
    """Position of the origin, so that a letter published twice is known for the same."""
    return f"{letter.topic}/{letter.partition}/{letter.offset}/{letter.index}".encode()


class DeadLetters:
    """Publishes dead letters; waits for Kafka's acknowledgement of each, and tries again while Kafka is away."""

    def __init__(self, producer: AIOKafkaProducer, codec: Codec[DeadLetter]) -> None:
        self._producer = producer
        self._codec = codec

    async def publish(self, letters: Iterable[DeadLetter]) -> None:
        """Return when all are kept."""
        for letter in letters:
            log.warning(
                "dead letter", reason=letter.reason, message=letter.message, partition=letter.partition,
                offset=letter.offset, index=letter.index, provider=letter.provider_id,
            )  # fmt: skip
            await self._publish(letter)

    async def _publish(self, letter: DeadLetter) -> None:
        key = key_of(letter)
        while True:
            try:
                await self._producer.send_and_wait(topics.DEAD_LETTERS.name, self._codec.encode(letter), key=key)
            except MessageSizeTooLargeError:
                # The whole of it stands in its own topic, at the position that the letter names.
                cut = f"{letter.message} (the first {CUT_BYTES} of {len(letter.payload)} bytes)"  # see is_cut
                letter = msgspec.structs.replace(letter, message=cut, payload=letter.payload[:CUT_BYTES])
            except KafkaError as error:
                log.warning("the dead letter is not kept yet; waiting", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return


def is_cut(letter: DeadLetter) -> bool:
    """Whether the payload is the beginning only: the whole of it stands at the position that the letter names."""
    return len(letter.payload) == CUT_BYTES and letter.message.endswith(" bytes)")


def of_refused(refused: Refused, topic: str, generation: int, at: int) -> DeadLetter:
    """Dead letter of a row that ClickHouse does not take; the row as JSON is its payload."""
    values = dict(zip(refused.columns.names, refused.row, strict=True))
    return DeadLetter(
        topic=topic,
        generation=generation,
        partition=_number(values.get("partition")),
        offset=_number(values.get("offset", values.get("watermark"))),
        index=_number(values.get("idx")),
        provider_id=str(values.get("provider_id", "")),
        statement_id=str(values.get("statement_id", "")),
        stored=_number(values.get("stored")),
        reason=f"refused_by_{refused.columns.table}",
        message=refused.message[:2_000],
        payload=msgspec.json.encode(values, enc_hook=_as_json),
        at=at,
    )


def outcome_of_refused(letter: DeadLetter) -> tuple[object, ...]:
    """Row of the table outcomes for a refused row of the table statements."""
    return (
        letter.generation, letter.partition, letter.offset, letter.index, letter.provider_id, letter.statement_id,
        letter.stored, 1, "dead", letter.reason, letter.message, letter.at,
    )  # fmt: skip


def is_statement(refused: Refused) -> bool:
    """Whether a refused row is a statement's own, which counts in the reconciliation."""
    return refused.columns is tables.STATEMENTS


def _as_json(value: object) -> object:
    return value.tolist() if isinstance(value, array) else str(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
