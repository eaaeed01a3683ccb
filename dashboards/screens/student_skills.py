"""The student page's learning: what goes well, what is next, the ladder of skills, and growth by week."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from dashboards import charts_learning, learning, mastery, words
from dashboards import components as ui
from dashboards.access import StudentFacts
from dashboards.learning import Known, Next, Story, Word
from dashboards.session import Context
from dashboards.store import Row

_GAIN_WEEKS = 4


def known(context: Context, student_id: str) -> dict[str, Known]:
    """What the student is taken to know now, by skill."""
    rows = context.store.query(context.viewer, "skills", students=[student_id])
    return learning.known(context.registry, rows, context.now(), learning.lines(context.settings.district))


def story(context: Context, student_id: str) -> Story:
    """The student's answers, folded; kept for the session until another one comes."""
    rows = context.store.query(context.viewer, "student_attempts", student=student_id, most=learning.MOST_ANSWERS)
    states = context.store.query(context.viewer, "skills", students=[student_id])
    # Under the version that the states were folded under: the list and what it opens to then say the same.
    version = max((row["calibration"] for row in states), default=None)
    version = learning.active(context.registry) if version is None else version
    key = (student_id, version, len(rows), rows[-1]["statement_id"] if rows else "")
    kept = st.session_state.get("story")
    if kept and kept[0] == key:
        return kept[1]  # type: ignore[no-any-return]
    lines = learning.lines(context.settings.district)
    told = learning.story(context.registry, rows, version, context.now(), lines)
    st.session_state["story"] = (key, told)
    return told


def strengths(context: Context, told: Story, days: list[Row]) -> str:
    """The first card: what was newly mastered, the largest gains, and how much was tried; HTML."""
    lines = learning.lines(context.settings.district)
    since = context.today() - timedelta(weeks=_GAIN_WEEKS)
    found = learning.strengths(learning.growth(told, context.zone, lines), since)
    items = [
        f"<li>{ui.icon('verified', 'rt-good')} Newly mastered: "
        f"<b>{ui.text(context.catalogue.skill(skill))}</b>, in the week of {words.day(week)}</li>"
        for skill, week in found.mastered[:2]
    ]
    items += [
        f"<li>{ui.icon('trending_up', 'rt-good')} <b>{ui.text(context.catalogue.skill(skill))}</b>: "
        f"chance of a right answer {words.percent(after)}, {words.percent(before)} four weeks ago</li>"
        for skill, before, after in found.gains[: 3 - len(items)]
    ]
    if not items and (solid := [key for key, one in told.known.items() if one.word is Word.MASTERED]):
        named = words.names([context.catalogue.skill(key) for key in sorted(solid)], most=2)
        items.append(f"<li>{ui.icon('verified', 'rt-good')} Mastered: {ui.text(named)}</li>")
    recent = [row for row in days if row["day"] > since]
    active, tried = sum(row["activity"] > 0 for row in recent), sum(row["attempts"] for row in recent)
    said = f"{words.plural(tried, 'answer')} tried in the last four weeks"
    if 2 * active >= len(recent):
        said += f", active on {active} of {words.plural(len(recent), 'day')} with records"
    items.append(f"<li>{ui.icon('edit_note', 'rt-accent')} {said}</li>")
    return f'<div class="rt-card"><h3>Going well</h3><ul>{"".join(items)}</ul></div>'


def scopes(context: Context, facts: StudentFacts, mine: Mapping[str, Known]) -> dict[str, list[str]]:
    """Skills that the student works on, by subject: those of the classes; without a class, those of the grade."""
    found: dict[str, list[str]] = {}
    for section_id in sorted(facts.sections):
        if section := context.catalogue.sections.get(section_id):
            skills = context.catalogue.worked_on(section.subject, section.grade)
            found[section.subject] = sorted({*found.get(section.subject, ()), *skills}, key=skills.index)
    for skill in mine:
        one = context.catalogue.skills.get(skill)
        if one and one.subject not in found:
            found[one.subject] = context.catalogue.worked_on(one.subject, facts.grade)
    return found


def nexts(context: Context, facts: StudentFacts, mine: Mapping[str, Known]) -> dict[str, Next]:
    """What is next in each subject. Raises CycleError where the catalogue has one."""
    standings = {skill: one.standing for skill, one in mine.items()}
    return {
        subject: learning.next_skill(context.catalogue.requires, standings, skills)
        for subject, skills in sorted(scopes(context, facts, mine).items())
    }


def cycle(context: Context, error: learning.CycleError) -> str:
    """Why nothing can be said to be next, in words."""
    path = " → ".join(context.catalogue.skill(key) for key in error.path)
    return f"The catalogue has skills that build on each other, so no order can be told: {path}."


def next_card(context: Context, facts: StudentFacts, mine: Mapping[str, Known]) -> str:
    """The card of what is next, by subject; HTML."""
    try:
        found = nexts(context, facts, mine)
    except learning.CycleError as error:
        return f'<div class="rt-card"><h3>Next to learn</h3><p>{ui.text(cycle(context, error))}</p></div>'
    items = [_next(context, facts.student_id, subject, one, mine) for subject, one in found.items()]
    body = f"<ul>{''.join(items)}</ul>" if items else "<p>No class and no answers yet, so nothing can be chosen.</p>"
    return f'<div class="rt-card"><h3>Next to learn</h3>{body}</div>'


