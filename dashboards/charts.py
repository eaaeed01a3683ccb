"""All charts: one visual language over palette.py. Altair for what is read, plain HTML for what is glanced at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd

from dashboards.palette import Palette
from dashboards.store import Row

_HEIGHT = 165


def spark(values: Sequence[float], *, width: int = 96, says: str = "") -> str:
    """A small zero-based bar chart as HTML, which Streamlit lets through where it takes SVG out.

    ``says`` is shown on hover, and read to those who cannot see it.
    """
    if not values:
        return ""
    top = max(*values, 1.0) if len(values) > 1 else max(values[0], 1.0)
    bars = "".join(
        f'<i style="height:{max(4.0, 100 * value / top):.0f}%"></i>' if value else '<i class="rt-nil"></i>'
        for value in values
    )
    return f'<span class="rt-spark" style="width:{width}px" role="img" aria-label="{says}" title="{says}">{bars}</span>'


def interval(low: float, high: float, share: float, *, width: int = 120, says: str = "") -> str:
    """A share on a line from 0 to 1 with its interval, as HTML."""
    return (
        f'<span class="rt-interval" style="width:{width}px" role="img" aria-label="{says}" title="{says}">'
        f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i><b style="left:{100 * share:.1f}%"></b>'
        f"</span>"
    )


def per_day(rows: Sequence[Row], name: str, days: Sequence[date]) -> list[float]:
    """A column of rows with a ``day``, in the order of ``days``, 0 where there is no row."""
    by_day = {row["day"]: float(row[name]) for row in rows}
    return [by_day.get(day, 0.0) for day in days]


def last_days(today: date, number: int) -> list[date]:
    """The last days up to today."""
    return [today - timedelta(days=back) for back in range(number - 1, -1, -1)]


def _local(rows: Sequence[Row], zone: ZoneInfo, at: str = "at") -> pd.DataFrame:
    """Rows as a frame whose times read as the district's clock."""
    frame = pd.DataFrame(list(rows))
    if not frame.empty:
        frame[at] = pd.to_datetime(frame[at], utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    return frame


def dress(chart: Any, palette: Palette, *, right: int = 4, axis_y: dict[str, int] | None = None) -> Any:
    """The look that all charts share, put on at last. ``right``: room for labels at the ends of lines, pixels."""
    return (
        chart.properties(padding={"left": 0, "right": right, "top": 6, "bottom": 0})
        .configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=palette.soft,
            titleColor=palette.soft,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
            gridColor=palette.line,
            gridOpacity=0.6,
            domainColor=palette.line,
            tickColor=palette.line,
            titleAnchor="start",
        )
        .configure_axisY(labelFlush=False, **(axis_y or {}))
        .configure_legend(
            labelColor=palette.soft, titleColor=palette.soft, labelFontSize=12, titleFontSize=12,
            titleFontWeight="normal", titleOrient="left", orient="top", direction="horizontal", offset=2, symbolSize=80,
            padding=0,
        )
    )  # fmt: skip


def _across(at: str = "at", *, form: str = "%H:%M", title: str | None = None) -> Any:
    axis = alt.Axis(format=form, grid=False, title=title, labelOverlap=True, tickCount=6, tickMinStep=60_000)
    return alt.X(f"{at}:T", axis=axis)


def _up(name: str, title: str | None) -> Any:
    axis = alt.Axis(title=title, titleAngle=0, titleAlign="left", titleY=-6, titleX=0, tickCount=4, format="~s")
    return alt.Y(f"{name}:Q", axis=axis, scale=alt.Scale(zero=True, nice=True))


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
            _across(),
            _up("statements", None if rejected else f"statements a {per}").stack(None),
            colour,
            tooltip=[
                alt.Tooltip("at:T", format="%H:%M", title="from"),
                "kind:N",
                alt.Tooltip("statements:Q", format=",", title="statements"),
            ],
        )
    )
    return dress(chart.properties(height=_HEIGHT), palette)


def waiting(rows: Sequence[Row], palette: Palette, zone: ZoneInfo) -> Any:
    """Records waiting in all partitions together, as they were seen."""
    chart = (
        alt.Chart(_local(rows, zone))
        .mark_area(line={"strokeWidth": 1.6, "color": palette.accent}, color=palette.accent, fillOpacity=0.22)
        .encode(
            _across(form="%H:%M:%S"),
            _up("waiting", "records waiting"),
            tooltip=[
                alt.Tooltip("at:T", format="%H:%M:%S", title="at"),
                alt.Tooltip("waiting:Q", format=",", title="records"),
            ],
        )
    )
    return dress(chart.properties(height=_HEIGHT), palette)


