"""Envelopes put together from items that are encoded already: the Avro of ``schemas.codec``, piece by piece.

Ingest encodes each item where it is accepted, and groups what arrives together later; tests hold both to one result.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.avro_registry import SchemaRegistry
from schemas.events import Item
from schemas.topics import STATEMENTS


def framing(registry: SchemaRegistry) -> bytes:
    """Confluent framing of new envelopes."""
    return b"\0" + registry.latest(STATEMENTS.subject)[0].to_bytes(4, "big")


def varint(value: int) -> bytes:
    """A long of Avro: zigzag, seven bits a byte."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def sized(data: bytes) -> bytes:
    """Bytes or a string's UTF-8, behind their length."""
    return varint(len(data)) + data


def meaning(verb: str, skills: Sequence[str]) -> bytes:
    """Canonical verb and skills, as they stand one after the other in an item."""
    listed = varint(len(skills)) + b"".join(sized(one.encode()) for one in skills) if skills else b""
    return sized(verb.encode()) + listed + b"\0"


def item(one: Item) -> bytes:
    """The datum of an item."""
    return b"".join(
        (
            sized(one.statement_id.encode()),
            sized(one.student_id.encode()),
            sized(one.provider_id.encode()),
            meaning(one.verb, one.skills),
            varint(one.timestamp),
            varint(one.stored),
            varint(one.digest),
            varint(one.flags),
            sized(one.statement),
        )
    )


def statement_id(packed: bytes) -> str:
    """The id in an item's datum, its first field: 36 characters behind one byte of length."""
    return packed[1:37].decode()


def envelope(framing: bytes, instance: str, published: int, packed: Sequence[bytes]) -> bytes:
    """An envelope of at least one packed item behind its Confluent framing."""
    return b"".join(
        (framing, sized(instance.encode()), varint(published), varint(len(packed)), *packed, b"\0"),
    )
