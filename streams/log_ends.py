"""An independent look at the log: where its partitions end, asked by a client of its own every few seconds.

What a consumer knows of the log's end it learns by fetching. One that has stopped fetching believes that there is
nothing to do; so its own word is not enough to tell a worker that idles from one that is stuck.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from infra.runtime.kafka import CONSUMER_GROUP, connection
from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings

log = get_logger(__name__)

LOOK_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0


class LogEnds:
    """Ends of the partitions that are asked for. ``clock`` tells now in µs.

    Attributes:
        away: why Kafka does not answer, in words; empty when it does.
    """

    def __init__(self, settings: KafkaSettings, topic: str, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._topic = topic
        self._clock = clock
        self._consumer: KafkaConsumer | None = None
        self._ends: Mapping[int, int] = {}
        self._committed: dict[int, int] = {}
        self._asked_at = 0
        self._stop = threading.Event()
        self.away = ""

    def end(self, partition: int) -> tuple[int, int]:
        """Offset after the last committed record of a partition, and when that was asked for (µs); 0 and 0 before."""
        return (self._ends[partition], self._asked_at) if partition in self._ends else (0, 0)

    def committed(self, partition: int) -> int | None:
        """Offset that the group had committed when the partition was first asked for."""
        return self._committed.get(partition)

    def drop(self, partitions: Collection[int]) -> None:
        """Partitions were revoked: another worker commits from now on."""
        for partition in partitions:
            self._committed.pop(partition, None)

    def start(self, assigned: Callable[[], Collection[int]]) -> None:
        """Ask every LOOK_SECONDS, in a thread of its own that ends with the process."""
        threading.Thread(target=self._run, args=(assigned,), name="log ends", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self, assigned: Callable[[], Collection[int]]) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look(list(assigned()))
            except Exception as error:
                self.away = f"Kafka does not answer: {error!r:.200}"
                self._close()
            else:
                self.away = ""
        self._close()

    def look(self, partitions: Collection[int]) -> None:
        """Ask once; raises what the client raises when Kafka does not answer."""
        if not partitions:
            return
        deadline = time.monotonic() + ANSWER_SECONDS
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                group_id=CONSUMER_GROUP,
                enable_auto_commit=False,
                isolation_level="read_committed",
                bootstrap_timeout_ms=round(ANSWER_SECONDS * 1_000),
                **connection(self._settings),
            )
        asked_at = self._clock()
        found = self._consumer.end_offsets(
            [TopicPartition(self._topic, partition) for partition in partitions], timeout_ms=_left_ms(deadline)
        )
        for partition in partitions:
            if partition not in self._committed:
                tp = TopicPartition(self._topic, partition)
                self._committed[partition] = self._consumer.committed(tp, timeout_ms=_left_ms(deadline)) or 0
        self._ends, self._asked_at = {tp.partition: int(end) for tp, end in found.items()}, asked_at

    def _close(self) -> None:
        if self._consumer is not None:
            try:
                self._consumer.close(autocommit=False)
            except Exception as error:
                log.warning("a client of Kafka did not close in order", error=repr(error))
            self._consumer = None


def _left_ms(deadline: float) -> int:
    return max(round((deadline - time.monotonic()) * 1_000), 1)
