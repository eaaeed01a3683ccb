"""From the registry to the log: events of cases that Kafka may not have yet, sent until it has them.

An event is marked after its acknowledgement. A crash in between sends it again, with the id that it had; the table
case_events keeps one row of it. A reader of the topic writes that table (streams.counts), so that it holds what the log
holds and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.runtime.cases import CaseEvent, mark_published, unpublished
from infra.runtime.logging import get_logger
from schemas import events, topics
from schemas.codec import Codec

log = get_logger(__name__)

MOST = 500
"""Events in one go."""


class Outbox:
    """Publishes what waits; run by the owner of partition 0. Two owners for a moment send events twice, no more."""

    def __init__(
        self, registry: Engine, producer: AIOKafkaProducer, codec: Codec[events.CaseEvent], seconds: float
    ) -> None:
        self._registry = registry
        self._producer = producer
        self._codec = codec
        self._seconds = seconds

    async def run(self, mine: Callable[[], bool]) -> None:
        """Publish until cancelled, while it is ``mine`` to do. What fails is told and tried again."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                while mine() and await self.publish() == MOST:
                    pass
            except (KafkaError, SQLAlchemyError) as error:
                log.warning("events of cases are not published yet", error=str(error))

    async def publish(self) -> int:
        """Send what waits, the oldest first, and mark what Kafka acknowledged; returns how many."""
        waiting = await asyncio.to_thread(self._waiting)
        if not waiting:
            return 0
        sent = [
            await self._producer.send(
                topics.CASE_EVENTS.name, self._codec.encode(_event(event)), key=event.student_id.encode()
            )
            for event in waiting
        ]
        await asyncio.gather(*sent)
        await asyncio.to_thread(self._mark, [event.event_id for event in waiting])
        return len(waiting)

    def _waiting(self) -> list[CaseEvent]:
        with self._registry.connect() as connection:
            return unpublished(connection, MOST)

    def _mark(self, event_ids: Sequence[str]) -> None:
        with self._registry.begin() as connection:
            mark_published(connection, event_ids)


def _event(event: CaseEvent) -> events.CaseEvent:
    return events.CaseEvent(
        event.event_id, event.case_id, event.sequence, event.student_id, event.at, event.who, event.action,
        event.before, event.after, event.why, json.dumps(event.details, ensure_ascii=False, sort_keys=True),
    )  # fmt: skip
