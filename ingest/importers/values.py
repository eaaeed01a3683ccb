"""Values of a CSV file: dates, numbers, words; what cannot be read is told with what to write instead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importers.tabular import Row, RowFault

_NOON: Final = time(12)


def needed(row: Row, column: str) -> str:
    """A value that has to be there."""
    if not (value := row.get(column)):
        raise RowFault(column, "", "it is empty", "fill it in")
    return value


def day_of(row: Row, column: str, zone: ZoneInfo) -> date:
    """A date as 2026-09-01, or the local day of a moment (ISO 8601)."""
    value = needed(row, column)
    try:
        return date.fromisoformat(value)
    except ValueError:
        pass
    return moment_of(row, column, zone).astimezone(zone).date()


def moment_of(row: Row, column: str, zone: ZoneInfo) -> datetime:
    """A moment, UTC; of a date alone, noon where the district is, so that it falls on that day."""
    value = needed(row, column)
    try:
        told = datetime.fromisoformat(value)
    except ValueError:
        raise RowFault(column, value, "it is no date", "write it as 2026-09-01") from None
    if len(value) <= len("2026-09-01"):
        told = datetime.combine(told.date(), _NOON)
    return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)


def number_of(row: Row, column: str, *, decimal_comma: bool = False) -> float | None:
    """A number, None where the value is empty."""
    if not (value := row.get(column)):
        return None
    try:
        found = float(value.replace(",", ".") if decimal_comma else value)
    except ValueError:
        raise RowFault(column, value, "it is no number", "write it as 87.5") from None
    if not math.isfinite(found):
        raise RowFault(column, value, "it is no number", "write it as 87.5")
    return found


def word_of(row: Row, column: str, words: Mapping[str, str]) -> str:
    """What a word means; ``words`` maps lower-case words to what they mean."""
    value = needed(row, column)
    found = words.get(value.lower())
    if found is None:
        raise RowFault(column, value, "it is not known", f"write one of {', '.join(dict.fromkeys(words.values()))}")
    return found
