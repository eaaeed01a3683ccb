"""Queue: who needs me today, and why?"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import streamlit as st

from dashboards import cases, people, triage, words
from dashboards import components as ui
from dashboards.screens import queue_acts, queue_export, queue_table
from dashboards.session import Context
from dashboards.store import Row
from dashboards.triage import Counts, Entry
from schemas.cases import State
from schemas.rule_titles import rule_title

_ENOUGH_DAYS = 10
_JUDGED_DAYS = 90
_SCORED_DAYS = 28
_SEEN = "queue-seen"
_MINUTE_US = 60_000_000
_NOBODY, _ME = "nobody", "me"


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
    queue_acts.say()
    found = _entries(context)
    today = context.today()
    [watched] = context.store.query(
        context.viewer, "queue_watched", since=today - timedelta(days=_JUDGED_DAYS), enough_days=_ENOUGH_DAYS
    )
    ui.staleness(context)
    seen = _seen(context)
    _tiles(context, found, triage.counts(found, context.viewer.staff_id, today), seen)
    if not found:
        _nobody(context, watched)
        return
    names = people.student_names(context.registry, context.viewer, [entry.student_id for entry in found])
    chosen, whole = _filters(context, found, names, seen)
    if not chosen:
        ui.empty("Nobody matches these filters", "Clear a filter to see the others.")
        return
    most = len(chosen) if whole else context.settings.district.cases_per_counselor
    listed = triage.shown(chosen, context.viewer.staff_id, most)
    cases_ = [entry.case for entry in listed.entries]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        queue_acts.bar(context, queue_acts.picked(cases_), names, "queue")
        queue_export.button(context, listed.entries, names)
    queue_table.draw(context, listed.entries, names)
    _rest(context, listed.waiting, watched)


def _entries(context: Context) -> list[Entry]:
    """The open cases in order. A score of last month orders nothing any more."""
    found = cases.open_cases(context.registry, context.viewer)
    since = context.today() - timedelta(days=_SCORED_DAYS)
    scores = {row["student_id"]: row for row in context.store.query(context.viewer, "queue_scores", since=since)}
    return triage.entries(found, context.store.query(context.viewer, "queue"), scores)


def _seen(context: Context) -> int:
    """When the viewer was here before this visit, µs. Asked again once a minute: that also tells that they are here."""
    now = int(context.now().timestamp() * 1e6)
    asked, seen = st.session_state.get(_SEEN, (0, 0))
    if now - asked > _MINUTE_US:
        seen = cases.last_visit(context.registry, context.viewer, "queue", now)
        st.session_state[_SEEN] = now, seen
    return int(seen)


def _tiles(context: Context, found: list[Entry], counts: Counts, seen: int) -> None:
    since = sum(entry.listed.raised_at > seen for entry in found)
    yours = "your follow-ups"
    late = f'<span class="rt-warn">{ui.icon("schedule")} {yours}</span>' if counts.overdue else yours
    noted = f"{words.plural(counts.snoozed, 'case')} snoozed"
    ui.tiles(
        [
            ui.tile(
                "New", words.count(counts.new), unit=_students(counts.new), symbol="fiber_new",
                note=f"nobody has them yet; {words.count(since)} since your last visit",
            ),
            ui.tile("Due today", words.count(counts.due), unit=_students(counts.due), note=yours, symbol="event"),
            ui.tile(
                "Overdue", words.count(counts.overdue), unit=_students(counts.overdue), note=late, symbol="event_busy"
            ),
            ui.tile(
                "Waiting on others", words.count(counts.others), unit=_students(counts.others), symbol="group",
                note=f"somebody else has them; {noted}",
            ),
        ]
    )  # fmt: skip


def _students(number: int) -> str:
    return "student" if number == 1 else "students"


def _nobody(context: Context, watched: Row) -> None:
    if not watched["watched"]:
        ui.empty(
            "No students yet", "Your account covers no student of the roster. The office that manages it can add some."
        )
        return
    ui.empty("Nothing new among your students", _watched(context, watched))


def _watched(context: Context, watched: Row) -> str:
    fresh = ui.how_fresh(context)
    checked = words.clock(fresh.as_of, context.zone) if fresh.as_of else "never"
    return (
        f"{words.plural(watched['watched'], 'student')} watched; last check {checked}. "
        f"{words.plural(watched['too_little'], 'student')} with too little data to judge."
    )


def _rest(context: Context, waiting: int, watched: Row) -> None:
    """What is not on the list, and how to see it: nothing is hidden for good."""
    if waiting:
        most = context.settings.district.cases_per_counselor
        st.caption(
            f"The first {most} by how severe it is. {words.plural(waiting, 'more case')} "
            f"{'waits' if waiting == 1 else 'wait'}: show all, or find a student by name."
        )
    st.caption(_watched(context, watched))


def _filters(context: Context, found: list[Entry], names: dict[str, str], seen: int) -> tuple[list[Entry], bool]:
    """What the filters leave, and whether all of it is to be shown, however long."""
    me = context.viewer.staff_id
    staff = cases.owners(context.registry)
    rules = sorted({rule for entry in found for rule in entry.rules()}, key=rule_title)
    grades = sorted({entry.listed.grade for entry in found if entry.listed.grade is not None})
    others = sorted({entry.case.owner for entry in found} - {"", me}, key=lambda one: staff.get(one, one))
    called = {_ME: "Me", _NOBODY: "Nobody yet"}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rt-filters"):
        hidden: Literal["collapsed"] = "collapsed"
        name = st.text_input(
            "Find", placeholder="Find a name", key="queue-name", icon=":material/search:", width=170,
            label_visibility=hidden,
        )  # fmt: skip
        rule = st.selectbox(
            "Reason", rules, index=None, placeholder="Any reason", format_func=rule_title, key="queue-rule", width=180,
            label_visibility=hidden,
        )  # fmt: skip
        grade = st.selectbox(
            "Grade", grades, index=None, placeholder="Any grade", key="queue-grade", width=120, label_visibility=hidden,
            format_func=words.grade,
        )  # fmt: skip
        owner = st.selectbox(
            "Owner", [_ME, _NOBODY, *others], index=None, placeholder="Any owner", key="queue-owner", width=150,
            label_visibility=hidden,
            format_func=lambda one: called.get(one) or staff.get(one, one),
        )  # fmt: skip
        new = st.toggle("New since my last visit", key="queue-new")
        asleep = st.toggle("Snoozed", key="queue-snoozed", help="Cases that come back by themselves")
        whole = st.toggle("Show all", key="queue-all", help="Also those beyond the length of the list")
    wanted = me if owner == _ME else "" if owner == _NOBODY else owner
    left = [
        entry
        for entry in found
        if (rule is None or rule in entry.rules())
        and (grade is None or entry.listed.grade == grade)
        and (owner is None or entry.case.owner == wanted)
        and (not new or entry.listed.raised_at > seen)
        and (bool(name) or asleep == (entry.case.state is State.SNOOZED))
        and name.casefold() in names.get(entry.student_id, "").casefold()
    ]
    return left, bool(whole or name)
