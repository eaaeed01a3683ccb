"""Rows to ClickHouse's Native format: one block of columns, written with as few steps a value as Python allows.

The client's own insert writes UUIDs one by one and compresses for a network; here a column of UUIDs is one
bytes.fromhex, one of numbers one array. A test holds it to the bytes that the client writes. What the format looks like
is told by clickhouse.com/docs/interfaces/formats/Native and ClickHouse's SerializationLowCardinality.cpp.

Where streams/_native.c was compiled, it writes the blocks of the types that it knows; what it does not take as exactly
what it expects is written, or refused, here.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, Final

from infra.runtime.compiled import compiled

Writer = Callable[[Sequence[Any]], bytes]

_ARRAYS: Final = {
    "UInt8": "B", "UInt16": "H", "UInt32": "I", "UInt64": "Q", "Int32": "i", "Int64": "q", "Float64": "d",
    "Date": "H", "DateTime": "I", "DateTime64": "q",
}  # fmt: skip
_INNER = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_SHARED_DICTIONARIES: Final = (1).to_bytes(8, "little")
_OWN_DICTIONARY: Final = 1 << 9 | 1 << 10
_LITTLE: Final = sys.byteorder == "little"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_LENGTHS: Final = [_varint(length) for length in range(4096)]
_compiled: Final = compiled("streams._native")
_COMPILED_KINDS: Final = {
    "String": "s",
    "UUID": "u",
    "LowCardinality(String)": "l",
    "Array(LowCardinality(String))": "a",
    "Array(Float64)": "D",
}


def block(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A block of at least one row; raises ValueError, TypeError or OverflowError where a value is not of its type.

    Values are plain: UUIDs as strings, moments in the ticks of their type, dates as days since 1970-01-01.
    """
    if _compiled is not None and isinstance(rows, list) and (plan := _plan(tuple(names), tuple(types))):
        head = _length(len(names)) + _length(len(rows))
        written: bytes | None = _compiled.block(head, plan, rows)
        if written is not None:
            return written
    return in_python(names, types, rows)


@lru_cache(maxsize=100)
def _plan(names: tuple[str, ...], types: tuple[str, ...]) -> tuple[tuple[bytes, str], ...] | None:
    """What the extension is told of each column; None when it does not write one of the types."""
    sent = [_sent(kind) for kind in types]
    kinds = [_COMPILED_KINDS.get(kind) or _ARRAYS.get(_parts(kind)[0]) for kind in sent]
    if None in kinds or len(names) != len(types):
        return None
    heads = [_strings(pair) + _prefix(pair[1]) for pair in zip(names, sent, strict=True)]
    return tuple(zip(heads, [kind for kind in kinds if kind], strict=True))


def in_python(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The same block, without the extension."""
    parts = [_length(len(names)), _length(len(rows))]
    for name, kind, column in zip(names, types, zip(*rows, strict=True), strict=True):
        sent = _sent(kind)
        parts += (_strings((name, sent)), _prefix(sent), _writer(sent)(column))
    return b"".join(parts)


def _sent(kind: str) -> str:
    """The type that is written: of a SimpleAggregateFunction that of its value."""
    name, inner = _parts(kind)
    return inner.partition(",")[2].strip() if name == "SimpleAggregateFunction" else kind


def _parts(kind: str) -> tuple[str, str]:
    found = _INNER.fullmatch(kind)
    assert found is not None, kind
    return found[1], found[2] or ""


def _prefix(kind: str) -> bytes:
    """What stands before the values of a column with a dictionary, however deep it lies."""
    return _SHARED_DICTIONARIES if "LowCardinality" in kind else b""


def _writer(kind: str) -> Writer:
    name, inner = _parts(kind)
    if name == "String":
        return _strings
    if name == "UUID":
        return _uuids
    if name == "LowCardinality" and inner == "String":
        return _dictionary
    if name == "Array":
        return lambda column: _lists(column, _writer(inner))
    if name == "Nullable" and (inner_code := _ARRAYS.get(_parts(inner)[0])):
        return lambda column: _nullable(inner_code, column)
    if code := _ARRAYS.get(name):
        return lambda column: _numbers(code, column)
    raise TypeError(f"no values of type {kind} are written")


def _length(value: int) -> bytes:
    return _LENGTHS[value] if value < len(_LENGTHS) else _varint(value)


def _strings(column: Iterable[str | bytes]) -> bytes:
    encoded = [value.encode() if isinstance(value, str) else value for value in column]
    parts = [b""] * (2 * len(encoded))
    parts[::2] = [_length(len(value)) for value in encoded]
    parts[1::2] = encoded
    return b"".join(parts)


def _uuids(column: Sequence[str]) -> bytes:
    """Two little-endian halves each."""
    if {len(value) for value in column} != {36}:
        raise ValueError("a UUID is written in 36 characters")
    halves = array("Q", bytes.fromhex("".join(column).replace("-", "")))
    halves.byteswap()
    return halves.tobytes()


def _numbers(code: str, column: Iterable[float]) -> bytes:
    values = array(code, column)
    if not _LITTLE:
        values.byteswap()
    return values.tobytes()


def _dictionary(column: Sequence[str]) -> bytes:
    if not column:
        return b""
    places: dict[str, int] = {}
    keys = [places.setdefault(value, len(places)) for value in column]
    width = 0 if len(places) <= 1 << 8 else 1 if len(places) <= 1 << 16 else 2
    return b"".join(
        (
            _numbers("Q", (width | _OWN_DICTIONARY, len(places))),
            _strings(places),
            _numbers("Q", (len(keys),)),
            _numbers("BHI"[width], keys),
        )
    )


def _lists(column: Sequence[Sequence[Any]], inner: Writer) -> bytes:
    ends = _numbers("Q", accumulate(map(len, column)))
    return ends + inner(list(chain.from_iterable(column)))


def _nullable(code: str, column: Sequence[float | None]) -> bytes:
    missing = bytes(value is None for value in column)
    return missing + _numbers(code, (0 if value is None else value for value in column))
