"""Statements out of a dump, piece by piece: a JSON array, JSON lines, StatementResults, or several of these in a row.

Values are found by their brackets and passed on as bytes, so that what is wrong inside of one is told by the door, and
costs none of the others. Pure; memory is that of one piece and one value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

State = Literal["between", "lines", "array", "result"]
"""Where in a dump a value ends: between values, in JSON lines, in an array, in the array of a StatementResult."""

MAX_VALUE_BYTES: Final = 16 * 1024 * 1024

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+([{}\[\]])", re.DOTALL).match
_BLANK = re.compile(rb"[ \t\r\n]*+").match
_FILLING = re.compile(rb"[ \t\r\n,]*+").match
_SCALAR = re.compile(rb"(?:[^,\]\"]++|" + _STRING + rb")*+(?=[,\]])", re.DOTALL).match
_REST_OF_RESULT = re.compile(
    rb"\s*(?:,\s*(?:" + _STRING + rb"\s*:\s*(?:" + _STRING + rb"|null)\s*)?)?\}", re.DOTALL
).match
_RESULT = re.compile(rb'\{\s*(?:"more"\s*:\s*(?:' + _STRING + rb'|null)\s*,\s*)?"statements"\s*:\s*\[', re.DOTALL).match
_LINE_END = re.compile(rb"[ \t\r]*+(\n?)").match
_BOM: Final = b"\xef\xbb\xbf"


class SplitError(ValueError):
    """A dump that cannot be read on, in words."""


class Value(NamedTuple):
    """One value of a dump, and where to go on after it."""

    raw: bytes
    end: int
    state: State


class Splitter:
    """Fed with pieces of a dump from ``position`` on; begins there in ``state`` (both as a Value told them)."""

    def __init__(self, position: int = 0, state: State = "between") -> None:
        self._state: State = state
        self._data = b""
        self._start = position
        self._at = 0
        self._ended = False
        self._first = position == 0

    def feed(self, piece: bytes) -> Iterator[Value]:
        """The values that are whole now; raises SplitError."""
        self._data = self._data[self._at :] + piece
        self._start += self._at
        self._at = 0
        yield from self._values()
        if len(self._data) - self._at > MAX_VALUE_BYTES:
            place = self._start + self._at
            raise SplitError(f"the value at byte {place:,} does not end within {MAX_VALUE_BYTES:,} bytes")

    def finish(self) -> Iterator[Value]:
        """What is left at the end of the dump: a last line, or a value that was cut off."""
        self._ended = True
        yield from self._values()
        rest = self._data[self._at :].strip()
        if rest:
            self._at = len(self._data)
            yield self._value(rest)

    @property
    def inside(self) -> bool:
        """Whether the dump ended inside of an array."""
        return self._state in ("array", "result")

    def _values(self) -> Iterator[Value]:
        while True:
            if self._first and len(self._data) >= len(_BOM):
                self._first = False
                self._at = len(_BOM) if self._data.startswith(_BOM) else 0
            if self._state == "lines":
                found = self._line()
            elif self._state == "between":
                found = self._between()
            else:
                found = self._element()
            if found is None:
                return
            if found.raw:
                yield found

    def _between(self) -> Value | None:
        """The next value at the top, or nothing of one, where a state was entered."""
        data = self._data
        self._at = _end(_BLANK(data, self._at))
        if self._at >= len(data):
            return None
        first = data[self._at : self._at + 1]
        if first == b"[":
            return self._enter("array", self._at + 1)
        if first == b"{":
            if opened := _RESULT(data, self._at):
                return self._enter("result", opened.end())
            return self._whole(self._at)
        # No JSON that begins a value: the line is passed on, for someone to look at.
        return self._line(back_to="between")

    def _whole(self, at: int) -> Value | None:
        """A statement at the top. One that ends its line begins JSON lines: a line that is broken is one line."""
        end = self._balanced(at)
        if end is None:
            return None
        rest = _LINE_END(self._data, end)
        assert rest is not None, "matches the empty text, too"
        if not rest[1] and rest.end() == len(self._data) and not self._ended:
            return None
        return self._take(at, end, "lines" if rest[1] else "between")

    def _line(self, back_to: State = "lines") -> Value | None:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            return None
        raw = self._data[self._at : end].strip()
        self._at = end + 1
        self._state = back_to
        return self._value(raw)

    def _element(self) -> Value | None:
        """The next element of an array, or nothing of one, where it ends."""
        data = self._data
        at = _end(_FILLING(data, self._at))
        if at >= len(data):
            self._at = at
            return None
        self._at = at
        first = data[at : at + 1]
        if first == b"]":
            return self._close(at + 1)
        if first in b"{[":
            end = self._balanced(at)
        else:
            scalar = _SCALAR(data, at)
            end = scalar.end() if scalar else None
        return None if end is None else self._take(at, end, self._state)

    def _close(self, at: int) -> Value | None:
        if self._state == "array":
            return self._enter("between", at)
        rest = _REST_OF_RESULT(self._data, at)
        if rest:
            return self._enter("between", rest.end())
        if not self._ended and len(self._data) - at < 65_536:
            return None
        return self._enter("between", at)

    def _balanced(self, at: int) -> int | None:
        """Where the value that begins with a bracket ends; None where that is not there yet."""
        depth, data = 0, self._data
        while (found := _BRACKET(data, at)) is not None:
            at = found.end()
            depth += 1 if found[1] in b"{[" else -1
            if not depth:
                return at
        return None

    def _enter(self, state: State, at: int) -> Value:
        self._state, self._at = state, at
        return self._value(b"")

    def _take(self, begin: int, end: int, state: State) -> Value:
        self._state, self._at = state, end
        return self._value(self._data[begin:end])

    def _value(self, raw: bytes) -> Value:
        return Value(raw, self._start + self._at, self._state)


def _end(found: re.Match[bytes] | None) -> int:
    assert found is not None, "matches the empty text, too"
    return found.end()


class _Known(msgspec.Struct):
    """What of a statement decides how it is posted."""

    id: str | None = None
    version: str | None = None


def known_of(raw: bytes) -> tuple[str | None, str] | None:
    """Id and version of a statement; None for what is no JSON object with such properties."""
    try:
        found = msgspec.json.decode(raw, type=_Known)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.id, found.version or ""
