"""What kind of statement a request carries, and where the data of an INSERT begin. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
# After the name of the format: blanks, then at most one line end; what follows are data, whatever they look like.
_BEFORE_DATA = re.compile(rb"[ \t\f]*\r?\n?")
_FORMAT_AT_END = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)

READS = frozenset({"SELECT", "WITH", "FROM", "("})


@dataclass(frozen=True)
class Statement:
    """A statement as the engine takes it.

    read: rows that can be streamed. insert: ``sql`` ends before FORMAT, ``data`` are in ``format``. command: all else.
    ``format`` is empty where the statement names none.
    """

    kind: Literal["read", "insert", "command"]
    sql: str
    format: str = ""
    data: bytes = b""


def parse(text: bytes) -> Statement:
    """Split a request's text (its query, then its body); raises UnicodeDecodeError when SQL is not UTF-8."""
    first = _first_word(text)
    if first == "INSERT" and (insert := _insert(text)):
        return insert
    sql = text.decode()
    named = _FORMAT_AT_END.search(sql)
    return Statement("read" if first in READS else "command", sql, named[1] if named else "")


def _first_word(text: bytes) -> str:
    for token in _TOKEN.finditer(text):
        if token.lastgroup != "space":
            return token[0].decode("utf-8", "replace").upper()
    return ""


def _insert(text: bytes) -> Statement | None:
    """An INSERT with data in a format; None for INSERT ... VALUES and ... SELECT, which the engine takes whole."""
    depth = 0
    words: list[re.Match[bytes]] = []
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
        elif token.lastgroup == "word" and depth == 0:
            words.append(token)
            if len(words) > 2 and words[-1][0].upper() in (b"VALUES", b"SELECT", b"WITH", b"FROM"):
                return None
            if len(words) > 2 and words[-2][0].upper() == b"FORMAT":
                gap = _BEFORE_DATA.match(text, token.end())
                assert gap is not None
                sql = text[: words[-2].start()].decode()
                return Statement("insert", sql, token[0].decode(), text[gap.end() :])
    return None
