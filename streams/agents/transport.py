"""Faust's Kafka transport, made to read committed records only and to commit what the worker says.

Faust reads uncommitted records unless its own exactly-once mode is on, and tells what may be committed from the
acknowledged records and the gaps between them. A topic that is written in transactions has such a gap after each
transaction (its marker), kept by Faust in a list that is sorted again each time. So nothing is acknowledged to Faust
here: the worker commits offsets itself, and learns from the fetcher's own thread how far the log was read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from infra.runtime.logging import get_logger

log = get_logger(__name__)
faust_log = logging.getLogger("faust.transport.drivers.aiokafka")
"""What Faust's own classes tell stays under its name, though a subclass tells it."""

LONGEST_FETCH_MS: Final = 100
"""How long a broker holds a fetch that finds nothing. A worker has one fetch at a broker, without the partitions whose
records it has not used up: while it is held, these get nothing. Faust's own 1.5 s let a worker stand idle for that."""


class ReadUntil(NamedTuple):
    """How far a partition was read.

    Attributes:
        last_record: offset of the last record handed to Faust, -1 for none since the assignment.
        position: next offset to read: between ``last_record`` and it there are only markers of transactions.
        end: end of the log for readers of committed records (the offset after the last).
        seen_us: when the broker told so, µs.
        fetched: whether records from ``position`` on are in memory, and will be handed over.
    """

    last_record: int
    position: int
    end: int
    seen_us: int = 0
    fetched: bool = False


FIRST: Final = -1
"""Stands before the first record of an assignment."""
_REMEMBERED: Final = 50_000
"""Records of a partition whose predecessors are known: far more than are on their way to the agents at once."""


class ReadCommittedThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    logger = faust_log

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begin()

    def begin(self) -> None:
        """Nothing was read yet."""
        self._read: tuple[Any, dict[TP, ReadUntil]] = (None, {})
        self._chains: dict[TP, dict[int, int]] = {}

    def read_until(self) -> dict[TP, ReadUntil]:
        """How far each partition was read in the present assignment.

        What a former one had read tells nothing: its records may have been thrown away unwritten. A fetch that was
        under way ends in the middle of a rebalance, so that forgetting at the revocation would not be enough.
        """
        assignment, known = self._read
        return dict(known) if assignment is _assignment(self._consumer) else {}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Have all partitions be read from their committed offsets, and from the beginning where there is none.

        Faust throws away what it fetched during a rebalance and seeks back. aiokafka seeks nowhere where nothing was
        committed, so that the first records of a new partition would be gone.
        """
        return dict(await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        committed = await consumer.seek_to_committed()
        if never := [tp for tp, offset in committed.items() if not offset]:
            await consumer.seek_to_beginning(*never)
        return {TP(tp.topic, tp.partition): offset for tp, offset in committed.items()}

    def predecessor(self, tp: TP, offset: int) -> int | None:
        """Offset of the record that was fetched before this one in the present assignment; FIRST where it is the first,
        None where it was not fetched in it. Between the two there are only markers of transactions."""
        return self._chains.get(tp, {}).get(offset)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Read by AIOKafkaConsumer.start(), which comes later, when it makes its fetcher.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = LONGEST_FETCH_MS
        return consumer

    def highwater(self, tp: TP) -> int:
        """End of the log for readers of committed records."""
        return int(self._ensure_consumer().last_stable_offset(tp) or 0)

    async def _fetch_records(self, consumer: Any, active_partitions: Any, **limits: Any) -> Any:
        records = await super()._fetch_records(consumer, active_partitions, **limits)
        assignment = _assignment(consumer)
        if assignment is None:
            return records
        if assignment is not self._read[0]:
            self._read = (assignment, {})
            self._chains = {}
        for tp, fetched in records.items():
            self._chain(TP(tp.topic, tp.partition), fetched)
        known = self._read[1]
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if not state.has_valid_position or state.lso is None:
                continue
            mine = TP(tp.topic, tp.partition)
            fetched = records.get(tp)
            before = known.get(mine)
            last = fetched[-1].offset if fetched else before.last_record if before else -1
            waits = tp in consumer._fetcher._records and (active_partitions is None or mine in active_partitions)
            end = max(state.lso, state.position)
            known[mine] = ReadUntil(last, state.position, end, (state.timestamp or 0) * 1_000, waits)
        return records

    def _chain(self, tp: TP, records: Sequence[Any]) -> None:
        chain = self._chains.setdefault(tp, {})
        last = next(reversed(chain), FIRST)
        for record in records:
            # Fetched again after a seek: its predecessor is known.
            if record.offset > last:
                chain[record.offset] = last
                last = record.offset
        while len(chain) > _REMEMBERED:
            del chain[next(iter(chain))]

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit next offsets; False when the group or the broker does not take them now."""
        return bool(await self.call_thread(self._commit_offsets, offsets))

    async def _commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        mine = consumer.assignment()
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if TopicPartition(*tp) in mine
        }
        if not wanted:  # a batch outlived a rebalance that took all its partitions
            return True
        try:
            await consumer.commit(wanted)
        except (KafkaError, IllegalStateError) as error:
            log.warning("offsets not committed", error=str(error))
            return False
        return True


def _assignment(consumer: Any) -> Any:
    """The present assignment, another object after each rebalance; None where there is none."""
    subscription = consumer._subscription.subscription if consumer is not None else None
    return subscription.assignment if subscription is not None else None


class ReadCommittedConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer over such a thread."""

    logger = faust_log

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: gaps are of use only where Faust itself works out what to commit."""

    def read_until(self) -> Mapping[TP, ReadUntil]:
        """How far each partition was read in the present assignment."""
        return dict(self._thread.read_until())

    def predecessor(self, tp: TP, offset: int) -> int | None:
        """See ReadCommittedThread."""
        return self._thread.predecessor(tp, offset)  # type: ignore[no-any-return]

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit next offsets; False when they are not taken now, to be tried again."""
        return bool(await self._thread.commit_offsets(offsets))


class ReadCommittedTransport(Transport):  # type: ignore[misc]
    """Faust's transport with such a consumer."""

    Consumer = ReadCommittedConsumer
