"""What the extension makes of a record is what the Python makes of it, or nothing at all: then the Python is asked."""

from __future__ import annotations

import json
import math
import random
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from schemas import verbs
from schemas.avro_registry import schema_registry
from schemas.codec import CodecError, envelope_codec
from schemas.events import Envelope, Item
from streams.envelopes import KNOWN_FORM, envelope_decoder
from streams.rows.arrival import Fault, extension, in_python, read
from streams.rows.days import EARLIEST_US, LATEST_US
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_item, make_items

CODEC = envelope_codec(schema_registry(""))
DECODE = envelope_decoder(schema_registry(""))
ITEM = make_item(str(uuid.UUID(int=1)), str(uuid.UUID(int=2)), FIRST_DAY_US)

texts = st.text(max_size=20)
names = st.sampled_from(["", "a", "https://x.example/1", "ä€😀", 'a"b', "a\\b", "\x7f", "\x00", "x" * 200, "\n"])
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, -0.0, 0.5, -1]),
    st.decimals(-100, 100, places=3).map(float),
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, anything)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members, and others."""
    known = st.fixed_dictionaries({}, optional={name: mostly(values) for name, values in fields.items()})
    return st.builds(lambda one, two: {**one, **two}, st.dictionaries(texts, anything, max_size=2), known)


registrations = st.uuids().map(str) | st.sampled_from(["", "8F2F3A1C-3B1E-4D63-9A55-0A6B7C1D2E3F", "8f2f3a1c3b1e4d63"])
durations = st.sampled_from([
    "", "PT1S", "PT0.5S", "PT12.345678S", "PT0.0005S", "PT.5S", "PT5.S", "PT1.2.3S", "PT99999999999999S", "PT1M", "P1D",
    "PT1M30S", "P", "PT", "T1S", "PT1s", "PT1234567890123456S", "PT0.0025S", "PT1,5S", "PT١S", "P1Y2M3W",
])  # fmt: skip
scores = some(scaled=st.none() | numbers, raw=st.none() | numbers, min=st.none() | numbers, max=st.none() | numbers)
results = some(success=st.none() | st.booleans(), score=st.none() | scores, duration=st.none() | durations)
named = some(id=names)
statements = st.builds(
    lambda core, more: {**core, **more},
    st.fixed_dictionaries({"actor": mostly(names), "verb": mostly(named), "object": mostly(names | named)}),
    some(result=st.none() | results, context=st.none() | some(registration=st.none() | registrations)),
)


def as_json(document: Any, rng: random.Random) -> bytes:
    """One of the ways to write it."""
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])
    return json.dumps(document, ensure_ascii=rng.random() < 0.3, separators=separators).encode(errors="surrogatepass")


def made(item: Item) -> object:
    """What the Python makes of an item, to the last digit; None for a fault."""
    try:
        return repr(in_python(3, 70, 5, item))
    except Fault:
        return None


def assert_same(item: Item) -> None:
    by_extension = extension.read(3, 70, 5, item)
    assert by_extension is None or repr(by_extension) == made(item)


def with_statement(data: bytes, verb: str = verbs.ANSWERED) -> Item:
    return msgspec.structs.replace(ITEM, statement=data, verb=verb)


def test_the_extension_was_built_and_knows_the_schema() -> None:
    assert compiled("streams._arrivals") is not None, "python requirements/extension.py --required"
    assert CODEC.form == KNOWN_FORM


def test_nearly_all_statements_are_read_by_the_extension() -> None:
    items = list(make_items(1, 300, Mix(attempts=0.6)))
    assert all(extension.read(1, 2, 3, item) == in_python(1, 2, 3, item) for item in items)
    assert extension.decode(CODEC.encode(Envelope("i", 5, items)), 5) == Envelope("i", 5, items)


@settings(max_examples=400, deadline=None)
@given(statements, st.randoms(use_true_random=False), st.sampled_from([verbs.ANSWERED, verbs.PLAYED]))
def test_a_statement_is_read_as_the_python_reads_it(document: dict[str, Any], rng: random.Random, verb: str) -> None:
    assert_same(with_statement(as_json(document, rng), verb))


@settings(max_examples=400, deadline=None)
@given(statements, st.randoms(use_true_random=False), st.data())
def test_a_broken_statement_is_left_to_the_python(document: Any, rng: random.Random, data: st.DataObject) -> None:
    text = as_json(document, rng)
    place = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b",", b"{", b"\xed\xa0\x80", b"0", b"}"]))
    assert_same(with_statement(text[:place] + piece + text[place + data.draw(st.integers(0, 2)) :]))


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"{}", b"[]", b"null", b"1", b"{}{}", b'"', b"\xef\xbb\xbf{}", b"[" * 100, b'{"a":' * 100,
        b'{"actor":"a","actor":"b","verb":{"id":"v"},"object":"o"}',
        b'{"actor":"a","verb":{"id":"v","id":"w"},"object":"o"}',
        b'{"\\u0061ctor":"a","verb":{"id":"v"},"object":"o"}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o"} ',
        b'{"actor":"a","verb":{"id":"v"},"object":"o"}x',
        b'{"actor":"a","verb":{"id":"v"},"object":"o",}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":01}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":1e999}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":"\\ud83d\\ude00"}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":"\\ud83d"}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":"\xff"}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":"\xe2\x82"}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":tru}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","x":NaN}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","result":{"success":true,"success":false}}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","result":{"score":{"raw":7,"min":2,"max":9.5}}}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","result":{"score":{"raw":1e2,"max":100}}}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o","result":{"score":{"scaled":0.12345678901234567890}}}',
        b'{"actor":"a","verb":{"id":"v"},"object":null}',
        b'{"actor":"a","verb":{"id":"v"},"object":{"id":null}}',
        b'{"actor":"a","verb":{"id":"v"},"object":"o"',
    ],
)  # fmt: skip
def test_odd_statements_are_read_as_the_python_reads_them(text: bytes) -> None:
    assert_same(with_statement(text))


def test_every_cut_of_a_statement_is_left_to_the_python() -> None:
    for end in range(len(ITEM.statement)):
        assert extension.read(3, 70, 5, with_statement(ITEM.statement[:end])) is None


@settings(deadline=None)
@given(st.integers(0, 10**15 - 1), st.integers(0, 15))
@example(25, 4)
def test_decimals_are_the_nearest_doubles(digits: int, behind: int) -> None:
    text = f"{digits:0{behind + 1}d}"
    number = f"{text[: len(text) - behind]}.{text[len(text) - behind :]}" if behind else text
    told = {"actor": "a", "verb": {"id": "v"}, "object": "o"}
    score = json.dumps(told)[:-1].encode() + b',"result":{"duration":"PT%bS","score":{"raw":%b,"max":1000}}}'
    assert_same(with_statement(score.replace(b"%b", number.encode())))


@pytest.mark.parametrize(
    "changes",
    [
        {"statement_id": "no"}, {"student_id": "8f2f3a1c3b1e4d639a550a6b7c1d2e3f----"}, {"student_id": None},
        {"timestamp": EARLIEST_US}, {"timestamp": EARLIEST_US - 1}, {"timestamp": LATEST_US},
        {"timestamp": LATEST_US + 1}, {"stored": -1}, {"stored": 2**70},
        {"statement_id": str(uuid.UUID(int=7)).upper()}, {"verb": "other"},
        {"statement": bytearray(ITEM.statement)},
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_written_is_left_to_the_python(changes: dict[str, Any]) -> None:
    item = msgspec.structs.replace(ITEM, **changes)
    try:
        expected = in_python(3, 70, 5, item)
    except (Fault, TypeError):
        assert extension.read(3, 70, 5, item) is None
    else:
        assert read(3, 70, 5, item) == expected


def decoded(decode: Any, data: bytes) -> object:
    try:
        return decode(data)
    except CodecError as error:
        return str(error)


items = st.builds(
    Item,
    statement_id=texts, student_id=texts, provider_id=texts, verb=texts, skills=st.lists(texts, max_size=3),
    timestamp=st.integers(-(2**63), 2**63 - 1), stored=st.integers(-(2**63), 2**63 - 1),
    digest=st.integers(-(2**63), 2**63 - 1), flags=st.integers(0, 31), statement=st.binary(),
)  # fmt: skip
envelopes = st.builds(Envelope, texts, st.integers(-(2**63), 2**63 - 1), st.lists(items, max_size=4))


@settings(deadline=None)
@given(envelopes)
def test_an_envelope_is_decoded_by_the_extension(envelope: Envelope) -> None:
    data = CODEC.encode(envelope)
    assert extension.decode(data, len(CODEC.header)) == CODEC.decode(data) == envelope


@settings(max_examples=400, deadline=None)
@given(envelopes, st.data())
def test_a_broken_envelope_is_told_by_the_codec(envelope: Envelope, data: st.DataObject) -> None:
    encoded = CODEC.encode(envelope)
    place = data.draw(st.integers(0, len(encoded)))
    piece = data.draw(st.binary(max_size=3))
    broken = encoded[:place] + piece + encoded[place + data.draw(st.integers(0, 3)) :]
    assert decoded(DECODE, broken) == decoded(CODEC.decode, broken)


def test_every_cut_of_an_envelope_is_told_by_the_codec() -> None:
    encoded = CODEC.encode(Envelope("i", 1, [ITEM]))
    for end in range(len(encoded)):
        with pytest.raises(CodecError):
            DECODE(encoded[:end])


def test_a_duration_is_rounded_as_python_rounds() -> None:
    told = b'{"actor":"a","verb":{"id":"v"},"object":"o","result":{"duration":"PT%.4fS"}}'
    for number in (0.0005, 0.0015, 0.0025, 1.0005, 2.6755, math.pi):
        assert_same(with_statement(told % number))
