"""Cases as pages read and change them: within the viewer's scope, every action decided and every refusal audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, Select, and_, exists, false, insert, or_, select, true, update

from dashboards import people
from dashboards.access import OUTSIDE, Decision, Viewer, decide, row_filter
from dashboards.store import NotAllowedError, Store
from infra.runtime import cases as kept
from infra.runtime.cases import CaseEvent
from schemas.cases import CLOSED, Action, Ask, Case, CaseFaultError, Step
from schemas.registry.insight import case_events, cases, visits
from schemas.registry.tables import enrollments, students

VISIT_GAP_US = 30 * 60 * 1_000_000
"""A page that is opened again after so long is visited anew."""


@dataclass(frozen=True)
class Listed:
    """A case and where the roster places its student. ``raised_at``: µs; ``changed_at`` likewise."""

    case: Case
    grade: int | None
    school_id: str | None
    raised_at: int
    changed_at: int


def open_cases(registry: Engine, viewer: Viewer) -> list[Listed]:
    """Open cases of all students in the viewer's scope."""
    return _listed(registry, _query(viewer).where(cases.c.state.not_in(CLOSED)))


def of_student(registry: Engine, viewer: Viewer, student_id: str) -> list[Listed]:
    """Cases of one student, the newest first; none where the student is outside the viewer's scope."""
    found = _listed(registry, _query(viewer).where(cases.c.student_id == student_id))
    return sorted(found, key=lambda one: (one.case.open, one.raised_at), reverse=True)


def events(registry: Engine, case_ids: Sequence[str]) -> list[CaseEvent]:
    """Events of cases that were listed before, the oldest first."""
    with registry.connect() as connection:
        return kept.events(connection, case_ids)


@dataclass(frozen=True)
class Intervention:
    """What was done with a student, from one day to another (both included); ``outcome`` empty: it goes on."""

    kind: str
    goal: str
    first: date
    last: date
    outcome: str


def interventions(found: Sequence[CaseEvent], zone: ZoneInfo) -> list[Intervention]:
    """Interventions in the events of a student's cases, in order; one that goes on ends on the last day planned.

    One whose case was closed over it, or that was followed by another, ends there.
    """
    told: list[Intervention] = []
    begun: dict[str, Intervention] = {}
    for event in found:
        day = datetime.fromtimestamp(event.at / 1e6, UTC).astimezone(zone).date()
        ends = event.action in (Action.INTERVENTION, Action.ENDED) or event.after in CLOSED
        if ends and (old := begun.pop(event.case_id, None)):
            outcome = str(event.details.get("outcome", "")) or "not told"
            told.append(replace(old, last=min(old.last, day), outcome=outcome))
        if event.action == Action.INTERVENTION:
            last = date.fromisoformat(event.details["ends"])
            begun[event.case_id] = Intervention(event.details["type"], event.details["goal"], day, last, "")
    return sorted([*told, *begun.values()], key=lambda one: one.first)


def owners(registry: Engine) -> dict[str, str]:
    """Names of those who may have a case, by id."""
    with registry.connect() as connection:
        return kept.names(connection)


def assignable(registry: Engine, student_ids: Sequence[str]) -> dict[str, str]:
    """Names of the staff who may see all of these students: a case is given to nobody else."""
    facts = people.facts_of(registry, student_ids)
    if not facts:
        return {}
    return {
        member.staff_id: member.name
        for member in people.staff_members(registry)
        if all(decide(member.viewer, one).allowed for one in facts.values())
    }


def act(store: Store, registry: Engine, viewer: Viewer, case_id: str, ask: Ask, *, page: str, at: int) -> Step:
    """Change a case and write its event.

    Raises:
        NotAllowedError: the viewer may not see the student, or there is no such case; it is written to the audit.
        CaseFaultError: the case does not allow it, in words.
        StoreError: the refusal could not be written to the audit.
    """
    with registry.connect() as connection:
        row = connection.execute(select(cases.c.student_id).where(cases.c.case_id == case_id)).first()
    facts = people.student_facts(registry, row.student_id) if row else None
    decision = decide(viewer, facts) if facts else Decision(False, OUTSIDE)
    if facts is None or not decision.allowed:
        if facts is not None:
            refused = Decision(False, f"{ask.action} of a case: {decision.reason}")
            store.record(viewer, page, {facts.student_id: refused})
        raise NotAllowedError(decision)
    if ask.who != viewer.staff_id:
        raise CaseFaultError("Nobody acts in the name of somebody else.")
    if ask.action is Action.ASSIGNED and ask.owner not in assignable(registry, [facts.student_id]):
        raise CaseFaultError("They may not see this student, so they cannot have the case.")
    return kept.act(registry, case_id, ask, at)


def last_visit(registry: Engine, viewer: Viewer, page: str, now: int) -> int:
    """When the viewer was on the page before this visit, µs; 0: never. Notes this visit."""
    own = and_(visits.c.staff_id == viewer.staff_id, visits.c.page == page)
    with registry.begin() as connection:
        row = connection.execute(select(visits).where(own)).first()
        if row is None:
            connection.execute(insert(visits).values(staff_id=viewer.staff_id, page=page, at=now, before=0))
            return 0
        before = int(row.at) if now - row.at > VISIT_GAP_US else int(row.before)
        connection.execute(update(visits).where(own).values(at=now, before=before))
        return before


def in_scope(viewer: Viewer) -> ColumnElement[bool]:
    """The viewer's scope as a condition on the registry's students; it equals ``decide``."""
    scope = row_filter(viewer)
    own = students.c
    grades = [value.rpartition("/") for value in scope["scope_grades"]]
    allowed = or_(
        true() if scope["scope_everyone"] else false(),
        own.student_id.in_(scope["scope_students"]),
        own.school_id.in_(scope["scope_schools"]),
        exists().where(
            enrollments.c.student_id == own.student_id, enrollments.c.section_id.in_(scope["scope_sections"])
        ),
        *(and_(own.school_id == school, own.grade == int(grade)) for school, _, grade in grades),
    )
    return and_(own.linked, allowed)


def _query(viewer: Viewer) -> Select[Any]:
    first = and_(case_events.c.case_id == cases.c.case_id, case_events.c.sequence == 1)
    return (
        select(cases, students.c.grade, students.c.school_id, case_events.c.at.label("raised_at"))
        .join(students, students.c.student_id == cases.c.student_id)
        .join(case_events, first)
        .where(in_scope(viewer))
    )


def _listed(registry: Engine, query: Select[Any]) -> list[Listed]:
    with registry.connect() as connection:
        return [
            Listed(kept.of_row(row), row.grade, row.school_id, row.raised_at, row.updated_at)
            for row in connection.execute(query)
        ]
