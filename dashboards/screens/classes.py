"""What the pages of a class share: which class, who is in it, and what they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from dashboards import components as ui
from dashboards import learning, people
from dashboards.access import Decision, decide_section
from dashboards.catalogue import Section
from dashboards.learning import Known
from dashboards.session import Context

PAGES = ("plan", "matrix")
"""Addresses of the pages of a class."""


@dataclass(frozen=True)
class Class:
    """A class as a viewer may see it: its students by name, and what each knows of what is worked on."""

    section: Section
    names: dict[str, str]
    known: Mapping[str, Mapping[str, Known]]
    skills: list[str]

    def of(self, student: str) -> Mapping[str, Known]:
        """What a student knows, by skill."""
        return self.known.get(student, {})


def open_to(context: Context) -> list[Section]:
    """The classes that the viewer may open, by school, grade and name."""
    found = [one for one in context.catalogue.sections.values() if _decide(context, one).allowed]
    return sorted(found, key=lambda one: (one.school_id, one.grade, one.name, one.section_id))


def _decide(context: Context, section: Section) -> Decision:
    return decide_section(context.viewer, section.section_id, section.school_id, section.grade)


def close() -> None:
    """Another page is open now: coming back to the class is a new view."""
    st.session_state.pop("opened-class", None)


def page(context: Context, name: str, title: str, question: str, draw: Callable[[Context, Class], None]) -> None:
    """A page of the class that the address names, or of the first one: header, choice, and the states of its part."""
    wanted = st.query_params.get("section", "")
    sections = open_to(context)
    section = context.catalogue.sections.get(wanted) if wanted else next(iter(sections), None)
    if section is None:
        ui.header(context, title, question, "no class")
        if wanted:
            ui.not_allowed("The class is outside the scope of this account.")
        else:
            ui.empty("No class yet", "Classes come with the roster. Once one is yours, this page opens with it.")
        return
    ui.header(context, title, question, f"{section.name}, {context.catalogue.school(section.school_id)}")
    if len(sections) > 1:
        _choose(section, sections)
    ui.guarded(f"{name}:{section.section_id}", lambda: draw(context, _load(context, name, section)), 150, 260, 200)


def _choose(section: Section, sections: list[Section]) -> None:
    ids = [one.section_id for one in sections]
    by_id = {one.section_id: one.name for one in sections}
    at = ids.index(section.section_id) if section.section_id in ids else None
    chosen = st.selectbox(
        "Class", ids, index=at, format_func=by_id.__getitem__, label_visibility="collapsed", width=320,
        placeholder="Choose another class",
    )  # fmt: skip
    if chosen and chosen != section.section_id:
        st.query_params["section"] = chosen
        st.rerun()


def _load(context: Context, name: str, section: Section) -> Class:
    """Decide, write the audit once for each time the page is opened, and read the class alone."""
    students = _open(context, name, section)
    rows = context.store.query(context.viewer, "skills", students=students) if students else []
    lines = learning.lines(context.settings.district)
    known = learning.standings(context.registry, rows, context.now(), lines)
    names = people.student_names(context.registry, context.viewer, students)
    by_name = dict(sorted(names.items(), key=lambda item: (item[1].split()[-1:], item[1], item[0])))
    ui.staleness(context)
    return Class(section, by_name, known, context.catalogue.worked_on(section.subject, section.grade))


def _open(context: Context, name: str, section: Section) -> list[str]:
    key = (name, section.section_id, context.viewer)
    opened = st.session_state.get("opened-class")
    if opened and opened[0] == key:
        return list(opened[1])
    close()
    found = context.store.open_section(context.viewer, section.section_id, name, _decide(context, section))
    st.session_state["opened-class"] = (key, found)
    return found
