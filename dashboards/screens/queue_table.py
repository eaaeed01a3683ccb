"""The rows of the queue: who, why, since when, how well backed, whose, and when somebody looks again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboards import cases, charts, words
from dashboards import components as ui
from dashboards.screens.queue_acts import pick_key
from dashboards.session import Context
from dashboards.store import Row
from dashboards.triage import Entry
from schemas.cases import State
from schemas.rule_titles import rule_title

_TREND_DAYS = 28
_WIDTHS = (0.2, 1, 7.6)


def draw(context: Context, shown: Sequence[Entry], names: Mapping[str, str]) -> None:
    """Draw the rows, each with a tick for the actions above."""
    ids = [entry.student_id for entry in shown]
    days = charts.last_days(context.today(), _TREND_DAYS)
    trends = {
        row["student_id"]: dict(row["days"])
        for row in context.store.query(context.viewer, "queue_activity", students=ids, since=days[0])
    }
    held = [day for day in days if day in context.catalogue.school_days] or days
    staff = cases.owners(context.registry)
    with st.container(gap=None, key="queue-table"):
        headings = ("Grade", "Why", f"{len(held)} days", "Since", "Coverage", "Owner", "Follow-up")
        head = "".join(f"<span>{heading}</span>" for heading in headings)
        _, left, right = st.columns(_WIDTHS)
        left.html('<div class="rt-row rt-th" style="display:block">Student</div>')
        right.html(f'<div class="rt-row rt-case rt-th">{head}</div>')
        for entry in shown:
            st.html('<div class="rt-rule"></div>')
            tick, left, right = st.columns(_WIDTHS, vertical_alignment="center")
            name = names.get(entry.student_id, "Name withheld")
            tick.checkbox(f"Choose {name}", key=pick_key(entry.case.case_id), label_visibility="collapsed")
            with left:
                ui.link(context, "student", name, student=entry.student_id)
            trend = trends.get(entry.student_id, {})
            right.html(_row(context, entry, [float(trend.get(day, 0)) for day in held], staff))


def _row(context: Context, entry: Entry, trend: list[float], staff: Mapping[str, str]) -> str:
    grade = "–" if entry.listed.grade is None else str(entry.listed.grade)
    spark = charts.spark(trend, width=96, says="activities on each school day")
    return (
        f'<div class="rt-row rt-case rt-small"><span>{grade}</span><span>{_why(entry)}</span><span>{spark}</span>'
        f"<span>{_since(context, entry)}</span>{coverage(context, entry)}"
        f"<span>{owner(context, entry, staff)}</span><span>{follow_up(context, entry)}</span></div>"
    )


def _why(entry: Entry) -> str:
    """The two reasons that weigh most, all of them on hover; or that nothing stands any more."""
    if not entry.warnings:
        said = "No warning stands any more; it is open for its owner."
        return f'<span class="rt-reason">{ui.icon("check_circle", "rt-good")} {said}</span>'
    severe = {signal[:2] for signal in entry.case.signals if signal.severe}
    lines = [
        f'<span class="rt-reason">{reason(row, severe=(row["rule"], row["raised_on"]) in severe)}</span>'
        for row in entry.warnings[:2]
    ]
    if (more := len(entry.warnings) - 2) > 0:
        lines[1] = f'<span class="rt-more">{lines[1]}<span class="rt-soft rt-nowrap">+ {more} more</span></span>'
    every = "\n".join(f"{rule_title(row['rule'])}: {row['reason']}" for row in entry.warnings)
    order = f"\nStands here also because: {' '.join(entry.why)}" if entry.why else ""
    return f'<span title="{ui.text(every + order)}">{"".join(lines)}</span>'


def _since(context: Context, entry: Entry) -> str:
    """Since when, and how long that is."""
    days = (context.today() - entry.case.raised_on).days
    back = words.plural(days, "day") if days > 0 else "today"
    return f"{words.day(entry.case.raised_on)}<br><span class='rt-soft'>{back}</span>"


def reason(row: Row, *, severe: bool = False) -> str:
    """The reason, led by the name of its rule where it does not begin with it anyway."""
    name, said = rule_title(row["rule"]), row["reason"]
    mark = f'{ui.icon("priority_high", "rt-warn")}<span class="rt-warn">severe</span> ' if severe else ""
    rest = said.removeprefix(name)
    return mark + (f"<b>{ui.text(name)}</b>{ui.text(rest)}" if rest != said else f"<b>{name}.</b> {ui.text(said)}")


def coverage(context: Context, entry: Entry) -> str:
    """How many providers back the warnings, in a word and an icon."""
    backing, every = len(entry.providers), max(len(context.catalogue.providers), 1)
    if not entry.warnings:
        return '<span class="rt-soft">–</span>'
    names = words.names([context.catalogue.provider(key) for key in sorted(entry.providers)], most=6)
    level = "low" if backing < 2 else "fair" if backing < 3 else "good"
    colour = "rt-warn" if level == "low" else "rt-soft"
    return (
        f'<span class="rt-badge {colour}" title="{ui.text(names)}">{ui.icon(f"counter_{min(backing, 9)}")} '
        f"{level}, {backing} of {every}</span>"
    )


def owner(context: Context, entry: Entry, staff: Mapping[str, str]) -> str:
    """Who has the case, and where it stands."""
    case = entry.case
    if not case.owner:
        return f"{ui.icon('fiber_new', 'rt-accent')} nobody yet"
    who = "me" if case.owner == context.viewer.staff_id else staff.get(case.owner, "no longer staff")
    states = {State.INTERVENTION: ("handshake", "intervention"), State.SNOOZED: ("snooze", "snoozed")}
    symbol, said = states.get(case.state, ("person", ""))
    return f"{ui.icon(symbol, 'rt-accent')} {ui.text(who)}" + (f"<br>{said}" if said else "")


def follow_up(context: Context, entry: Entry) -> str:
    """When somebody looks again, with a word where that is today or over."""
    today, day = context.today(), entry.case.follow_up_on
    if entry.case.snoozed_until is not None:
        return f"{ui.icon('snooze', 'rt-soft')} until {words.day(entry.case.snoozed_until)}"
    if day is None:
        return '<span class="rt-soft">–</span>'
    if day < today:
        return f'<span class="rt-warn">{ui.icon("event_busy")} overdue,<br>{words.day(day)}</span>'
    return f"<b>{ui.icon('event', 'rt-accent')} today</b>" if day == today else words.day(day)
