"""Statements in the log, for those who read it beside the workers."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer

from infra.runtime.kafka import connection
from infra.runtime.logging import get_logger
from infra.runtime.settings import KafkaSettings
from schemas.codec import Codec, CodecError
from schemas.events import Envelope, Item

log = get_logger(__name__)


def consumer(settings: KafkaSettings, **options: Any) -> AIOKafkaConsumer:
    """A consumer of committed records that commits nothing by itself; not started."""
    arguments = {"enable_auto_commit": False, "isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    return AIOKafkaConsumer(**{**arguments, **connection(settings), **options})


def statements_of(codec: Codec[Envelope], record: Any) -> list[tuple[int, Item]]:
    """Index and item of each statement in a record, once each: credits of further students and directives are none.

    Empty for a record that cannot be read: the workers put it aside and tell.
    """
    try:
        envelope = codec.decode(record.value)
    except CodecError as error:
        log.warning("an envelope cannot be read", partition=record.partition, offset=record.offset, error=str(error))
        return []
    return [(index, item) for index, item in enumerate(envelope.items) if item.primary]
