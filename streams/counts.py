"""What ingest counted and refused, and what became of cases, from their topics to their tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from infra.runtime.logging import get_logger
from schemas.avro_registry import SchemaRegistry
from schemas.codec import CodecError, case_event_codec, provider_minute_codec, rejection_codec
from streams.rows import tables
from streams.rows.tables import Columns, Row
from streams.sink import Sink

log = get_logger(__name__)


class _Counts:
    """Writes the records of a topic as rows; what cannot be read or written is told in the log and left."""

    columns: Columns

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def row(self, value: bytes, offset: int) -> Row:
        """Row of a record; raises CodecError."""
        raise NotImplementedError

    async def handle(self, messages: Sequence[Any]) -> None:
        """Return when all are written."""
        rows = []
        for message in messages:
            try:
                rows.append(self.row(message.value, message.offset))
            except CodecError as error:
                log.warning("not readable", topic=message.topic, offset=message.offset, error=str(error))
        for refused in await asyncio.to_thread(self._sink.insert, self.columns, rows):
            log.warning("refused by ClickHouse", table=self.columns.table, error=refused.message)


class ProviderMinutes(_Counts):
    """Topic and table provider_minutes."""

    columns = tables.PROVIDER_MINUTES

    def __init__(self, sink: Sink, schemas: SchemaRegistry) -> None:
        super().__init__(sink)
        self._codec = provider_minute_codec(schemas)

    def row(self, value: bytes, offset: int) -> Row:
        """Its minute as seconds since the epoch."""
        m = self._codec.decode(value)
        counts = (m.requests, m.accepted, m.rejected, m.latency_us, m.latency_buckets)
        return (m.provider_id, m.minute // 1_000_000, m.instance, *counts, offset)


class Rejections(_Counts):
    """Topic and table rejections."""

    columns = tables.REJECTIONS

    def __init__(self, sink: Sink, schemas: SchemaRegistry) -> None:
        super().__init__(sink)
        self._codec = rejection_codec(schemas)

    def row(self, value: bytes, offset: int) -> Row:
        """One fault of a refused request."""
        r = self._codec.decode(value)
        return (
            r.provider_id, r.at, r.request_id, r.status, r.rule, r.section, r.path, r.message, r.fix, r.value, offset,
        )  # fmt: skip


class CaseEvents(_Counts):
    """Topic and table case_events: an event that was published twice is one row."""

    columns = tables.CASE_EVENTS

    def __init__(self, sink: Sink, schemas: SchemaRegistry) -> None:
        super().__init__(sink)
        self._codec = case_event_codec(schemas)

    def row(self, value: bytes, offset: int) -> Row:
        """One transition of a case."""
        e = self._codec.decode(value)
        return (
            e.event_id, e.case_id, e.sequence, e.student_id, e.at, e.who, e.action, e.before, e.after, e.why, e.details,
            offset,
        )  # fmt: skip
