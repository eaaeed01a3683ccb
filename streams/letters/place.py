"""Where a dead letter comes from, as text that can be pasted back. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from schemas.events import DeadLetter

_TEXT: Final = re.compile(r"(\d+)/(\d+)/(\d+)/(-?\d+)(?::([a-z_]+))?")
_REFUSED: Final = "refused_by_"
_WHOLE_STATEMENT: Final = frozenset({"statements", "credits"})


class Place(NamedTuple):
    """Position of a letter's origin: generation, partition and offset of its record, index of the item in it.

    ``idx`` is -1 for a whole record. ``table`` names the table for a single row that the store refused while the
    statement itself is stored; it is empty else.
    """

    generation: int
    partition: int
    offset: int
    idx: int
    table: str = ""

    def __str__(self) -> str:
        text = f"{self.generation}/{self.partition}/{self.offset}/{self.idx}"
        return f"{text}:{self.table}" if self.table else text


def parse_place(text: str) -> Place:
    """The place that a text names; raises ValueError that says what it should look like."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no position: generation/partition/offset/index, as `list` prints it")
    *numbers, table = found.groups()
    generation, partition, offset, idx = map(int, numbers)
    return Place(generation, partition, offset, idx, table or "")


def place_of(letter: DeadLetter) -> Place:
    """Place of a letter."""
    table = letter.reason.removeprefix(_REFUSED) if letter.reason.startswith(_REFUSED) else ""
    if table in _WHOLE_STATEMENT:
        table = ""
    return Place(letter.generation, letter.partition, letter.offset, letter.index, table)


def is_row(letter: DeadLetter) -> bool:
    """Whether the payload is a row that the store refused, as JSON, rather than an item or a record."""
    return letter.reason.startswith(_REFUSED)
