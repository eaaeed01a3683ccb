"""Who may see what, and why: pure decisions over a viewer's role and scopes.

A scope is a permission and a filter on a page never is. Two forms of one policy stand here: ``decide`` for a single
student, with its reason in words, and ``row_filter`` for the rows of a query; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypedDict


class Role(StrEnum):
    """What somebody is employed to do."""

    COUNSELOR = "counselor"
    TEACHER = "teacher"
    LEADER = "leader"
    OPERATOR = "operator"
    PROVIDER = "provider"


class Area(StrEnum):
    """A kind of facts; each query belongs to one."""

    STUDENTS = "students"  # rows of students in scope
    AGGREGATES = "aggregates"  # counts over groups, small groups suppressed
    PROVIDERS = "providers"  # what a provider sent and how it was answered
    OPERATIONS = "operations"  # how the platform runs


@dataclass(frozen=True, order=True)
class Scope:
    """A permission: kind (district, school, grade, section, caseload, provider) and the id it is for."""

    kind: str
    value: str


@dataclass(frozen=True)
class Viewer:
    """Somebody signed in. ``staff_id`` is opaque."""

    staff_id: str
    role: Role
    scopes: frozenset[Scope] = frozenset()

    @property
    def cache_key(self) -> tuple[str, tuple[Scope, ...]]:
        """Equal for two viewers only when both may see exactly the same."""
        return self.role.value, tuple(sorted(self.scopes))


@dataclass(frozen=True)
class StudentFacts:
    """What decides about a student: where the roster places them. ``linked``: the roster knows them."""

    student_id: str
    school_id: str | None = None
    grade: int | None = None
    sections: frozenset[str] = field(default_factory=frozenset)
    linked: bool = True


@dataclass(frozen=True)
class Decision:
    """An answer and its reason in words; ``scope`` is the permission that allowed it."""

    allowed: bool
    reason: str
    scope: Scope | None = None


OUTSIDE: Final = "The student is outside the scope of this account."

AREAS: Final[dict[Role, frozenset[Area]]] = {
    Role.COUNSELOR: frozenset({Area.STUDENTS, Area.AGGREGATES}),
    Role.TEACHER: frozenset({Area.STUDENTS, Area.AGGREGATES}),
    Role.LEADER: frozenset({Area.STUDENTS, Area.AGGREGATES, Area.PROVIDERS, Area.OPERATIONS}),
    Role.OPERATOR: frozenset({Area.PROVIDERS, Area.OPERATIONS}),
    Role.PROVIDER: frozenset({Area.PROVIDERS}),
}
"""Areas open to each role."""

STUDENT_SCOPES: Final[dict[Role, tuple[str, ...]]] = {
    Role.COUNSELOR: ("caseload", "section", "grade", "school", "district"),
    Role.TEACHER: ("section", "caseload", "grade"),
    Role.LEADER: ("caseload", "section", "grade", "school"),
    Role.OPERATOR: (),
    Role.PROVIDER: (),
}
"""Kinds of scope that open students' rows to a role, the narrowest first: it gives the reason.

A leader of the district gets its aggregates and no student; a leader of a school gets the students of that school.
"""


def may(viewer: Viewer, area: Area) -> Decision:
    """Whether a viewer may ask for facts of an area at all."""
    if area not in AREAS[viewer.role]:
        return Decision(False, f"The role {viewer.role} has no access to {area}.")
    return Decision(True, f"The role {viewer.role} has access to {area}.")


def decide(viewer: Viewer, student: StudentFacts) -> Decision:
    """Whether a viewer may open a student's record."""
    kinds = STUDENT_SCOPES[viewer.role]
    if not kinds:
        return Decision(False, f"The role {viewer.role} has no access to student records.")
    if not student.linked:
        return Decision(False, "This record is not linked to the roster, so it belongs to nobody's scope yet.")
    for kind in kinds:
        for scope in sorted(viewer.scopes):
            if scope.kind == kind and (reason := _reason(scope, student)):
                return Decision(True, reason, scope)
    return Decision(False, OUTSIDE)


