"""Charts of what a student learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd

from dashboards.charts import dress
from dashboards.learning import Answer, Lines, Week
from dashboards.palette import Palette

_ABOVE = {"titleAngle": 0, "titleAlign": "left", "titleY": -8, "titleX": 0}


def mastery(answers: Sequence[Answer], skill: str, lines: Lines, palette: Palette, zone: ZoneInfo) -> Any:
    """Mastery of a skill after each answer with its interval, the answers themselves, and where words begin."""
    frame = pd.DataFrame(
        [
            {
                "answer": number,
                "chance": one.after[skill].chance,
                "low": one.after[skill].low,
                "high": one.after[skill].high,
                "outcome": one.outcome,
                "at": f"{one.at.astimezone(zone):%a %-d %b, %H:%M}",
            }
            for number, one in enumerate(answers, 1)
        ]
    )
    across = alt.X(
        "answer:Q",
        axis=alt.Axis(title="answers in this skill, in their order", grid=False, tickMinStep=1, format="d"),
        scale=alt.Scale(domain=[0.5, max(len(answers), 5) + 0.5], nice=False),
    )
    axis = alt.Axis(
        title="chance of a right answer on a median item", format="%", values=[0, 0.25, 0.5, 0.75, 1], **_ABOVE
    )
    up = alt.Y("chance:Q", axis=axis, scale=alt.Scale(domain=[0, 1]))
    hover = [
        alt.Tooltip("at:N", title="answered"),
        alt.Tooltip("outcome:Q", format=".0%", title="right"),
        alt.Tooltip("chance:Q", format=".0%", title="mastery after"),
    ]
    base = alt.Chart(frame)
    area = base.mark_area(color=palette.accent, opacity=0.18).encode(across, alt.Y("low:Q"), alt.Y2("high:Q"))
    line = base.mark_line(color=palette.accent, strokeWidth=1.8, point={"size": 22, "color": palette.accent}).encode(
        across, up, tooltip=hover
    )
    right = (
        base.transform_filter("datum.outcome >= 0.5")
        .mark_point(shape="circle", filled=True, color=palette.good, size=26, opacity=1)
        .encode(across, y=alt.value(4), tooltip=hover)
    )
    wrong = (
        base.transform_filter("datum.outcome < 0.5")
        .mark_point(shape="cross", angle=45, filled=True, color=palette.warn, size=34, opacity=1)
        .encode(across, y=alt.value(4), tooltip=hover)
    )
    where = pd.DataFrame([{"line": lines.nearly, "says": "nearly"}, {"line": lines.mastered, "says": "mastered"}])
    rules = alt.Chart(where).mark_rule(strokeDash=[3, 3], color=palette.soft).encode(alt.Y("line:Q"))
    said = (
        alt.Chart(where)
        .mark_text(align="left", dx=4, color=palette.soft, fontSize=12)
        .encode(alt.Y("line:Q"), alt.Text("says:N"), x=alt.value("width"))
    )
    return dress((area + rules + line + right + wrong + said).properties(height=215), palette, right=58)


def weeks(found: Sequence[Week], palette: Palette) -> Any:
    """Skills mastered at the end of each week, a bar a week."""
    frame = pd.DataFrame(
        [{"week": pd.Timestamp(week.start), "mastered": week.held, "answers": week.answers} for week in found]
    )
    days = alt.Axis(format="%-d %b", title="week of", grid=False, labelAngle=0, labelOverlap=True, ticks=False)
    axis = alt.Axis(title="skills mastered at the end of the week", tickMinStep=1, tickCount=4, **_ABOVE)
    top = max(4, int(frame["mastered"].max()))
    bars = (
        alt.Chart(frame)
        .mark_bar(color=palette.accent, width={"band": 0.6})
        .encode(
            alt.X("week:O", timeUnit="yearmonthdate", axis=days),
            alt.Y("mastered:Q", axis=axis, scale=alt.Scale(domain=[0, top])),
            tooltip=[alt.Tooltip("week:T", format="%-d %b", title="week of"), "mastered:Q", "answers:Q"],
        )
    )
    return dress(bars.properties(height=150), palette)
