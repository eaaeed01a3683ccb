"""Student: what changed for this student, and what does it rest on?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from dashboards import cases, charts, people, rule_words, words
from dashboards import components as ui
from dashboards.access import Decision, StudentFacts
from dashboards.learning import Known, Story
from dashboards.screens import student_case, student_records, student_skill, student_skills
from dashboards.session import Context
from dashboards.store import NotAllowedError, Row
from schemas.rule_titles import rule_title

_DAYS = 120


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
    if skill := st.query_params.get("skill", ""):
        student_skill.page(context, facts, skill)
        return
    student_id, today = facts.student_id, context.today()
    days = context.store.query(context.viewer, "student_days", student=student_id, since=today - timedelta(days=_DAYS))
    warnings = context.store.query(context.viewer, "student_warnings", student=student_id)
    mine, told = student_skills.known(context, student_id), student_skills.story(context, student_id)
    ui.staleness(context)
    if days:
        _picture(context, facts, days, warnings, mine, told)
    else:
        ui.empty(
            "No records yet",
            "First signals are expected after ten school days with activity. Nothing is wrong until then.",
        )
    case, skills, growth, evidence, who, log = st.tabs(
        [":material/assignment_ind: Case", ":material/school: Skills", ":material/trending_up: Growth",
         ":material/fact_check: Evidence", ":material/shield_person: Who can see this", ":material/history: Access log"]
    )  # fmt: skip
    with case:
        student_case.view(context, facts)
    with skills:
        student_skills.ladder(context, facts, mine)
    with growth:
        student_skills.growth(context, told)
    with evidence:
        open_ = next((row for row in warnings if row["status"] == "open"), None)
        student_records.evidence(context, student_id, open_)
    with who:
        student_records.who(context, facts)
    with log:
        student_records.log(context, student_id)


def _picture(
    context: Context, facts: StudentFacts, days: list[Row], warnings: list[Row], mine: Mapping[str, Known], told: Story
) -> None:
    open_ = [row for row in warnings if row["status"] == "open"]
    known = cases.of_student(context.registry, context.viewer, facts.student_id)
    helped = cases.interventions(cases.events(context.registry, [one.case.case_id for one in known]), context.zone)
    cards = (
        student_skills.strengths(context, told, days)
        + student_skills.next_card(context, facts, mine)
        + _reasons(context, open_, warnings)
    )
    st.html(f'<div class="rt-cards rt-three">{cards}</div>')
    ui.section(
        "Over time",
        f"bars: activities; points: share right; {ui.icon('close', 'rt-warn')} absent; "
        f'<span class="rt-warn">shaded: open warning</span>; <span class="rt-good">shaded: cleared</span>'
        + ("; band: intervention" if helped else ""),
    )
    bands = [{"from": one.first, "to": one.last, "label": _helped(one)} for one in helped]
    activity, *done, right = charts.timeline(days, warnings, bands, context.today(), context.palette)
    ui.chart(activity, says="Activities, absence and warnings of the student, day by day", key="student-activity")
    for chart in done:
        ui.chart(chart, says="Interventions over the same days", key="student-interventions")
    ui.chart(right, says="Share of right answers of the student, day by day", key="student-right")


def _helped(one: cases.Intervention) -> str:
    """An intervention as the timeline names it."""
    return f"{one.kind.capitalize()} from {words.day(one.first)}" + (f": {one.outcome}" if one.outcome else "")


def _reasons(context: Context, open_: list[Row], every: list[Row]) -> str:
    if not open_:
        past = [row for row in every if row["status"] == "cleared"]
        last = f" The last one was cleared on {words.day(past[0]['cleared_on'])}." if past else ""
        return (
            f'<div class="rt-card"><h3>{ui.icon("check_circle", "rt-good")} No open warning</h3>'
            f"<p>{ui.text('Nothing stands out against this student’s own past.' + last)}</p></div>"
        )
    first, rest = _reason(context, open_[0]), "".join(_short(context, row) for row in open_[1:])
    more = f"<details><summary>{words.plural(len(open_) - 1, 'more open warning')}</summary>{rest}</details>"
    return f'<div class="rt-card">{first}{more if rest else ""}</div>'


def _short(context: Context, row: Row) -> str:
    """A warning in two lines; the case opens each to its evidence."""
    return (
        f"<p><b>{ui.text(rule_title(row['rule']))}</b>, since {words.since(row['raised_on'], context.today())}<br>"
        f"{ui.text(row['reason'])}</p>"
    )


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
        f"<h3>{ui.icon('flag', 'rt-warn')} {ui.text(rule_title(row['rule']))}</h3>"
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
    said = rule_words.facts(row)
    return {name: said[name] for name in ("Now", "Line drawn at")}
