"""Bodies to values: exact numbers, and words for what is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.xapi.faults import Faults
from ingest.xapi.parse import DECODER, ENCODER, parse


def fault(body: bytes) -> tuple[str, str]:
    faults = Faults()
    parse(body, faults)
    [only] = faults
    return only.rule, only.message


@pytest.mark.parametrize(
    "number", ["0.1", "1e400", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "-0.85", "1E5"]
)
def test_a_number_keeps_its_decimal_value(number: str) -> None:
    from decimal import Decimal

    kept = ENCODER.encode(DECODER.decode(number.encode())).decode()
    assert Decimal(kept) == Decimal(number)


def test_malformed_json_is_told_with_line_and_column() -> None:
    assert fault(b'{"actor": 1,\n  "verb": x}') == (
        "json.malformed",
        "malformed JSON at line 2, column 11: invalid character",
    )


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"[" * 100_000, b"{} {}", b"NaN"])
def test_what_is_no_json_is_a_fault(body: bytes) -> None:
    assert fault(body)[0] == "json.malformed"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a" :1, "a" : 1}',
        b'[{"x":{"a":"1:2","a":"1:2"}}]',
        b'{"a":"\\u003a","a":1}',
        b'{"a\\\\":1,"a\\\\":1}',
        b'{"a":1,"\\u0061":1}',
    ],
)
def test_a_repeated_key_is_a_fault(body: bytes) -> None:
    assert fault(body)[0] == "json.duplicate_key"


def test_a_repeated_key_among_very_many_is_found_in_one_pass() -> None:
    body = b"{" + b",".join(b'"%d":1' % number for number in range(200_000)) + b',"7":1}'
    assert fault(body) == ("json.duplicate_key", "an object has the property '7' more than once")


@pytest.mark.parametrize("number", [b"1e" + b"9" * 30, b"-1.5E-" + b"9" * 30, b"1e" + b"9" * 100_000])
def test_an_exponent_that_no_number_has_is_a_fault(number: bytes) -> None:
    rule, message = fault(b'{"raw":' + number + b"}")
    assert rule == "json.malformed"
    assert "its exponent is out of range" in message


def test_the_same_key_in_two_objects_is_no_fault() -> None:
    faults = Faults()
    assert parse(b'[{"a":1},{"a":"\\u003A \\": x"}]', faults) == [{"a": 1}, {"a": ":" + ' ": x'}]
    assert faults == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_what_was_encoded_is_read_back(value: object) -> None:
    faults = Faults()
    assert parse(ENCODER.encode(value), faults) == value
    assert faults == []
