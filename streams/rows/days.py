"""Which day a moment falls on, where the district is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1)
_QUARTER_US = 900 * 1_000_000
_KEPT = 100_000

EARLIEST_US = 2 * 86_400 * 1_000_000
LATEST_US = 65_533 * 86_400 * 1_000_000
"""Moments whose day fits ClickHouse's Date (1970 to 2149) in any time zone, with their DateTime64(6)."""


class LocalDays:
    """Days of one time zone, as days since 1970-01-01.

    Offsets from UTC are whole quarters of an hour, so each quarter falls on one day and is worked out once.
    """

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self.known: dict[int, int] = {}
        """Days by quarter of an hour since the epoch, as far as they were asked for."""

    def day_of(self, moment_us: int) -> int:
        """Day of a moment (µs since the epoch, UTC), which must lie between EARLIEST_US and LATEST_US."""
        quarter = moment_us // _QUARTER_US
        found = self.known.get(quarter)
        if found is None:
            if len(self.known) >= _KEPT:
                self.known.clear()
            local = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self._zone).date()
            found = self.known[quarter] = (local - _EPOCH).days
        return found


def as_date(day: int) -> date:
    """The date of a day number."""
    return date.fromordinal(_EPOCH.toordinal() + day)


def as_number(day: date) -> int:
    """The day number of a date."""
    return day.toordinal() - _EPOCH.toordinal()
