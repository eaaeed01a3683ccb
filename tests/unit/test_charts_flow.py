"""Charts of how statements flow: ticks that tell moments apart, and no line where nothing is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from dashboards import charts_flow
from dashboards.palette import LIGHT

NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)
ZONE = ZoneInfo("America/Chicago")


def latencies(*minutes: int, slow: bool = False):
    scale = 100 if slow else 1
    start = datetime(2026, 11, 20, 18, tzinfo=UTC)
    return [
        {"at": start + timedelta(minutes=one), "p50": 8.0 * scale, "p95": 20.0 * scale, "p99": 40.0 * scale}
        for one in minutes
    ]


@pytest.mark.parametrize(
    "span", [timedelta(0)] + [timedelta(seconds=seconds) for seconds in (50, 130, 400, 3_500, 9_000, 86_000, 600_000)]
)
def test_labels_of_a_time_axis_are_few_round_and_never_the_same(span):
    found, form = charts_flow.ticks(NOON, NOON + span)
    labels = [f"{at:{form}}" for at in found]
    assert len(labels) == len(set(labels)) <= 8
    assert all(NOON <= at <= NOON + span for at in found)
    assert found or span < timedelta(minutes=1)


def test_a_minute_without_neighbours_is_a_point_and_a_gap_breaks_the_line():
    lines, points, labels = charts_flow.latency(latencies(0, 1, 5), LIGHT, ZONE).layer
    assert sorted(set(points.data["at"].dt.minute)) == [5]
    assert lines.data.groupby("run")["at"].nunique().tolist() == [2, 1]
    assert len(labels.data) == 3


def test_long_waits_are_told_in_seconds():
    def title(rows):
        return charts_flow.latency(rows, LIGHT, ZONE).to_dict()["layer"][0]["encoding"]["y"]["axis"]["title"]

    assert (title(latencies(0, 1)), title(latencies(0, slow=True))) == ("milliseconds", "seconds")
    longest = [latencies(0)[0] | {"p99": 10_000.0}]
    assert title(longest) == "seconds; 10.0 s stands for that or more"


def test_labels_at_the_ends_of_lines_stay_apart_and_inside():
    *_, labels = charts_flow.latency(
        [{"at": datetime(2026, 11, 20, tzinfo=UTC), "p50": 98.0, "p95": 99.0, "p99": 100.0}], LIGHT, ZONE
    ).layer
    places = sorted(labels.data["place"])
    assert places[-1] == 100.0
    assert min(b - a for a, b in pairwise(places)) > 10


def test_where_nobody_looked_nothing_is_drawn():
    times = pd.Series(pd.to_datetime([NOON + timedelta(seconds=at) for at in (0, 5, 10, 90, 95)]))
    assert charts_flow.runs(times, timedelta(seconds=20)).tolist() == [0, 0, 0, 1, 1]
