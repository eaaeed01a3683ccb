"""What results tell."""

from __future__ import annotations

import pytest

from streams.rows.document import Result, Score
from streams.rows.result import LONGEST_MS, duration_ms, outcome


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, None),
        (Result(), None),
        (Result(success=True, score=Score(scaled=0.2)), 1.0),
        (Result(success=False, score=Score(scaled=0.9)), 0.0),
        (Result(score=Score(scaled=0.25)), 0.25),
        (Result(score=Score(scaled=-0.5)), 0.0),
        (Result(score=Score(scaled=1.5)), 1.0),
        (Result(score=Score(raw=30, min=20, max=40)), 0.5),
        (Result(score=Score(raw=30, max=40)), 0.75),
        (Result(score=Score(raw=30)), None),
        (Result(score=Score(raw=3, min=5, max=5)), None),
        (Result(score=Score()), None),
    ],
)
def test_success_decides_then_the_scaled_score_then_the_raw_one(result: Result | None, expected: float | None) -> None:
    assert outcome(result) == expected


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        ("PT12.5S", 12_500),
        ("PT1H2M3S", 3_723_000),
        ("P1DT1S", 86_401_000),
        ("P2W", 14 * 86_400_000),
        ("PT0.004S", 4),
        ("PT1,5S", 1_500),
        ("P1Y", 8_766 * 3_600_000),
        ("PT0S", 0),
    ],
)
def test_durations_are_counted_in_milliseconds(duration: str, ms: int) -> None:
    assert duration_ms(duration) == ms


@pytest.mark.parametrize("duration", [None, "", "P", "PT", "P1DT", "12 s", "PT-1S", "P99999999Y", "PT1S "])
def test_a_duration_that_tells_nothing_is_unknown(duration: str | None) -> None:
    assert duration_ms(duration) == -1


def test_no_duration_is_longer_than_ten_years() -> None:
    assert duration_ms("P10Y") == LONGEST_MS
    assert duration_ms("P11Y") == -1
