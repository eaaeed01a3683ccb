"""Who reads what through the queries: all pairs of role, scope and student, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from dashboards import people
from dashboards.access import Role, Scope, StudentFacts, Viewer, decide
from dashboards.queries import Scope as QueryScope
from dashboards.queries import load
from dashboards.store import NotAllowedError, Store
from tests.fixtures.district_rows import District
from tests.fixtures.pages_store import store_of, viewer_of

pytestmark = pytest.mark.clickhouse
NOW = datetime.now(UTC)


def parameters_of(name: str, district_store) -> dict[str, Any]:
    district = district_store[2]
    query = load()[name]
    since: Any = NOW - timedelta(days=30)
    values = {
        "since": since.date() if "{since:Date}" in query.sql else since,
        "until": NOW, "through": NOW, "today": NOW.date(), "most": 100, "step_s": 60, "provider": "provider-practice",
        "enough_days": 10, "student": district.of_school("sch-2")[0],
        "students": [row["student_id"] for row in district.students], "statements": [str(uuid4())],
    }  # fmt: skip
    return {key: value for key, value in values.items() if key in query.parameters}


@pytest.mark.parametrize("name", sorted(load()))
def test_every_query_runs_for_those_who_may_and_is_refused_to_the_others(district_store, name):
    store, query = store_of(district_store), load()[name]
    asked = parameters_of(name, district_store)
    for who in district_store[2].staff:
        viewer = viewer_of(district_store, who)
        allowed = query.scope is QueryScope.EVERYONE or _may(viewer, query.scope, district_store)
        if allowed:
            store.query(viewer, name, **asked)
        else:
            with pytest.raises(NotAllowedError):
                store.query(viewer, name, **asked)


def _may(viewer: Viewer, scope: QueryScope, district_store) -> bool:
    roles = {
        QueryScope.STUDENTS: {Role.COUNSELOR, Role.TEACHER, Role.LEADER},
        QueryScope.AGGREGATES: {Role.COUNSELOR, Role.TEACHER, Role.LEADER},
        QueryScope.PROVIDERS: {Role.LEADER, Role.OPERATOR, Role.PROVIDER},
        QueryScope.OPERATIONS: {Role.LEADER, Role.OPERATOR},
    }
    if scope is QueryScope.STUDENT:
        facts = people.student_facts(district_store[1], district_store[2].of_school("sch-2")[0])
        return facts is not None and decide(viewer, facts).allowed
    return viewer.role in roles[scope]


def every_viewer(district: District) -> Iterator[Viewer]:
    """Each role with each kind of scope, and with none."""
    student = next(row for row in district.students if row["school_id"] == "sch-1")
    values = {
        "district": "*", "school": "sch-1", "grade": f"sch-1/{student['grade']}", "section": student["section"],
        "caseload": student["student_id"], "provider": "provider-practice",
    }  # fmt: skip
    for role in Role:
        yield Viewer("staff", role)
        for kind, value in values.items():
            yield Viewer("staff", role, frozenset({Scope(kind, value)}))


def test_each_role_and_scope_reads_the_rows_of_exactly_the_students_that_it_may_open(district_store):
    _, engine, district = district_store
    store = store_of(district_store)
    facts = [student for row in district.students if (student := people.student_facts(engine, row["student_id"]))]
    since = NOW.date() - timedelta(days=60)
    for viewer in every_viewer(district):
        allowed = {student.student_id for student in facts if decide(viewer, student).allowed}
        ids = [student.student_id for student in facts]
        try:
            rows = store.query(viewer, "queue_activity", students=ids, since=since)
        except NotAllowedError:
            assert not allowed
            continue
        assert {row["student_id"] for row in rows} == allowed
        assert set(people.student_names(engine, viewer, ids)) == allowed


def test_each_pair_of_viewer_and_student_is_answered_or_refused_as_decided(district_store):
    _, engine, district = district_store
    store = store_of(district_store)
    some = [*district.of_school("sch-1")[:3], *district.of_school("sch-2")[:2], district.students[-1]["student_id"]]
    for viewer in every_viewer(district):
        for student_id in some:
            facts = people.student_facts(engine, student_id)
            if decide(viewer, facts or StudentFacts("")).allowed:
                assert store.query(viewer, "student_days", student=student_id, since=NOW.date() - timedelta(days=60))
            else:
                with pytest.raises(NotAllowedError):
                    store.query(viewer, "student_days", student=student_id, since=NOW.date() - timedelta(days=60))


def test_a_provider_reads_no_row_of_another_provider(district_store):
    store, viewer = store_of(district_store), viewer_of(district_store, "provider")
    for name in ("provider_rejections", "provider_unaligned", "provider_unmapped_verbs"):
        assert store.query(viewer, name, provider="provider-lms", since=NOW - timedelta(days=30)) == []
    rows = store.query(viewer, "provider_minutes", provider="", since=NOW - timedelta(days=30), step_s=3600)
    assert {row["provider_id"] for row in rows} == {"provider-practice"}


def test_answers_remembered_for_one_scope_are_not_given_to_another(district_store):
    settings, engine, _ = district_store
    store = Store(settings, engine, remember_s=60)
    school = store.query(viewer_of(district_store, "counselor"), "queue")
    caseload = store.query(viewer_of(district_store, "caseload"), "queue")
    assert {row["student_id"] for row in caseload} < {row["student_id"] for row in school}


def test_a_member_of_staff_is_found_by_address_in_any_case_and_by_no_pattern(district_store):
    engine = district_store[1]
    assert people.staff_member(engine, email="Leader@District.example") is not None
    assert people.staff_member(engine, email="%@district.example") is None
