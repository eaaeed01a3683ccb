"""ISO 8601 timestamps to microseconds and back, durations to milliseconds (Data 4.5 and 4.6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:[.,](\d{1,40}))?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
).fullmatch
_DURATION = re.compile(
    r"P(?:(\d+(?:[.,]\d+)?)W"
    r"|(?=[\dT])(?:(\d+(?:[.,]\d+)?)Y)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?)",
    re.ASCII,
).fullmatch
_FRACTION_BEFORE_ANOTHER = re.compile(r"[.,]\d+[A-Z]T?\d").search
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001  the zone is applied by arithmetic

_DAY: Final = 86_400_000_000
EARLIEST: Final = 2 * _DAY
LATEST: Final = 65_533 * _DAY
"""The midnights before 1970-01-03 and after 2149-06-03 in µs since the epoch, the second exclusive: the store counts
days in 16 bits, in any time zone."""


class TimestampError(ValueError):
    """A string that is no timestamp, with the reason in words."""


@lru_cache(maxsize=2048)  # read when it is validated, and again when it is stamped
def microseconds(text: str, *, zone_required: bool = False) -> int:
    """µs since the epoch of a timestamp (Data 4.5; RFC 3339, 5.6); without a zone it is taken as UTC.

    Digits beyond microseconds are cut. Raises TimestampError.
    """
    found = _TIMESTAMP(text)
    if found is None:
        raise TimestampError("is not an ISO 8601 date and time such as 2026-11-21T09:30:00.000Z")
    day, clock, seconds, fraction, zulu, sign, hours, minutes = found.groups()
    if not zulu and sign is None and zone_required:
        raise TimestampError("has no time zone")
    offset = 0
    if sign is not None:
        offset = int(hours) * 60 + int(minutes or 0)
        if sign == "-":
            if not offset:
                raise TimestampError("has a negative offset of zero")
            offset = -offset
        if int(hours) > 23 or int(minutes or 0) > 59:
            raise TimestampError("has an offset that no clock shows")
    leap = seconds == "60"
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}:{'59' if leap else seconds}")
    except ValueError as error:
        raise TimestampError(f"is no date and time that exists: {error}") from None
    whole = moment - _EPOCH_NAIVE
    value = (whole.days * 86_400 + whole.seconds - offset * 60) * 1_000_000
    value += 999_999 if leap else int((fraction or "")[:6].ljust(6, "0"))
    if not EARLIEST <= value < LATEST:
        raise TimestampError("is outside of 1970-01-03 to 2149-06-03, which is what this store can hold")
    return value


def in_utc(text: str) -> bool:
    """Whether a timestamp is written in UTC with a Z already."""
    return text.endswith("Z")


def format_microseconds(value: int) -> str:
    """µs since the epoch as an RFC 3339 timestamp in UTC with six digits and Z."""
    seconds, fraction = divmod(value, 1_000_000)
    return f"{_second(seconds)}.{fraction:06d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def is_duration(text: str) -> bool:
    """Whether a string is a duration (Data 4.6; ISO 8601, 4.4.3.2); only its smallest component may have a fraction."""
    return _DURATION(text) is not None and text[-1] != "T" and not _FRACTION_BEFORE_ANOTHER(text)
