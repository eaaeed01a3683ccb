"""All charts: one visual language over palette.py. Altair for what is read, plain HTML for what is glanced at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from dashboards.palette import Palette
from dashboards.store import Row

HEIGHT = 165
_BAND = 20


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


def dress(chart: Any, palette: Palette, *, right: int = 4, below: int = 0, axis_y: dict[str, int] | None = None) -> Any:
    """The look that all charts share, put on at last. ``right``, ``below``: room for labels beside it, pixels."""
    return (
        chart.properties(padding={"left": 0, "right": right, "top": 6, "bottom": 3})
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


def up(name: str, title: str | None, *, top: float | None = None) -> Any:
    """A zero-based axis of counts. ``top``: how far it reaches; by itself, as far as there are data."""
    axis = alt.Axis(
        title=title, titleAngle=0, titleAlign="left", titleY=-6, titleX=0, tickCount=4, format="~s",
        labelExpr="datum.value ? datum.label : '0'",
    )  # fmt: skip
    scale = alt.Scale(zero=True, nice=True) if top is None else alt.Scale(domain=[0, top], nice=True)
    return alt.Y(f"{name}:Q", axis=axis, scale=scale)


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
    above, below = max(*raised, 2.0), max(*cleared, 2.0)
    axis = alt.Axis(title=None, tickMinStep=1, tickCount=5, labelExpr="abs(datum.value)")
    chart = (
        alt.Chart(frame)
        .mark_bar(width={"band": 0.7})
        .encode(
            alt.X("day:O", timeUnit="yearmonthdate", axis=alt.Axis(
                format="%-d %b", title=None, grid=False, labelAngle=0, labelOverlap=True, ticks=False)),
            alt.Y("warnings:Q", axis=axis, scale=alt.Scale(domain=[-below, above], nice=True)),
            alt.Color("kind:N", scale=alt.Scale(domain=["new", "cleared"], range=[palette.warn, palette.good]),
                      legend=alt.Legend(title="warnings a day:")),
            tooltip=[alt.Tooltip("day:T", format="%-d %b"), "kind:N", alt.Tooltip("number:Q", title="warnings")],
        )
    )  # fmt: skip
    return dress(chart.properties(height=HEIGHT), palette)


def timeline(
    days: Sequence[Row], warnings: Sequence[Row], helped: Sequence[Row], today: date, palette: Palette
) -> list[Any]:
    """One student's time, as charts over the same days: activity with absence, what was done, and the share right.

    Warnings are shaded behind the first and the last, from the day they were raised to the day they were cleared, or to
    today. What was done (``helped``: from, to, label) has a chart where it reaches these days, a band each.
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
        .mark_bar(color=palette.accent, width=alt.expr(f"max(2, min(7, 0.7 * width / {(today - start.date()).days}))"))
        .encode(
            alt.X("day:T", scale=days_shown, axis=unlabelled),
            up("activity", "activities a day"),
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
    shown = [row for row in helped if pd.Timestamp(row["to"]) >= start]
    between = [_bands(shown, start, today, days_shown, palette)] if shown else []
    return [dress(chart, palette, axis_y={"minExtent": 46, "maxExtent": 46}) for chart in (upper, *between, lower)]


def _bands(rows: Sequence[Row], start: pd.Timestamp, today: date, days_shown: Any, palette: Palette) -> Any:
    """What was done, a band each."""
    end = pd.Timestamp(today) + pd.Timedelta(days=1)
    frame = pd.DataFrame(
        [
            {
                "from": max(pd.Timestamp(row["from"]), start),
                "to": min(pd.Timestamp(row["to"]) + pd.Timedelta(days=1), end),
                "label": row["label"],
                "row": str(number),
            }
            for number, row in enumerate(rows)
        ]
    )
    base = alt.Chart(frame)
    across = alt.X("from:T", scale=days_shown, axis=None)
    row = alt.Y("row:N", axis=alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=None))
    shape = base.mark_bar(color=palette.accent, opacity=0.3, height={"band": 0.9}).encode(
        across, row, alt.X2("to:T"), tooltip=["label:N"]
    )
    # Where the chart has no room before the band, its name stands in it.
    early = frame["from"] < start + (end - start) / 3
    before, within = (
        alt.Chart(some).mark_text(align=align, dx=away, fontSize=12, color=palette.ink)
        .encode(across, row, text="label:N")
        for some, align, away in ((frame[~early], "right", -5), (frame[early], "left", 5))
    )  # fmt: skip
    return (shape + before + within).properties(height=_BAND * len(rows))


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


def apart(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans with those that are cleared ended where one begins that is open: two shades do not lie over each other."""
    opened = min((one["from"] for one in spans if one["status"] == "open"), default=pd.Timestamp.max)
    ended = [one if one["status"] == "open" else one | {"to": min(one["to"], opened)} for one in spans]
    return [one for one in ended if one["from"] < one["to"]]


def _spans(
    warnings: Sequence[Row], start: pd.Timestamp, today: date, days_shown: Any, palette: Palette, axis: Any
) -> Any:
    frame = pd.DataFrame(apart(joined(warnings, start, today)), columns=["from", "to", "status", "reason"])
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
