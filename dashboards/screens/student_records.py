"""The student page's records: statements behind it, who can see it, and who looked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from dashboards import components as ui
from dashboards import people, words
from dashboards.access import StudentFacts
from dashboards.session import Context
from dashboards.store import Row

_EVIDENCE = 40


def evidence(context: Context, student_id: str, warning: Row | None) -> None:
    """Statements of some days, to begin with those that the newest open warning rests on."""
    today = context.today()
    days = (warning["evidence_from"], warning["evidence_to"]) if warning else (today - timedelta(days=7), today)
    chosen = st.date_input("Days", value=days, max_value=today, key="evidence-days", width=260)
    first, last = (chosen[0], chosen[-1]) if isinstance(chosen, tuple) and chosen else days
    rows = context.store.query(
        context.viewer,
        "student_statements",
        student=student_id,
        since=_midnight(first, context),
        until=_midnight(last + timedelta(days=1), context),
        most=_EVIDENCE,
    )
    if not rows:
        ui.empty("No statements on these days", "Choose other days.")
        return
    ui.table(
        {"at": "When", "what": "What", "activity": "Activity", "result": "Result", "skills": "Skill",
         "provider": "Provider", "id": "Statement"},
        [
            {
                "at": f'<span class="rt-nowrap" title="{words.exact(row["timestamp"], context.zone)}">'
                f"{row['timestamp'].astimezone(context.zone):%-d %b, %H:%M}</span>",
                "what": ui.text(row["verb"]),
                "activity": ui.text(row["name"] or words.activity(row["activity"])),
                "result": _result(row),
                "skills": ui.text(", ".join(context.catalogue.skill(key) for key in row["skills"]) or "–"),
                "provider": ui.text(context.catalogue.provider(row["provider_id"])),
                "id": f"<code title='{row['statement_id']}'>{row['statement_id'][:8]}</code>",
            }
            for row in rows
        ],
        says="Statements of the student",
    )  # fmt: skip
    if len(rows) == _EVIDENCE:
        st.caption(f"The newest {_EVIDENCE} of these days.")


def _midnight(day: date, context: Context) -> datetime:
    return datetime.combine(day, time(), context.zone).astimezone(UTC)


def _result(row: Row) -> str:
    if row["success"] is not None:
        return f"{ui.icon('check', 'rt-good')} right" if row["success"] else f"{ui.icon('close', 'rt-warn')} not right"
    return words.percent(row["score"]) if row["score"] is not None else "–"


def who(context: Context, facts: StudentFacts) -> None:
    """Everyone who can open the page, and why."""
    rows = people.who_may_open(context.registry, facts)
    st.caption("Everyone who can open this page, and the reason. Operators and providers never can.")
    ui.table(
        {"name": "Name", "role": "Role", "why": "Why"},
        [
            {"name": ui.text(member.name), "role": ui.text(member.viewer.role), "why": ui.text(decision.reason)}
            for member, decision in rows
        ],
        says="Who can open this page",
    )


def log(context: Context, student_id: str) -> None:
    """Every time the record was opened or refused."""
    rows = context.store.query(context.viewer, "student_access", student=student_id)
    staff = {member.staff_id: member.name for member in people.staff_members(context.registry)}
    st.caption("Every time this record was opened or refused.")
    ui.table(
        {"at": "When", "who": "Who", "role": "Role", "action": "What", "reason": "Why"},
        [
            {
                "at": words.moment(row["at"], context.now(), context.zone),
                "who": ui.text(staff.get(row["viewer_id"], "no longer staff")),
                "role": ui.text(row["role"]),
                "action": ui.text({"view": "opened", "denied": "refused"}.get(row["action"], row["action"])),
                "reason": ui.text(row["reason"]),
            }
            for row in rows
        ],
        says="Access log",
    )
