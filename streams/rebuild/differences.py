"""Where live rows and rebuilt rows differ, value by value, in words."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from streams.rows.days import as_date

MOMENTS: Final = frozenset({"timestamp", "stored", "first_at", "last_at", "at"})
"""Columns whose values are µs since the epoch."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Values = Mapping[str, object]
"""A row by column."""


class Difference(NamedTuple):
    """One value; ``column`` is empty where a whole row is missing or must not be there."""

    table: str
    student_id: str
    key: str
    column: str
    live: str
    rebuilt: str

    def __str__(self) -> str:
        place = " · ".join(part for part in (self.table, f"student {self.student_id}", self.key, self.column) if part)
        return f"{place}: live {self.live}, rebuilt {self.rebuilt}"


def words(column: str, value: object) -> str:
    """A value for people: moments and days as such, numbers to their last digit."""
    if column in MOMENTS and isinstance(value, int):
        return (_EPOCH + timedelta(microseconds=value)).isoformat()
    if column == "minute" and isinstance(value, int):
        return (_EPOCH + timedelta(seconds=value)).isoformat()
    if column == "day" and isinstance(value, int):
        return as_date(value).isoformat()
    if isinstance(value, array):
        return str(value.tolist())
    return repr(value) if isinstance(value, float) else str(value)


def compare(table: str, student_id: str, key: str, live: Values | None, rebuilt: Values | None) -> Iterator[Difference]:
    """The differences of a row that is live, rebuilt, or both."""
    if live is None or rebuilt is None:
        if live is not rebuilt:
            told = "no row" if live is None else "a row", "no row" if rebuilt is None else "a row"
            yield Difference(table, student_id, key, "", *told)
        return
    for column, value in rebuilt.items():
        if live[column] != value:
            yield Difference(table, student_id, key, column, words(column, live[column]), words(column, value))
