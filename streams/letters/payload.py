"""The payload of a letter: items as people read and repair them, and back. Pure.

An item is shown as JSON with its statement inside, number for number as it stands in the log. What was repaired may
change what the letter is about, but not who sent it nor when it was accepted: that is what the balance counts by.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from schemas import verbs
from schemas.events import DeadLetter, Item
from streams.rows.arrival import Fault, read
from streams.rows.texts import whole_text

_FIXED: Final = ("provider_id", "stored", "digest", "flags")
"""Fields that a repair may not change."""


class RepairError(ValueError):
    """A repaired item that cannot be taken; the message says why."""


class _Repair(msgspec.Struct, forbid_unknown_fields=True):
    statement_id: str | msgspec.UnsetType = msgspec.UNSET
    student_id: str | msgspec.UnsetType = msgspec.UNSET
    provider_id: str | msgspec.UnsetType = msgspec.UNSET
    verb: str | msgspec.UnsetType = msgspec.UNSET
    skills: list[str] | msgspec.UnsetType = msgspec.UNSET
    timestamp: int | msgspec.UnsetType = msgspec.UNSET
    stored: int | msgspec.UnsetType = msgspec.UNSET
    digest: int | msgspec.UnsetType = msgspec.UNSET
    flags: int | msgspec.UnsetType = msgspec.UNSET
    statement: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Identified(msgspec.Struct):
    id: str | None = None


class _Row(msgspec.Struct):
    """What a refused row of statements or credits holds of its item."""

    statement_id: str
    student_id: str
    provider_id: str
    verb: str
    skills: list[str]
    timestamp: int
    stored: int
    digest: int
    statement: bytes


def item_of(letter: DeadLetter) -> Item:
    """The item in a letter's payload; raises RepairError when there is none, as in one that was cut."""
    try:
        return msgspec.json.decode(letter.payload, type=Item)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepairError(f"the payload holds no whole item: {error}") from None


def item_of_row(letter: DeadLetter) -> Item:
    """The item that a refused row of the table statements was made of; flags of generated ids are not in it."""
    try:
        row = msgspec.json.decode(letter.payload, type=_Row)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepairError(f"the row does not hold its statement: {error}") from None
    values = msgspec.structs.asdict(row)
    return Item(**values | {"statement": whole_text(row.statement, row.statement_id)}, flags=0)


def item_json(item: Item) -> bytes:
    """An item as JSON to be read and repaired: its statement inside, else as text or base64."""
    plain: dict[str, Any] = msgspec.structs.asdict(item)
    try:
        msgspec.json.decode(item.statement)
        plain["statement"] = msgspec.Raw(item.statement)
    except (msgspec.DecodeError, UnicodeDecodeError):
        plain["statement"] = _text(item.statement)
    return msgspec.json.format(msgspec.json.encode(plain), indent=2)


def bytes_shown(payload: bytes, most: int = 256) -> str:
    """The first bytes of a record, as hexadecimal numbers beside what is printable, 16 a line."""
    lines = []
    for start in range(0, min(len(payload), most), 16):
        part = payload[start : start + 16]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:6}  {part.hex(' '):47}  {printable}")
    if len(payload) > most:
        lines.append(f"        … {len(payload) - most:,} bytes more")
    return "\n".join(lines)


def repaired(item: Item, text: bytes) -> Item:
    """The item with what a file says of it; what the file leaves out stays. Raises RepairError."""
    try:
        repair = msgspec.json.decode(text, type=_Repair)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepairError(f"the file is not as `show --payload` prints an item: {error}") from None
    changes = {name: value for name, value in msgspec.structs.asdict(repair).items() if value is not msgspec.UNSET}
    for name in _FIXED:
        if changes.get(name, getattr(item, name)) != getattr(item, name):
            raise RepairError(f"{name} may not be changed: it is {getattr(item, name)!r}")
    if "statement" in changes:
        changes["statement"] = _statement(bytes(changes["statement"]), item.statement)
    mended: Item = msgspec.structs.replace(item, **changes)
    told = _told_id(mended.statement)
    if told != mended.statement_id and (told, mended.statement_id) != (_told_id(item.statement), item.statement_id):
        raise RepairError(f"statement.id is {told!r} and statement_id is {mended.statement_id!r}: change both")
    return mended


def fault_of(item: Item, partition: int) -> Fault | None:
    """What the worker would put the item aside for, as far as can be told from the item alone."""
    if item.primary and item.verb not in verbs.ALL:
        return Fault("verb_unknown", f"{item.verb!r} is no canonical verb: {', '.join(sorted(verbs.ALL))}")
    try:
        read(partition, 0, 0, item)
    except Fault as fault:
        return fault
    return None


def _statement(text: bytes, before: bytes) -> bytes:
    value = msgspec.json.decode(text)
    if isinstance(value, str) and value == _text(before):
        return before
    if not isinstance(value, dict):
        raise RepairError("statement is no JSON object")
    return before if _compact(before) == _compact(text) else _compact(text)


def _compact(text: bytes) -> bytes:
    """JSON without white space, numbers as they are written; what is no JSON as it is."""
    try:
        return msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text


def _told_id(statement: bytes) -> str | None:
    try:
        return msgspec.json.decode(statement, type=_Identified).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError:
        return f"base64: {base64.b64encode(statement).decode()}"
