"""Charts of how statements flow: accepted, waiting, and how long until they are visible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd

from dashboards import words
from dashboards.charts import HEIGHT, dress, up
from dashboards.palette import Palette
from dashboards.store import Row
from schemas.events import LATENCY_BOUNDS_MS

_MOST_TICKS: Final = 7
_STEPS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800)
)
_SECONDS_FROM: Final = 2_000.0
"""From so many milliseconds on, an axis counts seconds."""
_LEAST: Final = 5.0
"""So far an axis of records that wait reaches at least."""


def minutes(
    rows: Sequence[Row], palette: Palette, zone: ZoneInfo, *, rejected: bool = False, per: str = "minute"
) -> Any:
    """Statements accepted, and rejected beside them, in each step of time."""
    frame = _local(rows, zone)
    kinds = ["accepted", "rejected"] if rejected else ["accepted"]
    long = frame.melt("at", kinds, "kind", "statements")
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[palette.accent, palette.warn][: len(kinds)]),
        legend=alt.Legend(title=f"statements a {per}:", symbolType="square", symbolOpacity=1) if rejected else None,
    )
    chart = (
        alt.Chart(long)
        .mark_area(interpolate="step-after", line={"strokeWidth": 1.4}, fillOpacity=0.22)
        .encode(
            _across(frame["at"]),
            up("statements", None if rejected else f"statements a {per}").stack(None),
            colour,
            tooltip=[
                alt.Tooltip("at:T", format="%-d %b, %H:%M", title="from"),
                "kind:N",
                alt.Tooltip("statements:Q", format=",", title="statements"),
            ],
        )
    )
    return dress(chart.properties(height=HEIGHT), palette)


def waiting(rows: Sequence[Row], palette: Palette, zone: ZoneInfo, gap: timedelta) -> Any:
    """Records waiting in all partitions together, as they were seen; where nobody looked for ``gap``, no line."""
    frame = _local(rows, zone)
    chart = (
        alt.Chart(frame.assign(run=runs(frame["at"], gap)))
        .mark_area(line={"strokeWidth": 1.6, "color": palette.accent}, color=palette.accent, fillOpacity=0.22)
        .encode(
            _across(frame["at"]),
            up("waiting", "records waiting", top=max(_LEAST, float(frame["waiting"].max()))),
            detail="run:N",
            tooltip=[
                alt.Tooltip("at:T", format="%H:%M:%S", title="at"),
                alt.Tooltip("waiting:Q", format=",", title="records"),
            ],
        )
    )
    return dress(chart.properties(height=HEIGHT), palette)


def latency(rows: Sequence[Row], palette: Palette, zone: ZoneInfo, step: timedelta = timedelta(minutes=1)) -> Any:
    """p50, p95 and p99 over time, labelled at their right ends; a point where the steps beside it have none.

    Rows: at, p50, p95, p99 (ms), one for each ``step`` that has them.
    """
    shares = ["p50", "p95", "p99"]
    frame = _local(rows, zone).dropna(subset=shares)
    longest = float(frame[shares].max().max())
    frame["run"] = runs(frame["at"], 1.5 * step)
    long = frame.melt(["at", "run"], shares, "share", "ms")
    long["time"] = long["ms"] / 1_000 if longest >= _SECONDS_FROM else long["ms"]
    title = "seconds" if longest >= _SECONDS_FROM else "milliseconds"
    if longest >= LATENCY_BOUNDS_MS[-1]:
        title += f"; {words.milliseconds(LATENCY_BOUNDS_MS[-1])} stands for that or more"
    across, height = _across(frame["at"]), up("time", title)
    ink = alt.Color(
        "share:N", scale=alt.Scale(domain=shares, range=[palette.accent, palette.soft, palette.warn]), legend=None
    )
    said = [
        alt.Tooltip("at:T", format="%-d %b, %H:%M"), "share:N",
        alt.Tooltip("ms:Q", format=",.0f", title="milliseconds"),
    ]  # fmt: skip
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=1.6, interpolate="monotone")
        .encode(across, height, ink, detail="run:N", tooltip=said)
    )
    alone = long[long.groupby("run")["at"].transform("nunique") == 1]
    points = alt.Chart(alone).mark_point(filled=True, size=34, opacity=1).encode(across, height, ink, tooltip=said)
    labels = (
        alt.Chart(_apart(long[long["at"] == long["at"].max()], float(long["time"].max())))
        .mark_text(align="left", dx=6, fontSize=12)
        .encode(across, alt.Y("place:Q"), alt.Text("share:N"), ink)
    )
    return dress((lines + points + labels).properties(height=HEIGHT), palette, right=30)


def partitions(rows: Sequence[Row], palette: Palette) -> Any:
    """Records waiting, a bar a partition. Rows: partition, lag."""
    frame = pd.DataFrame(list(rows))
    chart = (
        alt.Chart(frame)
        .mark_bar(color=palette.accent)
        .encode(
            alt.X("partition:O", axis=alt.Axis(title=None, labelAngle=0, grid=False, labelOverlap=True)),
            up("lag", "records waiting, by number of the partition", top=max(_LEAST, float(frame["lag"].max()))),
            tooltip=["partition:O", alt.Tooltip("lag:Q", format=",", title="records waiting")],
        )
    )
    return dress(chart.properties(height=HEIGHT), palette)


def ticks(first: datetime, last: datetime) -> tuple[list[datetime], str]:
    """Round moments from first to last, at most a few, and the format that tells each from the others."""
    step = next((one for one in _STEPS if (last - first) / one < _MOST_TICKS), _STEPS[-1])
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + -(-(first - midnight) // step) * step
    found = []
    while at <= last:
        found.append(at)
        at += step
    form = "%H:%M:%S" if step < timedelta(minutes=1) else "%H:%M" if step < timedelta(days=1) else "%-d %b"
    return found, form


def runs(times: pd.Series[Any], gap: timedelta) -> pd.Series[Any]:
    """Number of the stretch without a gap that each of the times, in order, belongs to."""
    return (times.diff() > gap).cumsum()


def _across(times: pd.Series[Any]) -> Any:
    shown, form = ticks(times.min().to_pydatetime(), times.max().to_pydatetime()) if len(times) else ([], "%H:%M")
    marks = [
        alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, seconds=at.second)
        for at in shown
    ]
    return alt.X("at:T", axis=alt.Axis(format=form, grid=False, title=None, labelOverlap=True, values=marks))


def _local(rows: Sequence[Row], zone: ZoneInfo) -> pd.DataFrame:
    """Rows as a frame whose times read as the district's clock."""
    frame = pd.DataFrame(list(rows))
    frame["at"] = pd.to_datetime(frame["at"], utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    return frame


def _apart(ends: pd.DataFrame, top: float) -> pd.DataFrame:
    """Heights for labels at the ends of lines, so that no two of them lie over each other, nor above the chart."""
    found = ends.sort_values("time").copy()
    room = 0.11 * top
    places: list[float] = []
    for value in found["time"]:
        places.append(max(value, places[-1] + room) if places else value)
    for number in range(len(places) - 1, -1, -1):
        places[number] = min(places[number], top - room * (len(places) - 1 - number))
    found["place"] = places
    return found
