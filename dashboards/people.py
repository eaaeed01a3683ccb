"""People by name, from the registry: staff who sign in, and students, joined only after authorisation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, Select, select

from dashboards.access import Decision, Role, Scope, StudentFacts, Viewer, decide
from schemas.registry.insight import line_items
from schemas.registry.tables import alignments, enrollments, staff, staff_scopes, students

_CHUNK = 500  # ids in one IN (...): SQLite binds some thousands at most


@dataclass(frozen=True)
class StaffMember:
    """Somebody who may sign in."""

    staff_id: str
    name: str
    email: str
    viewer: Viewer


def staff_members(registry: Engine) -> list[StaffMember]:
    """All staff with their scopes, by role and name."""
    with registry.connect() as connection:
        return _staff(connection, select(staff).order_by(staff.c.role, staff.c.name))


def staff_member(registry: Engine, *, staff_id: str = "", email: str = "") -> StaffMember | None:
    """One of the staff, by id or by the address used at sign-in (in any case of letters)."""
    chosen = staff.c.staff_id == staff_id if staff_id else staff.c.email.ilike(_literal(email), escape="\\")
    with registry.connect() as connection:
        found = _staff(connection, select(staff).where(chosen))
    return found[0] if len(found) == 1 else None


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _staff(connection: Connection, query: Select[tuple[object, ...]]) -> list[StaffMember]:
    scopes: dict[str, set[Scope]] = defaultdict(set)
    rows = connection.execute(query).all()
    ids = select(query.subquery().c.staff_id)
    for row in connection.execute(select(staff_scopes).where(staff_scopes.c.staff_id.in_(ids))):
        scopes[row.staff_id].add(Scope(row.kind, row.value))
    return [
        StaffMember(
            row.staff_id, row.name, row.email, Viewer(row.staff_id, Role(row.role), frozenset(scopes[row.staff_id]))
        )
        for row in rows
    ]


def student_facts(registry: Engine, student_id: str) -> StudentFacts | None:
    """Where the roster places a student; None when there is no such student."""
    with registry.connect() as connection:
        return _facts(connection, [student_id]).get(student_id)


def section_facts(registry: Engine, section_id: str) -> list[StudentFacts]:
    """Where the roster places the students of a section, by id; empty when there is no such section."""
    chosen = select(enrollments.c.student_id).where(enrollments.c.section_id == section_id)
    with registry.connect() as connection:
        return sorted(
            _facts(connection, list(connection.execute(chosen).scalars())).values(), key=lambda facts: facts.student_id
        )


def facts_of(registry: Engine, student_ids: Sequence[str]) -> dict[str, StudentFacts]:
    """Where the roster places students, by id; those that do not exist are left out."""
    found: dict[str, StudentFacts] = {}
    with registry.connect() as connection:
        for start in range(0, len(student_ids), _CHUNK):
            found |= _facts(connection, list(student_ids[start : start + _CHUNK]))
    return found


def work_due(registry: Engine, section_id: str, first: date, last: date) -> dict[str, list[tuple[str, date]]]:
    """Work of a section that is due between two days, (title, day) by the skill that it is aligned to."""
    chosen = (
        select(alignments.c.skill_id, line_items.c.title, line_items.c.due_on)
        .join(line_items, line_items.c.activity_id == alignments.c.activity_id)
        .where(line_items.c.section_id == section_id, line_items.c.kind == "work")
        .where(line_items.c.due_on.between(first, last))
        .distinct()
        .order_by(line_items.c.due_on, line_items.c.title)
    )
    found: dict[str, list[tuple[str, date]]] = {}
    with registry.connect() as connection:
        for skill, title, day in connection.execute(chosen):
            found.setdefault(skill, []).append((title, day))
    return found


def student_names(registry: Engine, viewer: Viewer, student_ids: Sequence[str]) -> dict[str, str]:
    """Names of those of the students whose records are open to the viewer; the others are left out."""
    found: dict[str, str] = {}
    with registry.connect() as connection:
        for start in range(0, len(student_ids), _CHUNK):
            chunk = list(student_ids[start : start + _CHUNK])
            facts = _facts(connection, chunk)
            allowed = [key for key, student in facts.items() if decide(viewer, student).allowed]
            query = select(students.c.student_id, students.c.given_name, students.c.family_name)
            for row in connection.execute(query.where(students.c.student_id.in_(allowed))):
                found[row.student_id] = " ".join(part for part in (row.given_name, row.family_name) if part)
    return found


def who_may_open(registry: Engine, student: StudentFacts) -> list[tuple[StaffMember, Decision]]:
    """All staff who may open a student's record, each with the reason."""
    judged = [(member, decide(member.viewer, student)) for member in staff_members(registry)]
    return [(member, decision) for member, decision in judged if decision.allowed]


def _facts(connection: Connection, student_ids: list[str]) -> dict[str, StudentFacts]:
    sections: dict[str, set[str]] = defaultdict(set)
    for enrolled in connection.execute(select(enrollments).where(enrollments.c.student_id.in_(student_ids))):
        sections[enrolled.student_id].add(enrolled.section_id)
    query = select(students.c.student_id, students.c.school_id, students.c.grade, students.c.linked)
    return {
        row.student_id: StudentFacts(
            row.student_id, row.school_id, row.grade, frozenset(sections[row.student_id]), bool(row.linked)
        )
        for row in connection.execute(query.where(students.c.student_id.in_(student_ids)))
    }
