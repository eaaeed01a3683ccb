"""Bytes of the statements topic to envelopes: by the extension for the schema that it knows, else by the codec."""

from __future__ import annotations

from collections.abc import Callable

from schemas.avro_registry import SchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import Envelope
from streams.rows.arrival import extension

_FIELDS = (
    '{"name":"statement_id","type":"string"},{"name":"student_id","type":"string"},{"name":"provider_id","type":"string"}'
    ',{"name":"verb","type":"string"},{"name":"skills","type":{"type":"array","items":"string"}}'
    ',{"name":"timestamp","type":"long"},{"name":"stored","type":"long"},{"name":"digest","type":"long"}'
    ',{"name":"flags","type":"int"},{"name":"statement","type":"bytes"}'
)
KNOWN_FORM = (
    '{"name":"roundtrip.statements.Envelope","type":"record","fields":[{"name":"instance","type":"string"}'
    ',{"name":"published","type":"long"},{"name":"items","type":{"type":"array","items":{'
    f'"name":"roundtrip.statements.Item","type":"record","fields":[{_FIELDS}]}}}}}}]}}'
)
"""Parsing canonical form of the schema that streams/_arrivals.c was written for."""


def envelope_decoder(schemas: SchemaRegistry) -> Callable[[bytes], Envelope]:
    """What decodes a record; it raises CodecError, or what the schema registry raises when it is away."""
    codec = envelope_codec(schemas)
    if extension is None or codec.form != KNOWN_FORM:
        return codec.decode
    header, in_bytes = codec.header, len(codec.header)
    by_extension: Callable[[bytes, int], Envelope | None] = extension.decode

    def decode(data: bytes) -> Envelope:
        envelope = by_extension(data, in_bytes) if data[:in_bytes] == header else None
        # What the extension leaves is broken or of another schema: the codec tells.
        return codec.decode(data) if envelope is None else envelope

    return decode
