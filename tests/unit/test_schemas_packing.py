"""Envelopes put together piece by piece are those of the codec, byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas import packing
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import envelope_codec
from schemas.events import Envelope, Item

LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ITEMS = st.builds(
    Item,
    statement_id=st.uuids().map(str),
    student_id=st.uuids().map(str),
    provider_id=TEXT,
    verb=TEXT,
    skills=st.lists(TEXT, max_size=3),
    timestamp=LONG,
    stored=LONG,
    digest=LONG,
    flags=st.integers(0, 31),
    statement=st.binary(max_size=300),
)
REGISTRY = FileSchemaRegistry()
CODEC = envelope_codec(REGISTRY)


@given(TEXT, LONG, st.lists(ITEMS, min_size=1, max_size=4))
def test_a_packed_envelope_is_the_one_that_the_codec_writes(instance: str, published: int, items: list[Item]) -> None:
    packed = [packing.item(one) for one in items]
    made = packing.envelope(packing.framing(REGISTRY), instance, published, packed)
    assert made == CODEC.encode(Envelope(instance, published, items))


@given(ITEMS)
def test_the_id_of_a_packed_item_can_be_read(one: Item) -> None:
    assert packing.statement_id(packing.item(one)) == one.statement_id
