"""Whether a statement says the same as the one that was signed (Data 2.3.1 and 2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Final

from ingest.xapi.terms import SIGNATURE, is_uuid
from ingest.xapi.timestamps import TimestampError, is_duration, microseconds

_SET_BY_STORES: Final = frozenset({"id", "authority", "stored", "timestamp", "version"})
_LONGEST_DURATION: Final = 100
_NUMBER: Final = (int, float, Decimal)
_SECONDS: Final = {"W": 604_800, "D": 86_400, "H": 3_600, "S": 1}


def difference(received: Mapping[str, Any], signed: Mapping[str, Any]) -> str | None:
    """The first property in which they differ; None where they say the same. ``received`` is a valid statement.

    What a store may set is left out where only one of them has it, authority, stored and version altogether; an id
    that both have must be the same, a timestamp the same millisecond. Durations are compared to 0.01 s, numbers by
    value; one context activity is an array of one.
    """
    if not _same_when_both(received, signed, "id", _same_id):
        return "id"
    if not _same_when_both(received, signed, "timestamp", _same_moment):
        return "timestamp"
    try:
        mine, theirs = _plain(received), _plain(signed)
        for name in sorted(mine.keys() | theirs.keys()):
            if name not in mine or name not in theirs or not _equal(mine[name], theirs[name]):
                return name[:40]
    except RecursionError:
        return "its depth"
    return None


def hundredths(text: str) -> tuple[int, int] | None:
    """A duration as months and hundredths of a second, cut (Data 4.6); None for what is none, or too long to tell."""
    if len(text) > _LONGEST_DURATION or not is_duration(text):
        return None
    day, _, clock = text[1:].replace(",", ".").partition("T")
    months, seconds = Decimal(0), Decimal(0)
    for part, in_clock in ((day, False), (clock, True)):
        digits = ""
        for letter in part:
            if not letter.isalpha():
                digits += letter
                continue
            number, digits = Decimal(digits), ""
            if letter == "Y":
                months += 12 * number
            elif letter == "M" and not in_clock:
                months += number
            else:
                seconds += number * (60 if letter == "M" else _SECONDS[letter])
    try:
        return int(months * 100), int(seconds * 100)
    except (InvalidOperation, Overflow, DivisionByZero):
        return None


def _same_when_both(received: Mapping[str, Any], signed: Mapping[str, Any], name: str, same: Any) -> bool:
    return name not in received or name not in signed or bool(same(received[name], signed[name]))


def _same_id(mine: str, signed: Any) -> bool:
    return is_uuid(signed) and mine.lower() == signed.lower()


def _same_moment(mine: str, signed: Any) -> bool:
    try:
        return isinstance(signed, str) and microseconds(mine) // 1000 == microseconds(signed) // 1000
    except TimestampError:
        return False


def _plain(statement: Mapping[str, Any]) -> dict[str, Any]:
    """A statement without what a store sets and without signatures, in one of its forms."""
    found = {name: value for name, value in statement.items() if name not in _SET_BY_STORES}
    attachments = found.get("attachments")
    if isinstance(attachments, list):
        kept = [one for one in attachments if not (isinstance(one, dict) and one.get("usageType") == SIGNATURE)]
        if kept:
            found["attachments"] = kept
        else:
            del found["attachments"]
    target = found.get("object")
    if isinstance(target, dict) and target.get("objectType") == "SubStatement":
        found["object"] = _forms(target)
    return _forms(found)


def _forms(statement: dict[str, Any]) -> dict[str, Any]:
    found = dict(statement)
    result = found.get("result")
    if isinstance(result, dict) and isinstance(duration := result.get("duration"), str):
        found["result"] = {**result, "duration": hundredths(duration) or duration}
    context = found.get("context")
    if isinstance(context, dict) and isinstance(activities := context.get("contextActivities"), dict):
        listed = {name: [value] if isinstance(value, dict) else value for name, value in activities.items()}
        found["context"] = {**context, "contextActivities": listed}
    return found


def _equal(mine: Any, theirs: Any) -> bool:
    """Equal as JSON: numbers by value, true not 1."""
    if isinstance(mine, dict):
        return (
            isinstance(theirs, dict)
            and mine.keys() == theirs.keys()
            and all(_equal(value, theirs[name]) for name, value in mine.items())
        )
    if isinstance(mine, list):
        return (
            isinstance(theirs, list)
            and len(mine) == len(theirs)
            and all(_equal(one, other) for one, other in zip(mine, theirs, strict=True))
        )
    if isinstance(mine, bool) or isinstance(theirs, bool):
        return mine is theirs
    if isinstance(mine, _NUMBER) and isinstance(theirs, _NUMBER):
        return mine == theirs or str(mine) == str(theirs)
    return type(mine) is type(theirs) and bool(mine == theirs)
