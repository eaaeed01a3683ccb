"""Student: what changed for this student, and what does it rest on?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from dashboards import charts, people, words
from dashboards import components as ui
from dashboards.access import Decision, StudentFacts
from dashboards.session import Context
from dashboards.store import NotAllowedError, Row

_DAYS = 120
_GAIN_DAYS = 28
_EVIDENCE = 40
_FEW = 3
_MASTERED, _EMERGING = 0.8, 0.5


def page(context: Context) -> None:
    """Draw the student that the address names."""
    student_id = st.query_params.get("student", "")
    if not student_id:
        ui.header(context, "Student", "What changed for this student, and what does it rest on?", "no student chosen")
        ui.empty("No student chosen", "Open one from the queue.")
        ui.link(context, "queue", "To the queue", symbol="arrow_back")
        return
    try:
        facts, decision = _open(context, student_id)
        name = people.student_names(context.registry, context.viewer, [student_id]).get(student_id, "Student")
    except NotAllowedError as refused:
        ui.header(context, "Student", "This record is not open to this account.", "no access")
        ui.not_allowed(f"{refused.decision.reason} The attempt was recorded.")
        return
    except ui.UNAVAILABLE as error:
        ui.header(context, "Student", "What changed for this student, and what does it rest on?", "unknown")
        ui.failed("student", error)
        return
    place = f"{words.grade(facts.grade)}, {context.catalogue.school(facts.school_id)}"
    ui.header(context, name, place, f"open to you: {decision.reason}")
    ui.guarded(f"student:{student_id}", lambda: _student(context, facts), 170, 260, 200)


def close() -> None:
    """Another page is open now: coming back to the student is a new view."""
    st.session_state.pop("opened", None)


def _open(context: Context, student_id: str) -> tuple[StudentFacts, Decision]:
    """Decide, and write one audit row for each time the page is opened, not for each refresh."""
    opened = st.session_state.get("opened")
    if opened and opened[0] == (student_id, context.viewer):
        facts, decision = opened[1]
        return facts, decision
    close()
    found = context.store.open_student(context.viewer, student_id, "student")
    st.session_state["opened"] = ((student_id, context.viewer), found)
    return found


def _student(context: Context, facts: StudentFacts) -> None:
    student_id, today = facts.student_id, context.today()
    days = context.store.query(context.viewer, "student_days", student=student_id, since=today - timedelta(days=_DAYS))
    warnings = context.store.query(context.viewer, "student_warnings", student=student_id)
    ui.staleness(context)
    if days:
        _picture(context, student_id, days, warnings)
    else:
        ui.empty(
            "No records yet",
            "First signals are expected after ten school days with activity. Nothing is wrong until then.",
        )
    skills, evidence, who, log = st.tabs(
        [":material/school: Skills", ":material/fact_check: Evidence", ":material/shield_person: Who can see this",
         ":material/history: Access log"]
    )  # fmt: skip
    with skills:
        _skills(context, student_id)
    with evidence:
        _evidence(context, student_id, next((row for row in warnings if row["status"] == "open"), None))
    with who:
        _who(context, facts)
    with log:
        _log(context, student_id)


def _picture(context: Context, student_id: str, days: list[Row], warnings: list[Row]) -> None:
    open_ = [row for row in warnings if row["status"] == "open"]
    cards = _strengths(context, student_id, days) + _reasons(context, open_, warnings)
    st.html(f'<div class="rt-cards">{cards}</div>')
    ui.section(
        "Over time",
        f"bars: activities; points: share right; {ui.icon('close', 'rt-warn')} absent; "
        f'<span class="rt-warn">shaded: open warning</span>; <span class="rt-good">shaded: cleared</span>',
    )
    activity, right = charts.timeline(days, warnings, context.today(), context.palette)
    ui.chart(activity, says="Activities, absence and warnings of the student, day by day", key="student-activity")
    ui.chart(right, says="Share of right answers of the student, day by day", key="student-right")


def _strengths(context: Context, student_id: str, days: list[Row]) -> str:
    since = datetime.combine(context.today() - timedelta(days=_GAIN_DAYS), time(), context.zone)
    gains = context.store.query(context.viewer, "student_gains", student=student_id, since=since)
    risen = sorted(
        (row for row in gains if row["before_n"] >= _FEW and row["after_n"] >= _FEW),
        key=lambda row: row["before_mean"] - row["after_mean"],
    )
    items = [
        f"<li>{ui.icon('trending_up', 'rt-good')} <b>{ui.text(context.catalogue.skill(row['skill_id']))}</b>: "
        f"{words.percent(row['after_mean'])} right in the last four weeks (n {row['after_n']}), "
        f"{words.percent(row['before_mean'])} before (n {row['before_n']})</li>"
        for row in risen[:2]
        if row["after_mean"] > row["before_mean"]
    ]
    skills = context.store.query(context.viewer, "student_skills", student=student_id)
    known = [row for row in skills if level(row) == "mastered"]
    if known:
        best = sorted(known, key=lambda row: -row["mastery"])
        named = words.names([context.catalogue.skill(row["skill_id"]) for row in best], most=2)
        items.append(f"<li>{ui.icon('verified', 'rt-good')} Mastered: {ui.text(named)}</li>")
    recent = [row for row in days if row["day"] > context.today() - timedelta(days=_GAIN_DAYS)]
    active, tried = sum(row["activity"] > 0 for row in recent), sum(row["attempts"] for row in recent)
    said = f"{words.plural(tried, 'answer')} tried in the last four weeks"
    if 2 * active >= len(recent):
        said += f", active on {active} of {words.plural(len(recent), 'day')} with records"
    items.append(f"<li>{ui.icon('edit_note', 'rt-accent')} {said}</li>")
    return f'<div class="rt-card"><h3>Going well</h3><ul>{"".join(items)}</ul></div>'


def _reasons(context: Context, open_: list[Row], every: list[Row]) -> str:
    if not open_:
        past = [row for row in every if row["status"] == "cleared"]
        last = f" The last one was cleared on {words.day(past[0]['cleared_on'])}." if past else ""
        return (
            f'<div class="rt-card"><h3>{ui.icon("check_circle", "rt-good")} No open warning</h3>'
            f"<p>{ui.text('Nothing stands out against this student’s own past.' + last)}</p></div>"
        )
    return '<div class="rt-card">' + "".join(_reason(context, row) for row in open_) + "</div>"


def _reason(context: Context, row: Row) -> str:
    backing = words.names([context.catalogue.provider(key) for key in row["providers"]], most=5)
    thin = " (low coverage)" if len(row["providers"]) < 2 else ""
    facts = {
        **_indicator(row),
        "Evidence": f"{words.day(row['evidence_from'])} to {words.day(row['evidence_to'])}, from {backing}{thin}",
        "Since": words.since(row["raised_on"], context.today()),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{ui.text(value)}</dd>" for name, value in facts.items())
    return (
        f"<h3>{ui.icon('flag', 'rt-warn')} {ui.text(words.rule(row['rule']))}</h3>"
        f'<p>{ui.text(row["reason"])}</p><dl class="rt-facts">{listed}</dl>'
    )


def _indicator(row: Row) -> dict[str, str]:
    """The indicator, the student's own past and where the line is drawn, as the rule means them."""
    value, baseline, threshold = row["value"], row["baseline"], row["threshold"]
    if row["rule"] == "inactivity":
        return {
            "Now": f"{words.plural(round(value), 'usual school day')} without activity",
            "Own baseline": f"active on {words.percent(baseline)} of school days",
            "Line drawn at": words.plural(round(threshold), "usual school day"),
        }
    if row["rule"] == "falling_success":
        return {
            "Now": f"{words.percent(value)} right",
            "Own baseline": f"{words.percent(baseline)} right",
            "Line drawn at": f"{100 * threshold:.0f} points below the baseline",
        }
    return {"Now": f"{value:g}", "Own baseline": f"{baseline:g}", "Line drawn at": f"{threshold:g}"}


