"""Items that tell the owner of a student to do something: take a statement out, or fold again (schemas.events)."""

from __future__ import annotations

import msgspec

from schemas.events import DIRECTIVES, REMOVAL, Item, Removal
from streams.history import REASONS
from streams.rows.arrival import Fault, is_uuid
from streams.rows.days import EARLIEST_US, LATEST_US

_removal = msgspec.json.Decoder(Removal).decode


class Directive(msgspec.Struct, frozen=True, gc=False):
    """A directive at its position in the log; without ``removal`` it asks for a fold alone."""

    partition: int
    offset: int
    idx: int
    item: Item
    removal: Removal | None


def read_directive(partition: int, offset: int, idx: int, item: Item) -> Directive:
    """Read an item with one of the flags DIRECTIVES; raises Fault where it cannot be done."""
    if not is_uuid(item.student_id):
        raise Fault("id_invalid", "the id of the student is no UUID")
    if not item.flags & REMOVAL:
        return Directive(partition, offset, idx, item, None)
    if item.flags & DIRECTIVES != REMOVAL:
        raise Fault("directive_invalid", "an item either takes a statement out or folds again")
    if not is_uuid(item.statement_id):
        raise Fault("id_invalid", "the id of the statement is no UUID")
    try:
        removal = _removal(item.statement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault("directive_invalid", f"the item does not say what is taken out: {error}") from None
    if removal.reason not in REASONS:
        raise Fault("directive_invalid", f"nothing is taken out for the reason {removal.reason!r}")
    if not all(EARLIEST_US <= moment <= LATEST_US for moment in (item.timestamp, item.stored, removal.stored)):
        raise Fault("directive_invalid", "a time is not between 1970-01-03 and 2149-06-04")
    if not (0 <= removal.partition < 2**16 and -1 <= removal.offset < 2**62 and 0 <= removal.idx < 2**31):
        raise Fault("directive_invalid", "the position of what is taken out is none")
    return Directive(partition, offset, idx, item, removal)