def raised_and_cleared(rows: Sequence[Row], days: Sequence[date], palette: Palette) -> Any:
    """Warnings raised above the line and cleared below it, a bar a day."""
    raised, cleared = per_day(rows, "raised", days), per_day(rows, "cleared", days)
    frame = pd.DataFrame(
        [
            {"day": pd.Timestamp(day), "kind": kind, "warnings": sign * number, "number": number}
            for kind, sign, numbers in (("new", 1, raised), ("cleared", -1, cleared))
            for day, number in zip(days, numbers, strict=True)
        ]
    )
    edge = max(*raised, *cleared, 2.0)
    axis = alt.Axis(title=None, tickMinStep=1, tickCount=5, labelExpr="abs(datum.value)")
    chart = (
        alt.Chart(frame)
        .mark_bar(width={"band": 0.7})
        .encode(
            alt.X("day:O", timeUnit="yearmonthdate", axis=alt.Axis(
                format="%-d %b", title=None, grid=False, labelAngle=0, labelOverlap=True, ticks=False)),
            alt.Y("warnings:Q", axis=axis, scale=alt.Scale(domain=[-edge, edge])),
            alt.Color("kind:N", scale=alt.Scale(domain=["new", "cleared"], range=[palette.warn, palette.good]),
                      legend=alt.Legend(title="warnings a day:")),
            tooltip=[alt.Tooltip("day:T", format="%-d %b"), "kind:N", alt.Tooltip("number:Q", title="warnings")],
        )
    )  # fmt: skip
    return dress(chart.properties(height=_HEIGHT), palette)


def latency(rows: Sequence[Row], palette: Palette, zone: ZoneInfo, title: str) -> Any:
    """p50, p95 and p99 over time, labelled at their right ends. Rows: at, p50, p95, p99 (ms)."""
    shares = ["p50", "p95", "p99"]
    long = _local(rows, zone).melt("at", shares, "share", "ms").dropna()
    ink = alt.Color(
        "share:N", scale=alt.Scale(domain=shares, range=[palette.accent, palette.soft, palette.warn]), legend=None
    )
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=1.6, interpolate="monotone")
        .encode(
            _across(),
            _up("ms", title),
            ink,
            tooltip=[
                alt.Tooltip("at:T", format="%H:%M"),
                "share:N",
                alt.Tooltip("ms:Q", format=",.0f", title="ms"),
            ],
        )
    )
    labels = (
        alt.Chart(_apart(long[long["at"] == long["at"].max()], float(long["ms"].max())))
        .mark_text(align="left", dx=5, fontSize=12)
        .encode(alt.X("at:T"), alt.Y("place:Q"), alt.Text("share:N"), ink)
    )
    return dress((lines + labels).properties(height=_HEIGHT), palette, right=30)


def _apart(ends: pd.DataFrame, top: float) -> pd.DataFrame:
    """Heights for labels at the ends of lines, so that no two of them lie over each other."""
    found = ends.sort_values("ms").copy()
    room = 0.11 * top
    places: list[float] = []
    for value in found["ms"]:
        places.append(max(value, places[-1] + room) if places else value)
    found["place"] = places
    return found


def partitions(rows: Sequence[Row], palette: Palette) -> Any:
    """Records waiting, a bar a partition. Rows: partition, lag."""
    frame = pd.DataFrame(list(rows))
    chart = (
        alt.Chart(frame)
        .mark_bar(color=palette.accent)
        .encode(
            alt.X("partition:O", axis=alt.Axis(title=None, labelAngle=0, grid=False, labelOverlap=True)),
            alt.Y(
                "lag:Q",
                axis=alt.Axis(
                    title="records waiting, by number of the partition", titleAngle=0, titleAlign="left", titleY=-6,
                    titleX=0, tickMinStep=1, tickCount=3,
                ),
                scale=alt.Scale(domainMin=0, domainMax=max(5, int(frame["lag"].max()))),
            ),
            tooltip=["partition:O", alt.Tooltip("lag:Q", format=",", title="records waiting")],
        )
    )  # fmt: skip
    return dress(chart.properties(height=_HEIGHT), palette)


