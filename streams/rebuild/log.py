"""A range of time of the statements log, read again from start to end, partition by partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.runtime.kafka import connection
from infra.runtime.settings import KafkaSettings
from streams.batch import Record

RECORDS_AT_ONCE: Final = 200
BYTES_AT_ONCE: Final = 8 * 1024 * 1024


class EmptyRangeError(ValueError):
    """The log holds nothing of the range that workers have processed."""


class RetentionError(ValueError):
    """The range begins before what the log still holds."""


class Range(NamedTuple):
    """Offsets of one partition from ``start`` up to, not including, ``end``; ``left`` more were not processed yet."""

    partition: int
    start: int
    end: int
    left: int = 0

    @property
    def records(self) -> int:
        """At most: markers of transactions are among them."""
        return max(self.end - self.start, 0)


def open_consumer(settings: KafkaSettings) -> AIOKafkaConsumer:
    """A consumer that belongs to no group and commits nothing."""
    return AIOKafkaConsumer(
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_bytes=BYTES_AT_ONCE,
        max_partition_fetch_bytes=BYTES_AT_ONCE,
        **connection(settings),
    )


async def find(
    consumer: Any, topic: str, partitions: int, since: int, until: int | None, written: Sequence[int]
) -> list[Range]:
    """The ranges of all partitions between two times (µs), no further than ``written``; times are those of records.

    Raises RetentionError and EmptyRangeError, with what to do in words.
    """
    tps = [TopicPartition(topic, partition) for partition in range(partitions)]
    first, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    begin = await consumer.offsets_for_times({tp: max(since // 1_000, 0) for tp in tps})
    stop = await consumer.offsets_for_times(dict.fromkeys(tps, until // 1_000)) if until is not None else {}
    _check_retention(first, begin, since)
    found = []
    for tp in tps:
        start = begin[tp].offset if begin.get(tp) else ends[tp]
        end = stop[tp].offset if stop.get(tp) else ends[tp]
        reached = min(end, written[tp.partition] + 1)
        found.append(Range(tp.partition, start, reached, max(end - max(reached, start), 0)))
    if not any(one.records for one in found):
        if left := sum(one.left for one in found):
            raise EmptyRangeError(f"the workers have not processed the {left:,} records of that time yet")
        raise EmptyRangeError("the log holds nothing of that time")
    return found


def _check_retention(first: Mapping[Any, int], begin: Mapping[Any, Any], since: int) -> None:
    """Before the first record that is left, there were others, when it is not the very first."""
    oldest = max(
        (found.timestamp for tp, found in begin.items() if found and 0 < first[tp] == found.offset),
        default=0,
    )
    if oldest * 1_000 > since:
        at = datetime.fromtimestamp(oldest / 1_000, UTC).isoformat(timespec="seconds")
        raise RetentionError(
            f"the log no longer holds all of that time: begin at {at} or later. What came before is in the store, "
            "and `roundtrip rebuild` computes states from there"
        )


async def read(consumer: Any, topic: str, one: Range) -> AsyncIterator[list[Record]]:
    """The records of a range, some at a time."""
    tp = TopicPartition(topic, one.partition)
    consumer.assign([tp])
    consumer.seek(tp, one.start)
    while await consumer.position(tp) < one.end:
        for messages in (await consumer.getmany(timeout_ms=500, max_records=RECORDS_AT_ONCE)).values():
            records = [
                Record(m.partition, m.offset, m.value, tuple(m.headers or ()), m.timestamp * 1_000)
                for m in messages
                if m.offset < one.end
            ]
            if records:
                yield records
