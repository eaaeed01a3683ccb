"""Publishes counts and rejections to their topics: each second, and once more at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from infra.runtime.logging import get_logger
from ingest.minutes import Minutes
from ingest.producers import Link
from schemas.codec import Codec
from schemas.events import ProviderMinute, Rejection
from schemas.topics import PROVIDER_MINUTES, REJECTIONS

log = get_logger(__name__)

_EVERY_SECONDS = 1.0


class Reporter:
    """Runs beside the requests; what Kafka does not take is kept and tried again."""

    def __init__(
        self,
        minutes: Minutes,
        link: Link,
        minute_codec: Codec[ProviderMinute],
        rejection_codec: Codec[Rejection],
        clock: Callable[[], int],
        timeout_seconds: float,
    ) -> None:
        self._minutes = minutes
        self._link = link
        self._minute_codec = minute_codec
        self._rejection_codec = rejection_codec
        self._clock = clock
        self._timeout = timeout_seconds

    async def run(self) -> None:
        """Publish each second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.publish()

    async def publish(self) -> None:
        """Publish what is due; never raises for a broker that is away."""
        rows, rejections = self._minutes.take(self._clock())
        if not rows and not rejections:
            return
        records = [(PROVIDER_MINUTES.name, row.provider_id, self._minute_codec.encode(row)) for row in rows] + [
            (REJECTIONS.name, one.provider_id, self._rejection_codec.encode(one)) for one in rejections
        ]
        try:
            producer = await self._link.get()
            try:
                async with asyncio.timeout(self._timeout):
                    sent = [await producer.send(topic, value, key=key.encode()) for topic, key, value in records]
                    await asyncio.gather(*sent)
            except BaseException:
                self._link.failed(producer)
                raise
        except Exception as error:
            log.warning("counts were not published", error=repr(error), rows=len(rows))
            self._minutes.give_back(rows, rejections)
