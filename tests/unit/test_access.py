"""Who may see what: the policy over roles and scopes, and the equality of its two forms."""

from __future__ import annotations

import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.access import (
    AREAS,
    OUTSIDE,
    STUDENT_SCOPES,
    Area,
    Role,
    Scope,
    StudentFacts,
    Viewer,
    decide,
    decide_section,
    may,
    provider_filter,
    row_filter,
    sees_classes,
    sees_students,
)

ANNA = StudentFacts("00000000-0000-4000-8000-000000000001", "sch-1", 7, frozenset({"sec-a"}))


def viewer(role: Role, *scopes: tuple[str, str]) -> Viewer:
    return Viewer("staff-1", role, frozenset(Scope(*scope) for scope in scopes))


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (("caseload", ANNA.student_id), "the student is on the caseload"),
        (("section", "sec-a"), "the student is in a section of theirs"),
        (("grade", "sch-1/7"), "the student is in grade 7 of the school"),
        (("school", "sch-1"), "the student is at the school"),
        (("district", "*"), "access to all students of the district"),
    ],
)
def test_a_counselor_sees_a_student_in_scope_and_is_told_why(scope, reason):
    decision = decide(viewer(Role.COUNSELOR, scope), ANNA)
    assert decision.allowed
    assert decision.reason == reason
    assert decision.scope == Scope(*scope)


@pytest.mark.parametrize(
    "scope",
    [
        ("caseload", "00000000-0000-4000-8000-000000000002"),
        ("section", "sec-b"),
        ("grade", "sch-1/8"),
        ("grade", "sch-2/7"),
        ("school", "sch-2"),
        ("provider", "provider-a"),
    ],
)
def test_a_counselor_sees_no_student_out_of_scope(scope):
    decision = decide(viewer(Role.COUNSELOR, scope), ANNA)
    assert not decision.allowed
    assert decision.reason == OUTSIDE


def test_the_narrowest_scope_gives_the_reason():
    both = viewer(Role.COUNSELOR, ("school", "sch-1"), ("caseload", ANNA.student_id))
    assert decide(both, ANNA).reason == "the student is on the caseload"


def test_a_leader_of_the_district_gets_aggregates_and_no_student():
    leader = viewer(Role.LEADER, ("district", "*"))
    assert may(leader, Area.AGGREGATES).allowed
    assert not decide(leader, ANNA).allowed
    assert not sees_students(leader)


def test_a_leader_of_a_school_gets_the_students_of_that_school():
    assert decide(viewer(Role.LEADER, ("school", "sch-1")), ANNA).allowed
    assert not decide(viewer(Role.LEADER, ("school", "sch-2")), ANNA).allowed


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.PROVIDER])
@pytest.mark.parametrize("kind", ["district", "school", "grade", "section", "caseload", "provider"])
def test_no_scope_opens_a_student_to_operators_and_providers(role, kind):
    value = {"school": "sch-1", "grade": "sch-1/7", "section": "sec-a", "caseload": ANNA.student_id}.get(kind, "*")
    assert not decide(viewer(role, (kind, value)), ANNA).allowed
    assert not sees_students(viewer(role, (kind, value)))


def test_a_record_without_a_roster_entry_is_open_to_nobody():
    stranger = StudentFacts(ANNA.student_id, linked=False)
    everyone = [("district", "*"), ("caseload", ANNA.student_id)]
    for role in Role:
        assert not decide(viewer(role, *everyone), stranger).allowed


def test_a_provider_reads_about_itself_alone():
    mine = provider_filter(viewer(Role.PROVIDER, ("provider", "provider-a"), ("district", "*")))
    assert mine == {"scope_all_providers": False, "scope_providers": ["provider-a"]}
    assert provider_filter(viewer(Role.OPERATOR))["scope_all_providers"]
    assert not may(viewer(Role.PROVIDER), Area.OPERATIONS).allowed


def test_every_role_has_areas_and_a_policy_for_students():
    assert set(AREAS) == set(STUDENT_SCOPES) == set(Role)
    for role in Role:
        assert (Area.STUDENTS in AREAS[role]) == bool(STUDENT_SCOPES[role])


def test_answers_are_shared_only_by_viewers_of_equal_scope():
    one = Viewer("a", Role.TEACHER, frozenset({Scope("section", "x"), Scope("section", "y")}))
    same = Viewer("b", Role.TEACHER, frozenset({Scope("section", "y"), Scope("section", "x")}))
    other_role = Viewer("a", Role.COUNSELOR, one.scopes)
    assert one.cache_key == same.cache_key
    assert one.cache_key != other_role.cache_key