def level(row: Row) -> str:
    """Where a student stands in a skill: a word, by its mastery and by how much is known."""
    if row["attempts"] < _FEW:
        return "too little evidence"
    if row["mastery"] >= _MASTERED:
        return "mastered"
    return "emerging" if row["mastery"] >= _EMERGING else "starting"


_LEVELS = {
    "mastered": ("verified", "rt-good"),
    "emerging": ("trending_up", "rt-accent"),
    "starting": ("radio_button_unchecked", "rt-warn"),
    "too little evidence": ("more_horiz", "rt-soft"),
}


def _skills(context: Context, student_id: str) -> None:
    rows = context.store.query(context.viewer, "student_skills", student=student_id)
    if not rows:
        ui.empty(
            "No evidence of skill yet", "Answers, scores and passed courses that are aligned to a skill appear here."
        )
        return
    order = list(_LEVELS)
    rows = sorted(rows, key=lambda row: (order.index(level(row)), -row["mastery"]))
    levels = {row["skill_id"]: level(row) for row in rows}
    ui.table(
        {"level": "Level", "skill": "Skill", "domain": "Domain", "mastery": "#Expected right",
         "recent": "#Lately right", "n": "#Answers (n)", "last": "Last", "needs": "Builds on"},
        [_skill(context, row, levels) for row in rows],
        says="Skills of the student",
    )  # fmt: skip


def _skill(context: Context, row: Row, levels: dict[str, str]) -> dict[str, str]:
    symbol, colour = _LEVELS[levels[row["skill_id"]]]
    known = context.catalogue.skills.get(row["skill_id"])
    missing = [
        context.catalogue.skill(key)
        for key in sorted(context.catalogue.requires.get(row["skill_id"], ()))
        if levels.get(key) != "mastered"
    ]
    return {
        "level": f'<span class="rt-nowrap">{ui.icon(symbol, colour)} {levels[row["skill_id"]]}</span>',
        "skill": ui.text(context.catalogue.skill(row["skill_id"])),
        "domain": ui.text(known.domain if known else "–"),
        "mastery": words.percent(row["mastery"]),
        "recent": words.percent(row["recent"]),
        "n": words.count(row["attempts"]),
        "last": f'<span class="rt-nowrap">{words.moment(row["last_at"], context.now(), context.zone)}</span>',
        "needs": ui.text(", ".join(missing) + " (not mastered yet)") if missing else "–",
    }


def _evidence(context: Context, student_id: str, warning: Row | None) -> None:
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


def _who(context: Context, facts: StudentFacts) -> None:
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


def _log(context: Context, student_id: str) -> None:
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
