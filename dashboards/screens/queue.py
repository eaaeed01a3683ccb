"""Queue: who needs me today, and why?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import streamlit as st

from dashboards import charts, people, words
from dashboards import components as ui
from dashboards.session import Context
from dashboards.store import Row

_TREND_DAYS = 28
_NEW_DAYS = 7
_PAGE = 25
_ENOUGH_DAYS = 10
_JUDGED_DAYS = 90


@dataclass(frozen=True)
class Entry:
    """One student of the queue with the open warnings, the newest first."""

    student_id: str
    grade: int
    school_id: str
    warnings: tuple[Row, ...]

    @property
    def newest(self) -> date:
        """When the newest warning was raised."""
        found: date = max(row["raised_on"] for row in self.warnings)
        return found

    @property
    def oldest(self) -> date:
        """Since when there has been an open warning."""
        found: date = min(row["raised_on"] for row in self.warnings)
        return found

    @property
    def providers(self) -> frozenset[str]:
        """Providers that back any of the indicators."""
        return frozenset(provider for row in self.warnings for provider in row["providers"])


def entries(rows: list[Row]) -> list[Entry]:
    """Rows of queries/queue.sql by student: the newest warning first, then more reasons, then the longest wait."""
    ordered = sorted(rows, key=lambda row: str(row["student_id"]))
    found = []
    for student_id, group in groupby(ordered, key=lambda row: str(row["student_id"])):
        warnings = sorted(group, key=lambda row: row["raised_on"], reverse=True)
        found.append(Entry(student_id, warnings[0]["grade"], warnings[0]["school_id"], tuple(warnings)))
    return sorted(found, key=lambda entry: (-entry.newest.toordinal(), -len(entry.warnings), entry.student_id))


def page(context: Context) -> None:
    """Draw it."""
    ui.header(
        context,
        "Queue",
        "Who needs me today, and why?",
        context.catalogue.scopes(context.viewer, context.settings.district.name),
    )

    @ui.live(context, "queue", 92, 40, 420, slower=5)
    def body() -> None:
        _queue(context)

    body()


def _queue(context: Context) -> None:
    everyone = entries(context.store.query(context.viewer, "queue"))
    today = context.today()
    [watched] = context.store.query(
        context.viewer, "queue_watched", since=today - timedelta(days=_JUDGED_DAYS), enough_days=_ENOUGH_DAYS
    )
    ui.staleness(context)
    _tiles(context, everyone, watched)
    if not everyone:
        _nobody(context, watched)
        return
    chosen = _filters(everyone, today)
    if not chosen:
        ui.empty("Nobody matches these filters", "Clear a filter to see the others.")
        return
    most = st.session_state.get("queue-most", _PAGE)
    _table(context, chosen[:most])
    if len(chosen) > most and st.button(f"Show {min(_PAGE, len(chosen) - most)} more", icon=":material/expand_more:"):
        st.session_state["queue-most"] = most + _PAGE
        st.rerun()


def _tiles(context: Context, everyone: list[Entry], watched: Row) -> None:
    today = context.today()
    new = sum(entry.newest > today - timedelta(days=_NEW_DAYS) for entry in everyone)
    twice = sum(len(entry.warnings) > 1 for entry in everyone)
    thin = sum(len(entry.providers) < 2 for entry in everyone)
    ui.tiles(
        [
            ui.tile("Open", words.count(len(everyone)), unit="students", note="with an open warning", symbol="flag"),
            ui.tile("New", words.count(new), unit="students", note=f"in the last {_NEW_DAYS} days", symbol="fiber_new"),
            ui.tile(
                "More than one reason", words.count(twice), unit="students", note="look here first", symbol="stacks"
            ),
            ui.tile(
                "Low coverage",
                words.count(thin),
                unit="students",
                note="one provider backs the warning",
                symbol="counter_1",
            ),
            ui.tile(
                "Watched",
                words.count(watched["watched"]),
                unit="students",
                note=f"{words.count(watched['too_little'])} with too little data to judge",
                symbol="visibility",
            ),
        ]
    )


def _nobody(context: Context, watched: Row) -> None:
    if not watched["watched"]:
        ui.empty(
            "No students yet", "Your account covers no student of the roster. The office that manages it can add some."
        )
        return
    fresh = ui.how_fresh(context)
    checked = words.clock(fresh.as_of, context.zone) if fresh.as_of else "never"
    ui.empty(
        "Nothing open among your students",
        f"{words.plural(watched['watched'], 'student')} watched; last check {checked}. "
        f"{words.plural(watched['too_little'], 'student')} with too little data to judge.",
    )


def _filters(everyone: list[Entry], today: date) -> list[Entry]:
    rules = sorted({row["rule"] for entry in everyone for row in entry.warnings})
    grades = sorted({entry.grade for entry in everyone})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        rule = st.segmented_control("Reason", rules, format_func=words.rule, key="queue-rule")
        grade = st.segmented_control("Grade", grades, format_func=str, key="queue-grade")
        new = st.toggle(f"New in the last {_NEW_DAYS} days", key="queue-new")
    return [
        entry
        for entry in everyone
        if (rule is None or any(row["rule"] == rule for row in entry.warnings))
        and (grade is None or entry.grade == grade)
        and (not new or entry.newest > today - timedelta(days=_NEW_DAYS))
    ]


def _table(context: Context, shown: list[Entry]) -> None:
    ids = [entry.student_id for entry in shown]
    names = people.student_names(context.registry, context.viewer, ids)
    days = charts.last_days(context.today(), _TREND_DAYS)
    trends = {
        row["student_id"]: dict(row["days"])
        for row in context.store.query(context.viewer, "queue_activity", students=ids, since=days[0])
    }
    school_days = [day for day in days if day in context.catalogue.school_days] or days
    with st.container(gap=None, key="queue-table"):
        head = "".join(
            f"<span>{heading}</span>"
            for heading in ("Grade", "Why", f"Activity, {len(school_days)} school days", "Since", "Coverage")
        )
        left, right = st.columns([1, 6])
        left.html('<div class="rt-row rt-th" style="display:block">Student</div>')
        right.html(f'<div class="rt-row rt-th">{head}</div>')
        for entry in shown:
            trend = trends.get(entry.student_id, {})
            st.html('<div class="rt-rule"></div>')
            left, right = st.columns([1, 6], vertical_alignment="center")
            with left:
                ui.link(context, "student", names.get(entry.student_id, "Name withheld"), student=entry.student_id)
            right.html(_row(context, entry, [float(trend.get(day, 0)) for day in school_days]))


def _row(context: Context, entry: Entry, trend: list[float]) -> str:
    reasons = "".join(f'<span class="rt-reason">{_reason(row)}</span>' for row in entry.warnings[:2])
    return (
        f'<div class="rt-row"><span class="rt-nowrap">{words.grade(entry.grade)}</span><span>{reasons}</span>'
        f"<span>{charts.spark(trend, width=140, says='activities on each school day')}</span>"
        f'<span class="rt-small">{words.since(entry.oldest, context.today())}</span>{coverage(context, entry)}</div>'
    )


def _reason(row: Row) -> str:
    """The reason, led by the name of its rule where it does not begin with it anyway."""
    name, reason = words.rule(row["rule"]), row["reason"]
    rest = reason.removeprefix(name)
    return f"<b>{ui.text(name)}</b>{ui.text(rest)}" if rest != reason else f"<b>{ui.text(name)}.</b> {ui.text(reason)}"


def coverage(context: Context, entry: Entry) -> str:
    """How many providers back the warning, in a word and an icon."""
    backing, every = len(entry.providers), max(len(context.catalogue.providers), 1)
    names = words.names([context.catalogue.provider(key) for key in sorted(entry.providers)], most=6)
    level = "low" if backing < 2 else "fair" if backing < 3 else "good"
    symbol = f"counter_{min(backing, 9)}"
    colour = "rt-warn" if level == "low" else "rt-soft"
    return (
        f'<span class="rt-badge {colour}" title="{ui.text(names)}">{ui.icon(symbol)} '
        f"{level}, {backing} of {every}</span>"
    )
