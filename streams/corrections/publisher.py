"""Corrections go into the log: each into the partition of its student, where the owner of the student handles it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer

from infra.runtime.kafka import connection
from infra.runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.events import FOLD_AGAIN, Envelope, Item
from schemas.partitioning import partition_of
from streams.ledger import COUNTS_HEADER
from streams.rows.arrival import NO_UUID

MOST_ITEMS: Final = 500
MOST_BYTES: Final = 1024 * 1024
"""Of an envelope, as at the door; a larger item goes alone."""
NOTHING_TO_COUNT: Final = [(COUNTS_HEADER, b"{}")]


def fold_again(student_id: str, now: int) -> Item:
    """Has the owner of a student fold and count the student again from the store; ``now`` in µs."""
    return Item(
        statement_id=NO_UUID,
        student_id=student_id,
        provider_id="",
        verb="",
        skills=[],
        timestamp=now,
        stored=now,
        digest=0,
        flags=FOLD_AGAIN,
        statement=b"",
    )


def envelopes(items: Iterable[Item], partitions: int, instance: str, now: int) -> Iterator[tuple[int, Envelope]]:
    """Items in envelopes with their partitions, in the order of each partition; ``now`` in µs."""
    waiting: dict[int, list[Item]] = defaultdict(list)
    size: dict[int, int] = defaultdict(int)
    for item in items:
        partition = partition_of(item.student_id, partitions)
        mine, length = waiting[partition], len(item.statement)
        if mine and (len(mine) == MOST_ITEMS or size[partition] + length > MOST_BYTES):
            yield partition, Envelope(instance, now, mine)
            mine = waiting[partition] = []
            size[partition] = 0
        mine.append(item)
        size[partition] += length
    for partition, rest in waiting.items():
        yield partition, Envelope(instance, now, rest)


async def publish(
    producer: AIOKafkaProducer,
    codec: Codec[Envelope],
    topic: str,
    partitions: int,
    instance: str,
    items: Sequence[Item],
    now: int,
) -> dict[int, int]:
    """The last offset of each partition, when Kafka has acknowledged all items, which count nowhere.

    Raises aiokafka.errors.KafkaError.

    ``now`` in µs. After an error some may be in the log. Published again they change nothing more.
    """
    offsets = {}
    for partition, envelope in envelopes(items, partitions, instance, now):
        value = codec.encode(envelope)
        sent = await producer.send_and_wait(topic, value, partition=partition, headers=NOTHING_TO_COUNT)
        offsets[partition] = sent.offset
    return offsets


def publish_once(
    settings: KafkaSettings, codec: Codec[Envelope], topic: str, instance: str, items: Sequence[Item]
) -> None:
    """The same for a command: with a producer of its own, which is closed again."""

    async def run() -> None:
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, compression_type="lz4", **connection(settings))
        await producer.start()
        try:
            now = max(item.stored for item in items)
            await publish(producer, codec, topic, settings.partitions, instance, items, now)
        finally:
            await producer.stop()

    if items:
        asyncio.run(run())
