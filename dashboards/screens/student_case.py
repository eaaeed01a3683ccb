"""The case of a student, on the student's page: where it stands, what was done and why, and what it rests on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from dashboards import cases, people, rule_words, words
from dashboards import components as ui
from dashboards.access import StudentFacts
from dashboards.cases import Listed
from dashboards.screens import queue_acts
from dashboards.screens.queue_table import reason
from dashboards.session import Context
from dashboards.store import Row
from infra.runtime.cases import CaseEvent
from schemas.cases import COMMAND, Action, Case, State
from schemas.rule_titles import rule_title

_STATEMENTS = 12
_HISTORY = 40
_SYMBOLS = {
    State.RAISED: ("fiber_new", "rt-accent"),
    State.CLAIMED: ("person", "rt-accent"),
    State.INTERVENTION: ("handshake", "rt-accent"),
    State.SNOOZED: ("snooze", "rt-soft"),
    State.DISMISSED: ("do_not_disturb_on", "rt-soft"),
    State.CLEARED: ("check_circle", "rt-good"),
}
_ACTIONS = {
    Action.WARNED: "further warning",
    Action.EASED: "warning over",
    Action.WOKEN: "back from snooze",
    Action.FOLLOW_UP: "follow-up",
    Action.INTERVENTION: "intervention begun",
    Action.ENDED: "intervention ended",
    Action.RELEASED: "given back",
}


def view(context: Context, facts: StudentFacts) -> None:
    """Draw the newest case with its actions, its history and each warning opened to its evidence.

    To be called inside a part of a page that ``components.guarded`` draws, after the record was opened.
    """
    queue_acts.say()
    found = cases.of_student(context.registry, context.viewer, facts.student_id)
    if not found:
        ui.empty("No case yet", "Nothing has been raised for this student. A warning opens one by itself.")
        return
    newest = found[0]
    staff = cases.owners(context.registry)
    st.html(_summary(context, newest, staff))
    if newest.case.open:
        names = people.student_names(context.registry, context.viewer, [facts.student_id])
        queue_acts.bar(context, [newest.case], names, "student")
    left, right = st.columns([1.55, 1], gap="medium")
    with left:
        _warnings(context, facts.student_id, newest.case)
    with right:
        _history(context, found, staff)


def _summary(context: Context, listed: Listed, staff: dict[str, str]) -> str:
    case, today = listed.case, context.today()
    symbol, colour = _SYMBOLS[case.state]
    who = staff.get(case.owner, "no longer staff") if case.owner else "nobody yet"
    parts = [f"owner: {who}", f"since {words.since(case.raised_on, today)}"]
    if case.snoozed_until:
        parts.append(f"back on {words.day(case.snoozed_until)}")
    if case.follow_up_on:
        late = " (overdue)" if case.follow_up_on < today else ""
        parts.append(f"next follow-up {words.day(case.follow_up_on)}{late}")
    if case.closed_on:
        parts.append(f"closed {words.day(case.closed_on)}")
    if case.dismissal:
        parts.append(words.dismissal(case.dismissal).lower())
    if case.eased:
        parts.append("no warning stands any more; it is open for its owner")
    return (
        f"<div>{ui.icon(symbol, colour)} <b>{ui.text(words.state(case.state))}</b>"
        f' <span class="rt-soft">· {ui.text(" · ".join(parts))}</span></div>'
    )


def _history(context: Context, found: list[Listed], staff: dict[str, str]) -> None:
    events = cases.events(context.registry, [one.case.case_id for one in found])
    shown = events[-_HISTORY:][::-1]
    ui.table(
        {"at": "When", "what": "What", "who": "Who", "why": "Why"},
        [
            {
                "at": f'<span class="rt-nowrap">{words.moment(_moment(event), context.now(), context.zone)}</span>',
                "what": ui.text(_action(event)),
                "who": ui.text(_who(event, staff)),
                "why": ui.text(_why(event, staff)),
            }
            for event in shown
        ],
        says="What was done with the case",
    )
    if len(events) > len(shown):
        st.caption(f"The last {_HISTORY} of {len(events)}.")


def _action(event: CaseEvent) -> str:
    return _ACTIONS.get(Action(event.action), event.action)


def _why(event: CaseEvent, staff: dict[str, str]) -> str:
    """The reason, led by what belongs to the action: to whom, until when, which goal, what came of it."""
    details = event.details
    match event.action:
        case Action.ASSIGNED:
            said = f"to {staff.get(details['owner'], 'somebody')}"
        case Action.SNOOZED:
            said = f"until {words.day(date.fromisoformat(details['until']))}"
        case Action.FOLLOW_UP:
            said = f"on {words.day(date.fromisoformat(details['on']))}" if details["on"] else "none any more"
        case Action.INTERVENTION:
            said = f"{details['type']}, {words.plural(details['weeks'], 'week')}: {details['goal']}"
        case Action.ENDED:
            said = str(details["outcome"])
        case Action.DISMISSED:
            said = words.dismissal(details["dismissal"]).lower()
        case _:
            return event.why
    return f"{said}. {event.why}" if event.why else said


def _who(event: CaseEvent, staff: dict[str, str]) -> str:
    if event.who.startswith(COMMAND):
        return f"{event.who.removeprefix(COMMAND)} (by command)"
    return staff.get(event.who, "no longer staff") if event.who else "the rules"


def _moment(event: CaseEvent) -> datetime:
    return datetime.fromtimestamp(event.at / 1e6, UTC)


def _warnings(context: Context, student_id: str, case: Case) -> None:
    """The warnings of the case, one of them opened: days and statements that it rests on."""
    rows = context.store.query(context.viewer, "student_warnings", student=student_id)
    mine = {signal[:2]: signal for signal in case.signals}
    known = [row for row in rows if (row["rule"], row["raised_on"]) in mine]
    for signal in case.signals:
        if signal.status == "withdrawn":
            st.caption(f"{rule_title(signal.rule)} of {words.day(signal.raised_on)} was withdrawn: evidence came late.")
    if not known:
        return
    ordered = sorted(known, key=lambda row: (row["status"] != "open", not mine[row["rule"], row["raised_on"]].severe))
    for row in ordered:
        severe = mine[row["rule"], row["raised_on"]].severe
        over = f' <span class="rt-good">{ui.icon("check_circle")} over</span>' if row["status"] != "open" else ""
        st.html(f'<p class="rt-reason">{reason(row, severe=severe)}{over}</p>')
    labels = {f"{row['rule']}:{row['raised_on']}": row for row in ordered}
    chosen = st.segmented_control(
        "Evidence of", list(labels), default=next(iter(labels)), required=True, key=f"evidence:{case.case_id}",
        format_func=lambda one: f"{rule_title(labels[one]['rule'])}, {words.day(labels[one]['raised_on'])}",
    )  # fmt: skip
    _evidence(context, student_id, labels[str(chosen)])


def _evidence(context: Context, student_id: str, row: Row) -> None:
    first, last = row["evidence_from"], row["evidence_to"]
    backing = words.names([context.catalogue.provider(key) for key in row["providers"]], most=5)
    thin = " (low coverage)" if len(row["providers"]) < 2 else ""
    listed = {
        **rule_words.facts(row),
        "Rests on": f"{words.day(first)} to {words.day(last)}, from {backing or 'no provider'}{thin}",
    }
    items = "".join(f"<dt>{name}</dt><dd>{ui.text(value)}</dd>" for name, value in listed.items())
    st.html(f'<dl class="rt-facts">{items}</dl>')
    _days(context, student_id, first, last)
    _statements(context, student_id, first, last)


def _days(context: Context, student_id: str, first: date, last: date) -> None:
    """Each day of the evidence that was a school day or has records: silence is told as such."""
    found = context.store.query(context.viewer, "student_days", student=student_id, since=first)
    rows = {row["day"]: row for row in found if row["day"] <= last}
    held = {day for day in context.catalogue.school_days if first <= day <= last}
    days = sorted(held | set(rows), reverse=True)[:20]
    if not days:
        return
    ui.table(
        {"day": "Day", "activity": "#Activities", "right": "#Right of answers", "present": "Attendance"},
        [_day(day, rows.get(day), held=day in held) for day in days],
        says="Days that the warning rests on",
    )


def _day(day: date, row: Row | None, *, held: bool) -> dict[str, str]:
    named = f"{day:%a} {words.day(day)}" + ("" if held else " (no school)")
    if row is None:
        return {"day": named, "activity": "none", "right": "–", "present": "–"}
    present = "absent" if row["absent"] and row["absent"] >= row["attended"] else "present" if row["attended"] else "–"
    mark = f"{ui.icon('close', 'rt-warn')} absent" if present == "absent" else present
    right = f"{row['successes']:.0f} of {row['attempts']}" if row["attempts"] else "–"
    return {"day": named, "activity": words.count(row["activity"]), "right": right, "present": mark}


def _statements(context: Context, student_id: str, first: date, last: date) -> None:
    rows = context.store.query(
        context.viewer, "student_statements", student=student_id, since=_midnight(first, context),
        until=_midnight(last + timedelta(days=1), context), most=_STATEMENTS,
    )  # fmt: skip
    if not rows:
        ui.empty("No statement on these days", "That nothing came is what the warning says.")
        return
    ui.table(
        {"at": "When", "what": "What", "activity": "Activity", "provider": "Provider", "id": "Statement"},
        [
            {
                "at": f'<span class="rt-nowrap" title="{words.exact(row["timestamp"], context.zone)}">'
                f"{row['timestamp'].astimezone(context.zone):%-d %b, %H:%M}</span>",
                "what": ui.text(row["verb"]),
                "activity": ui.text(row["name"] or words.activity(row["activity"])),
                "provider": ui.text(context.catalogue.provider(row["provider_id"])),
                "id": f"<code title='{row['statement_id']}'>{row['statement_id'][:8]}</code>",
            }
            for row in rows
        ],
        says="Statements that the warning rests on",
    )
    if len(rows) == _STATEMENTS:
        st.caption(f"The newest {_STATEMENTS} of these days; all of them stand under Evidence.")


def _midnight(day: date, context: Context) -> datetime:
    return datetime.combine(day, time(), context.zone).astimezone(UTC)