def _reason(scope: Scope, student: StudentFacts) -> str:
    match scope.kind:
        case "caseload" if scope.value == student.student_id:
            return "the student is on the caseload"
        case "section" if scope.value in student.sections:
            return "the student is in a section of theirs"
        case "grade" if student.school_id and scope.value == f"{student.school_id}/{student.grade}":
            return f"the student is in grade {student.grade} of the school"
        case "school" if student.school_id and scope.value == student.school_id:
            return "the student is at the school"
        case "district":
            return "access to all students of the district"
    return ""


GRANTED_BY_PROVIDERS: Final = frozenset({"statements/write", "statements/read/mine", "state", "profile", "define"})
"""Scopes that a provider may give its own credentials; what reads more than its own is the district's to give."""


def manage(viewer: Viewer, provider_id: str) -> Decision:
    """Whether a viewer may see what a provider has in quarantine and change its credentials, rules and mappings."""
    if viewer.role is Role.OPERATOR:
        return Decision(True, "operators manage all providers")
    if viewer.role is Role.PROVIDER and Scope("provider", provider_id) in viewer.scopes:
        return Decision(True, "the provider is their own", Scope("provider", provider_id))
    return Decision(False, f"The role {viewer.role} does not manage this provider.")


def may_limit(viewer: Viewer) -> bool:
    """Whether a viewer sets rate and quota of providers: nobody does their own."""
    return viewer.role is Role.OPERATOR


def grants(viewer: Viewer, scopes: Iterable[str]) -> list[str]:
    """Of the scopes of credentials those that a viewer may give, sorted."""
    everything = viewer.role is Role.OPERATOR
    return sorted(one for one in scopes if everything or one in GRANTED_BY_PROVIDERS)


class RowFilter(TypedDict):
    """Server-side parameters of queries/scope_students.sql."""

    scope_everyone: bool
    scope_students: list[str]
    scope_sections: list[str]
    scope_grades: list[str]
    scope_schools: list[str]


def row_filter(viewer: Viewer) -> RowFilter:
    """The students whose rows a viewer may read, as query parameters."""
    kinds = STUDENT_SCOPES[viewer.role]
    return {
        "scope_everyone": "district" in kinds and bool(_values(viewer.scopes, "district")),
        "scope_students": _values(viewer.scopes, "caseload") if "caseload" in kinds else [],
        "scope_sections": _values(viewer.scopes, "section") if "section" in kinds else [],
        "scope_grades": _values(viewer.scopes, "grade") if "grade" in kinds else [],
        "scope_schools": _values(viewer.scopes, "school") if "school" in kinds else [],
    }


def decide_section(viewer: Viewer, section_id: str, school_id: str, grade: int) -> Decision:
    """Whether a viewer may open the pages of a class. Its students are decided about one by one all the same."""
    kinds = STUDENT_SCOPES[viewer.role]
    open_to = {"section": section_id, "grade": f"{school_id}/{grade}", "school": school_id, "district": "*"}
    for kind in kinds:
        if kind in open_to and Scope(kind, open_to[kind]) in viewer.scopes:
            return Decision(True, _SECTION_REASONS[kind], Scope(kind, open_to[kind]))
    return Decision(False, "The class is outside the scope of this account.")


_SECTION_REASONS: Final = {
    "section": "the class is theirs",
    "grade": "the class is in a grade of theirs",
    "school": "the class is at their school",
    "district": "access to all students of the district",
}


def sees_classes(viewer: Viewer) -> bool:
    """Whether any class can be open to a viewer."""
    kinds = {scope.kind for scope in viewer.scopes} & _SECTION_REASONS.keys()
    return any(kind in STUDENT_SCOPES[viewer.role] for kind in kinds)


def sees_students(viewer: Viewer) -> bool:
    """Whether any student's row can be open to a viewer."""
    return any(row_filter(viewer).values())


class ProviderFilter(TypedDict):
    """Server-side parameters of queries about providers."""

    scope_all_providers: bool
    scope_providers: list[str]


def provider_filter(viewer: Viewer) -> ProviderFilter:
    """The providers that a viewer may read about: their own, or all for those who answer for the platform."""
    return {
        "scope_all_providers": viewer.role in (Role.LEADER, Role.OPERATOR),
        "scope_providers": _values(viewer.scopes, "provider") if viewer.role is Role.PROVIDER else [],
    }


def _values(scopes: Iterable[Scope], kind: str) -> list[str]:
    return sorted(scope.value for scope in scopes if scope.kind == kind)
