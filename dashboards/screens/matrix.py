"""Class skill matrix: who stands where, in words and symbols."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import streamlit as st

from dashboards import components as ui
from dashboards import mastery, words
from dashboards.learning import ONCE_MASTERED, Known, Word
from dashboards.screens import classes, student_skills
from dashboards.screens.classes import Class
from dashboards.session import Context

_MOST_SKILLS: Final = 12
_OLD: Final = timedelta(weeks=4)


def page(context: Context) -> None:
    """Draw the matrix of a class."""
    classes.page(context, "matrix", "Skills of a class", "Who stands where, and how sure is it?", _matrix)


def _matrix(context: Context, found: Class) -> None:
    if not found.names:
        ui.empty("No student is enrolled", "Students come with the roster.")
        return
    if not found.skills:
        ui.empty("The catalogue has no skill of this subject and grade", "Import skills, and they appear here.")
        return
    skills = _chosen(context, found.skills)
    key = " · ".join(f"{ui.icon(symbol, colour)} {word}" for word, (symbol, colour) in mastery.SYMBOLS.items())
    ui.section(words.plural(len(found.names), "student"), f"{key} · number: answers (n) · grey: not for four weeks")
    head = "".join(f"<th>{_heading(context, skill)}</th>" for skill in skills)
    body = "".join(
        f"<tr><th>{ui.anchor(name, ui.address(context, 'student', student=student))}</th>"
        + "".join(f"<td>{_cell(context, student, skill, found.of(student).get(skill))}</td>" for skill in skills)
        + "</tr>"
        for student, name in found.names.items()
    )
    foot = "".join(f"<td>{_foot(found, skill)}</td>" for skill in skills)
    st.html(
        f'<div class="rt-scroll"><table class="rt-table rt-matrix" aria-label="Skills of the students of the class">'
        f"<thead><tr><th>Student</th>{head}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr><th>Mastered, of those who tried</th>{foot}</tr></tfoot></table></div>"
    )


def _chosen(context: Context, skills: list[str]) -> list[str]:
    """All skills where they fit beside each other, else those of one domain."""
    if len(skills) <= _MOST_SKILLS:
        return skills
    domains = list(dict.fromkeys(context.catalogue.skills[skill].domain for skill in skills))
    domain = st.selectbox("Domain", domains, key="matrix-domain", width=320)
    return [skill for skill in skills if context.catalogue.skills[skill].domain == domain]


def _heading(context: Context, skill: str) -> str:
    one = context.catalogue.skills[skill]
    return f'<span title="{ui.text(one.domain)}, {words.grade(one.grade).lower()}">{ui.text(one.name)}</span>'


def _cell(context: Context, student: str, skill: str, one: Known | None) -> str:
    """Symbol, number of answers and age; the word and the interval for those who hover or listen."""
    if one is None:
        symbol, colour = mastery.SYMBOLS[Word.NOT_STARTED]
        named = f'aria-label="{Word.NOT_STARTED}" title="{Word.NOT_STARTED}"'
        return f'<span role="img" {named}>{ui.icon(symbol, colour)}</span>'
    symbol, colour = mastery.SYMBOLS[one.word]
    now = context.now()
    old = now - one.last_at >= _OLD
    says = (
        f"{one.word}: {words.percent(one.chance)} ({mastery.span(one)}), {words.plural(one.attempts, 'answer')}, "
        f"{mastery.practised(one, now)}"
    )
    shown = f"{ui.icon(symbol, 'rt-soft' if old else colour)} {one.attempts} <small>{mastery.age(one, now)}</small>"
    to = ui.text(student_skills.opened(context, student, skill))
    tag = "rt-old" if old else ""
    return f'<a class="{tag}" href="{to}" target="_self" aria-label="{says}" title="{says}">{shown}</a>'


def _foot(found: Class, skill: str) -> str:
    tried = [one for student in found.names if (one := found.of(student).get(skill))]
    mastered = sum(one.word in ONCE_MASTERED for one in tried)
    return f"{mastered} of {len(tried)}"
