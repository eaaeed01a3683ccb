"""Plan: what do I teach to whom tomorrow?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import streamlit as st

from dashboards import components as ui
from dashboards import learning, mastery, people, words
from dashboards.learning import Group, Next, Word
from dashboards.screens import classes, student_skills
from dashboards.screens.classes import Class
from dashboards.session import Context

_AHEAD = timedelta(days=21)


def page(context: Context) -> None:
    """Draw the plan of a class."""
    classes.page(context, "plan", "Plan", "What do I teach to whom tomorrow?", _plan)


def _plan(context: Context, found: Class) -> None:
    graph = context.catalogue.requires
    try:
        nexts = {
            student: learning.next_skill(
                graph, {skill: one.standing for skill, one in found.of(student).items()}, found.skills
            )
            for student in found.names
        }
    except learning.CycleError as error:
        ui.notice(student_skills.cycle(context, error))
        return
    every = learning.groups(nexts)
    together = [group for group in every if len(group.members) > 1]
    alone = [group for group in every if len(group.members) == 1]
    if not every:
        _nothing(found, nexts)
        return
    placed = sum(len(group.members) for group in every)
    ui.section(
        f"{words.plural(len(together), 'group')} by next skill",
        f"{placed} of {words.plural(len(found.names), 'student')} have one; {_share_of_evidence(found)}",
    )
    due = people.work_due(context.registry, found.section.section_id, context.today(), context.today() + _AHEAD)
    if together:
        cards = "".join(_card(context, found, number, group, together, due) for number, group in enumerate(together, 1))
        st.html(f'<div class="rt-groups">{cards}</div>')
    if alone:
        _alone(context, found, alone)
    _rest(found, nexts)
    ui.remark(
        "Not in the data, so not shown: minutes, language and offline use of resources, and re-assessments other than "
        "work that is due. Groups are made anew from each answer; nothing is assigned from here."
    )


def _share_of_evidence(found: Class) -> str:
    tried = sum(any(skill in found.of(student) for skill in found.skills) for student in found.names)
    return f"{tried} have answers in what the class works on"


def _nothing(found: Class, nexts: Mapping[str, Next]) -> None:
    if not found.names:
        ui.empty("No student is enrolled", "Students come with the roster.")
    elif not found.skills:
        ui.empty("The catalogue has no skill of this subject and grade", "Import skills, and groups appear here.")
    elif any(one.evidence for one in nexts.values()):
        ui.empty("Everyone who has answers has mastered what the class works on", "Time for the next unit.")
    else:
        ui.empty("No answers of this class yet", "Groups appear with the first answers that are aligned to a skill.")


def _card(
    context: Context, found: Class, number: int, group: Group, together: Sequence[Group],
    due: Mapping[str, Sequence[tuple[str, date]]],
) -> str:  # fmt: skip
    about = context.catalogue.skills.get(group.skill)
    where = f"{about.domain}, {words.grade(about.grade).lower()}" if about else ""
    facts = {
        "Now": _evidence(found, group),
        "Apart": f"{_others(found, group)}; {apart(context, number, group, together)}",
        "Opens": ", ".join(f"{context.catalogue.skill(skill)} (for {n})" for skill, n in group.leads_to[:2]) or "–",
        "Material": _resources(context, group.skill),
        "Check": _due(due.get(group.skill, ())),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{ui.text(value)}</dd>" for name, value in facts.items())
    names = ", ".join(
        ui.anchor(found.names[student], student_skills.opened(context, student, group.skill))
        for student in group.members
    )
    return (
        f'<div class="rt-card"><h3>{number}. {ui.text(context.catalogue.skill(group.skill))}</h3>'
        f'<p class="rt-soft rt-small">{words.plural(len(group.members), "student")} · {ui.text(where)}</p>'
        f'<p>{names}</p><dl class="rt-facts">{listed}</dl></div>'
    )


def _evidence(found: Class, group: Group) -> str:
    """How the members stand: words with counts, the range of chances, and the answers that it rests on."""
    mine = [one for student in group.members if (one := found.of(student).get(group.skill))]
    said = Counter(one.word for one in mine)
    said[Word.NOT_STARTED] += len(group.members) - len(mine)
    listed = ", ".join(f"{said[word]} {word}" for word in mastery.SYMBOLS if said[word])
    if not mine:
        return listed
    low, high = min(one.chance for one in mine), max(one.chance for one in mine)
    chances = (
        words.percent(low) if round(low, 2) == round(high, 2) else f"{words.percent(low)} to {words.percent(high)}"
    )
    return f"{listed}; {chances} right expected, n {sum(one.attempts for one in mine)}"


def _others(found: Class, group: Group) -> str:
    """How many of the others need the skill no more."""
    others = [student for student in found.names if student not in group.members]
    done = sum(one.word in learning.ONCE_MASTERED for student in others if (one := found.of(student).get(group.skill)))
    return f"mastered by {done} of the other {len(others)}"


def apart(context: Context, number: int, group: Group, together: Sequence[Group]) -> str:
    """What sets a group apart from the others, by prerequisites, in words."""
    graph, name = context.catalogue.requires, context.catalogue.skill
    parts = []
    for other_number, other in enumerate(together, 1):
        if way := learning.steps(graph, group.skill, other.skill):
            between = words.plural(len(way) - 1, "step")
            parts.append(f"{between} before group {other_number}, whose skill builds on this one")
        elif way := learning.steps(graph, other.skill, group.skill):
            parts.append(f"has met {name(other.skill)}, which group {other_number} still needs")
    if group.unknown:
        skill, n = group.unknown[0]
        parts.append(f"no evidence of {name(skill)} for {n} of {len(group.members)}")
    needed = [name(skill) for skill in sorted(graph.get(group.skill, ()))]
    if not parts and needed:
        parts.append(f"has met {words.names(needed)}")
    return "; ".join(parts) or "builds on nothing before it"


def _resources(context: Context, skill: str) -> str:
    listed = []
    for key, number in sorted(
        context.catalogue.activities.get(skill, {}).items(), key=lambda item: (-item[1], item[0])
    ):
        provider = context.catalogue.provider(key) if key else "any provider"
        listed.append(f"{provider} ({words.plural(number, 'activity', 'activities')})")
    return words.names(listed, most=2) if listed else "none is aligned to it: a gap of the catalogue"


def _due(work: Sequence[tuple[str, date]]) -> str:
    if not work:
        return "no work on it is due within three weeks"
    title, day = work[0]
    more = f", and {len(work) - 1} more" if len(work) > 1 else ""
    return f"{words.day(day)}: {title}{more}"


def _alone(context: Context, found: Class, alone: Sequence[Group]) -> None:
    ui.section(f"On their own ({len(alone)})", "nobody else in the class has the same next skill")
    rows = []
    for group in alone:
        student = group.members[0]
        one = found.of(student).get(group.skill)
        rows.append(
            {
                "name": ui.anchor(found.names[student], student_skills.opened(context, student, group.skill)),
                "skill": ui.text(context.catalogue.skill(group.skill)),
                "word": mastery.badge(one.word if one else Word.NOT_STARTED),
                "n": words.count(one.attempts if one else 0),
                "opens": ui.text(words.names([context.catalogue.skill(key) for key, _ in group.leads_to], 2) or "–"),
            }
        )
    ui.table(
        {"name": "Student", "skill": "Next skill", "word": "Word", "n": "#Answers (n)", "opens": "Opens"},
        rows,
        says="Students with a next skill of their own",
    )


def _rest(found: Class, nexts: Mapping[str, Next]) -> None:
    done = [found.names[student] for student, one in nexts.items() if one.skill is None and one.evidence]
    silent = [found.names[student] for student, one in nexts.items() if not one.evidence]
    for title, names in (("Has mastered what the class works on", done), ("No answers yet", silent)):
        if names:
            st.html(f"<div><b>{title} ({len(names)}):</b> {ui.text(words.names(names, most=12))}</div>")