def timeline(days: Sequence[Row], warnings: Sequence[Row], today: date, palette: Palette) -> tuple[Any, Any]:
    """One student's time, as two charts over the same days: activity with absence, and the share right.

    Warnings are shaded behind both, from the day they were raised to the day they were cleared, or to today.
    """
    frame = pd.DataFrame(
        [
            {
                "day": pd.Timestamp(row["day"]),
                "activity": row["activity"],
                "right": row["successes"] / row["attempts"] if row["attempts"] else None,
                "attempts": row["attempts"],
                "absent": bool(row["absent"]),
            }
            for row in days
        ]
    )
    start = frame["day"].min() - pd.Timedelta(days=1)
    days_shown = alt.Scale(domain=[_alt_day(start.date()), _alt_day(today + timedelta(days=1))])
    labelled = alt.Axis(format="%-d %b", title=None, grid=False, tickCount=8, labelOverlap=True, labelFlush=True)
    unlabelled = alt.Axis(labels=False, ticks=False, title=None, grid=False)
    hover = alt.Tooltip("day:T", format="%a %-d %b")

    bars = (
        alt.Chart(frame)
        .mark_bar(color=palette.accent, width=7)
        .encode(
            alt.X("day:T", scale=days_shown, axis=unlabelled),
            _up("activity", "activities a day"),
            tooltip=[hover, alt.Tooltip("activity:Q", title="activities")],
        )
    )
    crosses = (
        alt.Chart(frame[frame["absent"]])
        .mark_point(shape="cross", angle=45, color=palette.warn, size=60, filled=True, opacity=1)
        .encode(
            alt.X("day:T", scale=days_shown, axis=unlabelled),
            y=alt.value(5),
            tooltip=[alt.Tooltip("day:T", format="%a %-d %b", title="absent")],
        )
    )
    tried = frame.dropna(subset=["right"]).copy()
    weights = tried["attempts"].rolling(8, min_periods=3).sum()
    tried["smooth"] = (tried["right"] * tried["attempts"]).rolling(8, min_periods=3).sum() / weights
    axis = alt.Axis(
        title="right, of answers tried", titleAngle=0, titleAlign="left", titleY=-6, titleX=0, format="%",
        values=[0, 0.5, 1],
    )  # fmt: skip
    points = (
        alt.Chart(tried)
        .mark_circle(color=palette.soft, opacity=0.7, size=28)
        .encode(
            alt.X("day:T", scale=days_shown, axis=labelled),
            alt.Y("right:Q", axis=axis, scale=alt.Scale(domain=[0, 1])),
            tooltip=[hover, alt.Tooltip("right:Q", format=".0%"), alt.Tooltip("attempts:Q", title="answers (n)")],
        )
    )
    trend = (
        alt.Chart(tried.dropna(subset=["smooth"]))
        .mark_line(color=palette.ink, strokeWidth=1.8, interpolate="monotone")
        .encode(alt.X("day:T", scale=days_shown, axis=labelled), alt.Y("smooth:Q"))
    )
    spans = partial(_spans, warnings, start, today, days_shown, palette)
    upper = (spans(unlabelled) + bars + crosses).properties(height=115)
    lower = (spans(labelled) + points + trend).properties(height=125)
    same_left_edge = {"minExtent": 46, "maxExtent": 46}
    return dress(upper, palette, axis_y=same_left_edge), dress(lower, palette, axis_y=same_left_edge)


def _alt_day(day: date) -> Any:
    return alt.DateTime(year=day.year, month=day.month, date=day.day)


def joined(warnings: Sequence[Row], start: pd.Timestamp, today: date) -> list[dict[str, Any]]:
    """Spans of warnings from a day on, those of one status joined where they meet: shades must not add up."""
    shown = [row for row in warnings if row["cleared_on"] is None or pd.Timestamp(row["cleared_on"]) > start]
    found: list[dict[str, Any]] = []
    for row in sorted(shown, key=lambda row: (row["status"], row["raised_on"])):
        begins = max(pd.Timestamp(row["raised_on"]), start)
        ends = pd.Timestamp(row["cleared_on"] or today) + pd.Timedelta(days=1)
        last = found[-1] if found and found[-1]["status"] == row["status"] else None
        if last and begins <= last["to"]:
            last["to"] = max(last["to"], ends)
            last["reason"] += f"; {row['reason']}"
        else:
            found.append({"from": begins, "to": ends, "status": row["status"], "reason": row["reason"]})
    return found


def _spans(
    warnings: Sequence[Row], start: pd.Timestamp, today: date, days_shown: Any, palette: Palette, axis: Any
) -> Any:
    frame = pd.DataFrame(joined(warnings, start, today), columns=["from", "to", "status", "reason"])
    colours = alt.Scale(domain=["open", "cleared"], range=[palette.warn, palette.good])
    return (
        alt.Chart(frame)
        .mark_rect(opacity=0.18)
        .encode(
            alt.X("from:T", scale=days_shown, axis=axis),
            alt.X2("to:T"),
            alt.Color("status:N", scale=colours, legend=None),
            tooltip=["status:N", "reason:N"],
        )
    )
