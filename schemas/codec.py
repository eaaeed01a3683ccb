"""Events to bytes and back: Avro under Confluent framing (0x00, schema id as 4 big-endian bytes, datum)."""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import Any, Generic, TypeVar

import fastavro
import msgspec

from schemas import events, topics
from schemas.avro_registry import SchemaRegistry
from schemas.topics import Topic

_HEADER = struct.Struct(">BI")

E_ = TypeVar("E_", bound=msgspec.Struct)


class CodecError(ValueError):
    """Bytes that are no event of the topic: wrong framing, unknown schema, or a broken datum."""


class Codec(Generic[E_]):
    """Encodes and decodes the events of one topic. Not shared between threads."""

    def __init__(self, topic: Topic, event: type[E_], registry: SchemaRegistry) -> None:
        self._registry = registry
        self._topic = topic
        self._event = event
        schema_id, schema = registry.latest(topic.subject)
        self._schema = fastavro.parse_schema(schema)
        self.header = _HEADER.pack(0, schema_id)
        """What stands before the events that it encodes."""
        self._readers = {schema_id: partial(fastavro.schemaless_reader, writer_schema=self._schema)}

    @property
    def form(self) -> str:
        """Parsing canonical form of the schema that it encodes by: what of it decides about the bytes."""
        return str(fastavro.schema.to_parsing_canonical_form(self._schema))

    def encode(self, event: E_) -> bytes:
        """Bytes of an event."""
        out = io.BytesIO()
        out.write(self.header)
        fastavro.schemaless_writer(out, self._schema, _plain(event))
        return out.getvalue()

    def decode(self, data: bytes) -> E_:
        """The event in ``data``; raises CodecError, or what the schema registry raises when it is away."""
        if len(data) < _HEADER.size or data[0] != 0:
            raise CodecError(f"{self._topic.name}: no Confluent framing (expected 0x00 and a 4-byte schema id)")
        schema_id = _HEADER.unpack_from(data)[1]
        reader = self._readers.get(schema_id) or self._reader(schema_id)
        source = io.BytesIO(data)
        source.seek(_HEADER.size)
        try:
            event = self._build(reader(source))
        except (EOFError, IndexError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
            raise CodecError(f"{self._topic.name}: broken record of schema {schema_id}: {error!r}") from error
        if source.tell() != len(data):
            raise CodecError(f"{self._topic.name}: {len(data) - source.tell()} bytes after the record")
        return event

    def _build(self, datum: Any) -> E_:
        if self._event is events.Envelope:
            datum["items"] = [events.Item(**item) for item in datum["items"]]
        return self._event(**datum)

    def _reader(self, schema_id: int) -> Any:
        try:
            written = fastavro.parse_schema(self._registry.by_id(schema_id))
        except LookupError as error:
            raise CodecError(f"{self._topic.name}: {error}") from error
        if written["name"] != self._schema["name"]:
            raise CodecError(f"{self._topic.name}: schema {schema_id} is a {written['name']}, not of this topic")
        reader = partial(
            fastavro.schemaless_reader,
            writer_schema=written,
            reader_schema=self._schema,
        )
        self._readers[schema_id] = reader
        return reader


def _plain(event: msgspec.Struct) -> dict[str, Any]:
    plain = msgspec.structs.asdict(event)
    if isinstance(event, events.Envelope):
        plain["items"] = [msgspec.structs.asdict(item) for item in event.items]
    return plain


def envelope_codec(registry: SchemaRegistry) -> Codec[events.Envelope]:
    """Codec of the statements topic."""
    return Codec(topics.STATEMENTS, events.Envelope, registry)


def dead_letter_codec(registry: SchemaRegistry) -> Codec[events.DeadLetter]:
    """Codec of the dead-letters topic."""
    return Codec(topics.DEAD_LETTERS, events.DeadLetter, registry)


def provider_minute_codec(registry: SchemaRegistry) -> Codec[events.ProviderMinute]:
    """Codec of the provider-minutes topic."""
    return Codec(topics.PROVIDER_MINUTES, events.ProviderMinute, registry)


def rejection_codec(registry: SchemaRegistry) -> Codec[events.Rejection]:
    """Codec of the rejections topic."""
    return Codec(topics.REJECTIONS, events.Rejection, registry)


def case_event_codec(registry: SchemaRegistry) -> Codec[events.CaseEvent]:
    """Codec of the case-events topic."""
    return Codec(topics.CASE_EVENTS, events.CaseEvent, registry)
