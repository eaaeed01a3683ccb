"""Figures of a report on the quality of models, as charts: reliability, lines, groups with intervals."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import pandas as pd

from dashboards.charts import dress
from dashboards.palette import Palette
from schemas.reports import Axis, Figure, Form

_HEIGHT: Final = 235
_ROW: Final = 24
_PANEL: Final = 150
_SIDE: Final = 420
_LETTERS: Final = {"percent": ".0%", "count": ",", "days": ",", "microseconds": ".0f"}
SHAPES: Final = ("circle", "square", "diamond", "triangle-up", "cross")


def draw(figure: Figure, palette: Palette) -> Any:
    """The chart of a figure; None where it has no point."""
    frame = _frame(figure)
    if frame.empty:
        return None
    match figure.kind:
        case "reliability":
            return _reliability(figure, frame, palette)
        case "lines":
            return _lines(figure, frame, palette)
        case "intervals":
            return _intervals(figure, frame, palette)


def _frame(figure: Figure) -> pd.DataFrame:
    rows = [
        {"series": line.name, "x": point.x, "y": point.y, "low": point.low, "high": point.high, "n": point.n}
        for line in figure.series
        for point in line.points
        if point.y is not None
    ]
    return pd.DataFrame(rows, columns=["series", "x", "y", "low", "high", "n"])


def _letters(form: Form) -> str:
    return _LETTERS.get(form, ".2f")


def _across(axis: Axis, domain: list[float] | None = None) -> Any:
    scale = alt.Scale(domain=domain) if domain else alt.Scale(zero=False, nice=True)
    look = alt.Axis(title=axis.title, format=_letters(axis.form), grid=False, titleAnchor="end", tickCount=5)
    return alt.X("x:Q", axis=look, scale=scale)


def _up(axis: Axis, scale: alt.Scale) -> Any:
    look = alt.Axis(
        title=axis.title, format=_letters(axis.form), titleAngle=0, titleAlign="left", titleY=-6, titleX=0, tickCount=5
    )
    return alt.Y("y:Q", axis=look, scale=scale)


def _hover(figure: Figure, named: str = "series:N") -> list[Any]:
    form = ".1%" if figure.y.form == "percent" else ".3f"
    return [
        named,
        alt.Tooltip("y:Q", format=form, title=figure.y.title),
        alt.Tooltip("low:Q", format=form, title="from (95%)"),
        alt.Tooltip("high:Q", format=form, title="to (95%)"),
        alt.Tooltip("n:Q", format=",", title="n"),
    ]


def _colour(figure: Figure, palette: Palette) -> tuple[Any, Any]:
    names = [line.name for line in figure.series]
    inks = [palette.accent, palette.warn, palette.good, palette.soft, palette.ink]
    colours = alt.Scale(domain=names, range=[inks[number % len(inks)] for number in range(len(names))])
    shapes = alt.Scale(domain=names, range=[SHAPES[number % len(SHAPES)] for number in range(len(names))])
    return alt.Color("series:N", scale=colours, legend=None), alt.Shape("series:N", scale=shapes, legend=None)


def _reliability(figure: Figure, frame: pd.DataFrame, palette: Palette) -> Any:
    whole = alt.Scale(domain=[0, 1])
    ideal = alt.Chart(pd.DataFrame({"x": [0, 1], "y": [0, 1]})).mark_line(strokeDash=[5, 4], color=palette.none)
    colour, shape = _colour(figure, palette)
    base = alt.Chart(frame)
    points = base.mark_point(filled=True, size=55, opacity=1).encode(
        _across(figure.x, [0, 1]), _up(figure.y, whole), colour, shape, tooltip=_hover(figure)
    )
    between = base.mark_rule(strokeWidth=1.6, opacity=0.6).encode(
        alt.X("x:Q"), alt.Y("low:Q", scale=whole), alt.Y2("high:Q"), colour
    )
    counts = (
        alt.Chart(frame[frame["series"] == figure.series[0].name])
        .mark_bar(color=palette.accent, opacity=0.35, width=14)
        .encode(
            alt.X("x:Q", scale=alt.Scale(domain=[0, 1]), axis=None),
            alt.Y("n:Q", axis=alt.Axis(title="how many", titleAngle=0, titleAlign="left", titleY=-4, titleX=0,
                                       tickCount=2, format="~s")),
            tooltip=[alt.Tooltip("n:Q", format=",")],
        )
        .properties(height=46, width=_SIDE)
    )  # fmt: skip
    upper = (ideal.encode(alt.X("x:Q"), alt.Y("y:Q")) + between + points).properties(height=_SIDE * 0.62, width=_SIDE)
    return dress(alt.vconcat(upper, counts, spacing=10), palette)


def _lines(figure: Figure, frame: pd.DataFrame, palette: Palette) -> Any:
    colour, shape = _colour(figure, palette)
    x, y = _across(figure.x), _up(figure.y, alt.Scale(zero=False, nice=True))
    base = alt.Chart(frame)
    line = base.mark_line(strokeWidth=1.8).encode(x, y, colour)
    points = base.mark_point(filled=True, size=50, opacity=1).encode(x, y, colour, shape, tooltip=_hover(figure))
    between = base.mark_rule(strokeWidth=1.6, opacity=0.5).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour)
    ends = frame.sort_values("x").groupby("series", as_index=False).last().sort_values("y")
    room = 0.09 * max(float(frame["y"].max() - frame["y"].min()), 0.01)
    places: list[float] = []
    for value in ends["y"]:
        places.append(max(float(value), places[-1] + room) if places else float(value))
    labels = (
        alt.Chart(ends.assign(place=places))
        .mark_text(align="left", dx=8, fontSize=12)
        .encode(alt.X("x:Q"), alt.Y("place:Q"), alt.Text("series:N"), colour)
    )
    right = 10 + int(6.6 * max(len(str(name)) for name in ends["series"]))
    return dress((line + between + points + labels).properties(height=_HEIGHT), palette, right=right)


def _intervals(figure: Figure, frame: pd.DataFrame, palette: Palette) -> Any:
    groups = list(dict.fromkeys(frame["x"]))
    names = [line.name for line in figure.series if line.points]
    form = ".0%" if figure.y.form == "percent" else ".2f"
    edge = float(frame[["y", "high"]].max().max())
    scale = alt.Scale(domain=[0, edge * 1.05], nice=False)
    panels = []
    for number, name in enumerate(names):
        some = frame[frame["series"] == name].assign(told=lambda rows: "n " + rows["n"].map("{:,}".format))
        side = alt.Axis(title=None, labelLimit=190, grid=False, ticks=False, domain=False) if not number else None
        y = alt.Y("x:N", sort=groups, axis=side, scale=alt.Scale(domain=groups))
        look = alt.Axis(title=name, format=form, orient="top", tickCount=3, titleAnchor="start", titleColor=palette.ink)
        base = alt.Chart(some)
        bars = base.mark_rule(strokeWidth=5, opacity=0.3, color=palette.accent).encode(
            alt.X("low:Q", scale=scale, axis=look), alt.X2("high:Q"), y
        )
        dots = base.mark_circle(size=60, opacity=1, color=palette.accent).encode(
            alt.X("y:Q", scale=scale, axis=look), y, tooltip=_hover(figure, alt.Tooltip("x:N", title="group"))
        )
        told = base.mark_text(align="left", dx=7, fontSize=11, color=palette.soft).encode(
            alt.X("high:Q", scale=scale, axis=look), y, alt.Text("told:N")
        )
        panels.append((bars + dots + told).properties(height=_ROW * len(groups), width=_PANEL))
    return dress(alt.hconcat(*panels, spacing=46), palette, right=46)
