"""Timestamps to µs, durations to ms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.xapi.timestamps import TimestampError, duration_milliseconds, format_microseconds, microseconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-0500", 0),
        ("1970-01-01T02:00:00+02", 0),
        ("1970-01-01T00:00:00,5Z", 500_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T00:00:00", 0),
        ("1969-12-31T23:59:60Z", -1),
    ],
)
def test_a_timestamp_is_counted_in_microseconds(text: str, value: int) -> None:
    assert microseconds(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-20T09:30:00-00:00", "negative offset of zero"),
        ("2026-11-20T09:30:00-0000", "negative offset of zero"),
        ("2026-11-20T09:30:00-00", "negative offset of zero"),
        ("2026-13-20T09:30:00Z", "exists"),
        ("2026-11-20T25:30:00Z", "exists"),
        ("2026-11-20T09:30:00+24:00", "no clock shows"),
        ("2026-11-20 09:30:00Z", "is not an ISO 8601"),
        ("20261120T093000Z", "is not an ISO 8601"),
        ("2026-11-20T09:30Z", "is not an ISO 8601"),
        ("٢٠٢٦-11-20T09:30:00Z", "is not an ISO 8601"),
        ("1899-12-31T23:59:59Z", "1900 to 2261"),
        ("2262-01-01T00:00:00Z", "1900 to 2261"),
    ],
)
def test_what_is_no_timestamp_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(TimestampError, match=reason):
        microseconds(text)


def test_a_zone_can_be_required() -> None:
    with pytest.raises(TimestampError, match="no time zone"):
        microseconds("2026-11-20T09:30:00", zone_required=True)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2261, 12, 31)))  # noqa: DTZ001
def test_formatting_and_reading_agree(moment: datetime) -> None:
    text = moment.isoformat(timespec="microseconds") + "Z"
    assert format_microseconds(microseconds(text)) == text
    assert datetime.fromisoformat(text) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PT35.12S", 35_120),
        ("PT0S", 0),
        ("P1DT2H", 93_600_000),
        ("P3W", 1_814_400_000),
        ("P1Y", 31_536_000_000),
        ("P1M", 2_592_000_000),
        ("PT1M", 60_000),
        ("PT0,5H", 1_800_000),
    ],
)
def test_a_duration_is_counted_in_milliseconds(text: str, value: float) -> None:
    assert duration_milliseconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1D", "PT1.5H3M", "P1W2D", "PT1H1H", "P-1D", "pt1s", "P1S", "PT1D", "P1,5DT1S"]
)
def test_what_is_no_duration_has_no_length(text: str) -> None:
    assert duration_milliseconds(text) is None
