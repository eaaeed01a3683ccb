"""Timestamps to µs, durations to ms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.xapi.timestamps import TimestampError, format_microseconds, is_duration, microseconds

TEN_DAYS = 10 * 86_400_000_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-11T00:00:00Z", 0),
        ("1970-01-11T00:00:00.000001Z", 1),
        ("1970-01-11T00:00:00.0000019Z", 1),
        ("1970-01-11T01:00:00+01:00", 0),
        ("1970-01-10T19:00:00-0500", 0),
        ("1970-01-11T02:00:00+02", 0),
        ("1970-01-11T00:00:00,5Z", 500_000),
        ("1970-01-11t00:00:01z", 1_000_000),
        ("1970-01-11T00:00:00", 0),
        ("1970-01-10T23:59:60Z", -1),
    ],
)
def test_a_timestamp_is_counted_in_microseconds(text: str, value: int) -> None:
    assert microseconds(text) == TEN_DAYS + value


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
        ("1970-01-02T23:59:59Z", "1970-01-03 to 2149-06-03"),
        ("1970-01-03T00:00:00+01:00", "1970-01-03 to 2149-06-03"),
        ("2149-06-04T00:00:00Z", "1970-01-03 to 2149-06-03"),
    ],
)
def test_what_is_no_timestamp_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(TimestampError, match=reason):
        microseconds(text)


def test_a_zone_can_be_required() -> None:
    with pytest.raises(TimestampError, match="no time zone"):
        microseconds("2026-11-20T09:30:00", zone_required=True)


@given(st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2149, 6, 3, 23, 59, 59, 999_999)))  # noqa: DTZ001
def test_formatting_and_reading_agree(moment: datetime) -> None:
    text = moment.isoformat(timespec="microseconds") + "Z"
    assert format_microseconds(microseconds(text)) == text
    assert datetime.fromisoformat(text) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["PT35.12S", "PT0S", "P1DT2H", "P3W", "P1Y", "P1M", "PT1M", "PT0,5H"])
def test_a_duration_is_known(text: str) -> None:
    assert is_duration(text)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1D", "PT1.5H3M", "P1W2D", "PT1H1H", "P-1D", "pt1s", "P1S", "PT1D", "P1,5DT1S"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert not is_duration(text)
