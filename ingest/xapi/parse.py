"""Bytes of a body to JSON values, exact to the digit, with line and column of what is malformed."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from ingest.xapi.faults import Faults, Rule

MALFORMED = Rule("json.malformed", "1.0.3 Communication 3.2", "Send the body as one JSON text in UTF-8 (RFC 8259).")
DUPLICATE_KEY = Rule("json.duplicate_key", "1.0.3 Data 2.2", "Use each property of an object only once.")

_SAFE_DIGITS = 15
_WHERE = re.compile(r"\(byte (\d+)\)")
_SPELT_COLON: Final = b"\\u003"


def _number(text: str) -> float | Decimal:
    """A number as a float where that keeps its decimal value, else as a Decimal; raises ValueError for an exponent that
    no decimal number has."""
    value = float(text)
    if len(text) <= _SAFE_DIGITS and "e" not in text and "E" not in text:
        return value
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent of some twenty digits
        raise ValueError("its exponent is out of range") from None
    return value if Decimal(repr(value)) == exact else exact


DECODER: Final = msgspec.json.Decoder(float_hook=_number)
ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
SORTED: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")
"""Encoder with sorted keys: equal values, equal bytes."""


def parse(body: bytes, faults: Faults) -> Any:
    """The JSON value in ``body``; notes a fault and returns None where it is malformed or repeats a key."""
    try:
        value = DECODER.decode(body)
    except msgspec.ValidationError as error:
        faults.add(MALFORMED, "$", f"a number is too long: {error}")
        return None
    except msgspec.DecodeError as error:
        faults.add(MALFORMED, "$", _words(body, str(error)))
        return None
    except UnicodeDecodeError as error:
        faults.add(MALFORMED, "$", f"the body is not UTF-8: {error.reason}")
        return None
    except RecursionError:
        faults.add(MALFORMED, "$", "objects and arrays are nested too deeply")
        return None
    try:
        if _may_repeat_a_key(body, value):
            _find_repeated_keys(body, faults)
    except RecursionError:
        faults.add(MALFORMED, "$", "objects and arrays are nested too deeply")
        return None
    return value


def _words(body: bytes, message: str) -> str:
    found = _WHERE.search(message)
    if found is None:
        return "the JSON ends too early, or has a broken escape in a string"
    position = int(found[1])
    before = body[:position]
    line = before.count(b"\n") + 1
    column = position - (before.rfind(b"\n") + 1) + 1
    reason = message.removeprefix("JSON is malformed: ").replace(found[0], "").strip()
    return f"malformed JSON at line {line}, column {column}: {reason}"


def _may_repeat_a_key(body: bytes, value: Any) -> bool:
    """Whether the text may have more keys than the value: each key has one colon, and those inside strings stay.

    Counting costs a fifth of a parser that reports each pair. A text that spells a colon by its number may hide one.
    """
    return _SPELT_COLON in body or body.count(b":") != ENCODER.encode(value).count(b":")


def _find_repeated_keys(body: bytes, faults: Faults) -> None:
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            times = Counter(name for name, _ in found)
            repeated.extend(sorted(name for name, number in times.items() if number > 1))
        return made

    try:
        json.loads(body, object_pairs_hook=pairs)
    except (RecursionError, ValueError):
        faults.add(MALFORMED, "$", "objects and arrays are nested too deeply")
        return
    for name in repeated:
        faults.add(DUPLICATE_KEY, "$", f"an object has the property {name!r} more than once")