def _next(context: Context, student_id: str, subject: str, found: Next, mine: Mapping[str, Known]) -> str:
    subject = ui.text(subject.capitalize() if subject.islower() else subject)
    if found.skill is None:
        said = "all that is worked on is mastered" if found.evidence else "no answers yet"
        return f"<li>{subject}: {said}</li>"
    name = ui.anchor(context.catalogue.skill(found.skill), opened(context, student_id, found.skill))
    why = "never tried; what it builds on is met"
    if one := mine.get(found.skill):
        why = f"{one.word}, {words.percent(one.chance)} ({mastery.span(one)}), n {one.attempts}"
    opens = words.names([context.catalogue.skill(key) for key in found.leads_to], most=2)
    lines = [f"{subject}: <b>{name}</b>", f'<span class="rt-soft">{ui.text(why)}</span>']
    if opens:
        lines.append(f'<span class="rt-soft">Opens: {ui.text(opens)}</span>')
    if found.unknown:
        unknown = words.names([context.catalogue.skill(key) for key in found.unknown])
        lines.append(f'<span class="rt-soft">No evidence yet of: {ui.text(unknown)}</span>')
    return f"<li>{ui.icon('arrow_forward', 'rt-accent')} {'<br>'.join(lines)}</li>"


def opened(context: Context, student_id: str, skill: str) -> str:
    """Address of a skill opened to its answers."""
    return ui.address(context, "student", student=student_id, skill=skill)


def ladder(context: Context, facts: StudentFacts, mine: Mapping[str, Known]) -> None:
    """All skills of the student: mastered, open now, and blocked with what is missing first."""
    worked_on = [skill for skills in scopes(context, facts, mine).values() for skill in skills]
    if not mine:
        ui.empty(
            "No evidence of skill yet", "Answers, scores and passed courses that are aligned to a skill appear here."
        )
        return
    blocked: dict[str, tuple[str, ...]] = {}
    first: set[str | None] = set()
    try:
        found = nexts(context, facts, mine)
        blocked = {skill: path for one in found.values() for skill, path in one.blocked.items()}
        first = {one.skill for one in found.values()}
    except learning.CycleError as error:
        ui.notice(cycle(context, error))
    order = list(mastery.SYMBOLS)
    every = sorted(
        {*mine, *worked_on},
        key=lambda skill: (order.index(_word(skill, mine)), -mine[skill].chance if skill in mine else 0, skill),
    )
    mastered = [skill for skill in every if _word(skill, mine) in learning.ONCE_MASTERED]
    waiting = [skill for skill in every if skill in blocked]
    ready = [skill for skill in every if skill not in mastered and skill not in blocked]
    ready.sort(key=lambda skill: skill not in first)
    for title, note, skills in (
        ("Mastered", "strengths first", mastered),
        ("Open now", "what these build on is met; the next one first", ready),
        ("Blocked", "something they build on comes first", waiting),
    ):
        if skills:
            ui.section(f"{title} ({len(skills)})", note)
            _rungs(context, facts.student_id, title, skills, mine, blocked)


def _word(skill: str, mine: Mapping[str, Known]) -> Word:
    return mine[skill].word if skill in mine else Word.NOT_STARTED


def _rungs(
    context: Context, student_id: str, title: str, skills: list[str], mine: Mapping[str, Known],
    blocked: Mapping[str, tuple[str, ...]],
) -> None:  # fmt: skip
    columns = {"word": "Word", "skill": "Skill", "domain": "Domain", "chance": "#Chance right", "band": "90% interval",
               "n": "#Answers (n)", "last": "Last practised"}  # fmt: skip
    if title == "Blocked":
        columns["first"] = "Comes first"
    rows = []
    for skill in skills:
        one, about = mine.get(skill), context.catalogue.skills.get(skill)
        path = [context.catalogue.skill(key) for key in reversed(blocked.get(skill, ())[1:])]
        rows.append(
            {
                "word": mastery.badge(_word(skill, mine)),
                "skill": ui.anchor(context.catalogue.skill(skill), opened(context, student_id, skill))
                if one
                else ui.text(context.catalogue.skill(skill)),
                "domain": ui.text(about.domain if about else "–"),
                "chance": words.percent(one.chance) if one else "–",
                "band": f"{mastery.band(one)} {mastery.span(one)}" if one else "–",
                "n": words.count(one.attempts) if one else "0",
                "last": mastery.practised(one, context.now()) if one else "never",
                "first": ui.text(" → ".join(path) or "–"),
            }
        )
    ui.table(columns, rows, says=f"Skills of the student: {title.lower()}")


def growth(context: Context, told: Story) -> None:
    """Growth by week against the student's own past."""
    weeks = learning.growth(told, context.zone, learning.lines(context.settings.district))
    if not weeks:
        ui.empty("No growth to show yet", "It begins with the first week with answers.")
        return
    ui.chart(
        charts_learning.weeks(weeks, context.palette),
        says="Skills mastered at the end of each week",
        key="student-weeks",
    )
    rows = [
        {
            "week": words.day(week.start),
            "n": words.count(week.answers),
            "new": ui.text(words.names([context.catalogue.skill(key) for key in week.mastered]) or "–"),
            "gains": ui.text(_gains(context, week.gains) or "–"),
            "held": words.count(week.held),
        }
        for week in reversed(weeks)
    ]
    ui.table(
        {"week": "Week of", "new": "Newly mastered", "gains": "Largest gains against the own week before",
         "n": "#Answers (n)", "held": "#Mastered at its end"},
        rows,
        says="Growth of the student by week",
    )  # fmt: skip


def _gains(context: Context, gains: Mapping[str, float]) -> str:
    risen = [(skill, gain) for skill, gain in gains.items() if gain >= 0.02]
    return "; ".join(f"{context.catalogue.skill(skill)} +{100 * gain:.0f} points" for skill, gain in risen[:2])