SCHOOLS, SECTIONS = ["sch-1", "sch-2"], ["sec-a", "sec-b", "sec-c"]
IDS = [str(UUID(int=number, version=4)) for number in range(4)]
students = st.builds(
    StudentFacts,
    st.sampled_from(IDS),
    st.sampled_from([*SCHOOLS, None]),
    st.sampled_from([0, 6, 7, None]),
    st.frozensets(st.sampled_from(SECTIONS), max_size=2),
    st.booleans(),
)
scopes = st.one_of(
    st.just(Scope("district", "*")),
    st.builds(Scope, st.just("school"), st.sampled_from([*SCHOOLS, ""])),
    st.builds(Scope, st.just("grade"), st.sampled_from(["sch-1/7", "sch-2/0", "None/None", "/"])),
    st.builds(Scope, st.just("section"), st.sampled_from(SECTIONS)),
    st.builds(Scope, st.just("caseload"), st.sampled_from(IDS)),
    st.builds(Scope, st.just("provider"), st.text(string.ascii_lowercase, min_size=1, max_size=3)),
)
viewers = st.builds(Viewer, st.just("staff"), st.sampled_from(Role), st.frozensets(scopes, max_size=4))


@given(viewers, students)
def test_the_decision_on_a_student_and_the_filter_of_rows_say_the_same(who, student):
    filters = row_filter(who)
    in_rows = student.linked and (
        filters["scope_everyone"]
        or student.student_id in filters["scope_students"]
        or (student.school_id is not None and student.school_id in filters["scope_schools"])
        or (student.school_id is not None and f"{student.school_id}/{student.grade}" in filters["scope_grades"])
        or bool(student.sections & set(filters["scope_sections"]))
    )
    assert decide(who, student).allowed == in_rows


@given(viewers, students)
def test_every_refusal_and_every_permission_has_its_reason(who, student):
    decision = decide(who, student)
    assert decision.reason
    assert (decision.scope is not None) == decision.allowed
    assert decision.scope is None or decision.scope in who.scopes


@given(viewers, scopes, students)
def test_a_further_scope_never_takes_anything_away(who, scope, student):
    more = Viewer(who.staff_id, who.role, who.scopes | {scope})
    assert decide(more, student).allowed or not decide(who, student).allowed


@pytest.mark.parametrize(
    ("role", "scope", "opens"),
    [
        (Role.TEACHER, ("section", "sec-a"), True),
        (Role.TEACHER, ("grade", "sch-1/7"), True),
        (Role.TEACHER, ("school", "sch-1"), False),
        (Role.TEACHER, ("section", "sec-b"), False),
        (Role.COUNSELOR, ("school", "sch-1"), True),
        (Role.COUNSELOR, ("district", "*"), True),
        (Role.COUNSELOR, ("caseload", ANNA.student_id), False),
        (Role.LEADER, ("school", "sch-1"), True),
        (Role.LEADER, ("district", "*"), False),
        (Role.OPERATOR, ("section", "sec-a"), False),
        (Role.PROVIDER, ("section", "sec-a"), False),
    ],
)
def test_a_class_opens_to_its_teacher_and_to_those_with_its_grade_or_school(role, scope, opens):
    assert decide_section(viewer(role, scope), "sec-a", "sch-1", 7).allowed is opens


@given(st.sampled_from(Role), st.sampled_from(["district", "school", "grade", "section", "caseload", "provider"]))
def test_who_can_open_no_class_has_no_page_of_classes(role, kind):
    values = {"district": "*", "school": "sch-1", "grade": "sch-1/7", "section": "sec-a"}
    one = viewer(role, (kind, values.get(kind, "x")))
    assert sees_classes(one) is decide_section(one, "sec-a", "sch-1", 7).allowed


@given(st.sampled_from(Role), st.sampled_from(["school", "grade", "section"]))
def test_a_class_that_opens_opens_its_students_of_the_same_school_and_grade(role, kind):
    one = viewer(role, (kind, {"school": "sch-1", "grade": "sch-1/7", "section": "sec-a"}[kind]))
    assert decide_section(one, "sec-a", "sch-1", 7).allowed is decide(one, ANNA).allowed
