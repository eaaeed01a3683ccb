"""What a student knows and what is next: the student's skills, the plan and the matrix, over a real store."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import delete, insert
from streamlit.testing.v1 import AppTest

from dashboards import learning, people
from dashboards.access import Decision, decide_section
from dashboards.learning import Word
from dashboards.store import NotAllowedError
from infra.dev.ports import any_free
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import Settings
from schemas.registry import insight, tables
from tests.fixtures.pages_store import page_text, part, store_of, student_page, viewer_of

pytestmark = pytest.mark.clickhouse
NOW = datetime.now(UTC)
SECTION = "sec-1-7"


@pytest.fixture
def class_page(district_store):
    """The page of a class, plan or matrix, as somebody sees it."""

    def script() -> None:
        import streamlit as st

        from dashboards.screens import matrix, plan

        {"plan": plan, "matrix": matrix}[st.query_params["page"]].page(st.session_state["context"])

    def run(page: str, who: str, settings: Settings | None = None, **parameters: str) -> AppTest:
        st.cache_data.clear()  # the catalogue may have changed since the last test
        staff_id = district_store[2].staff[who]
        return part(script, settings or district_store[0], district_store[1], staff_id, page=page, **parameters)

    return run


def in_section(district_store, section: str = SECTION) -> list[dict]:
    return [row for row in district_store[2].students if row["section"] == section]


def with_answers(district_store) -> tuple[str, str]:
    """A student of the section and the skill with most answers."""
    ids = [row["student_id"] for row in in_section(district_store)]
    rows = store_of(district_store).query(viewer_of(district_store, "teacher"), "skills", students=ids)
    best = max(rows, key=lambda row: row["attempts"])
    return best["student_id"], best["skill_id"]


def audit(settings, page: str) -> Counter[Any]:
    """Rows of the audit, which has no order of its own, by how often they stand there."""
    with open_clickhouse(settings.clickhouse) as client:
        return Counter(
            client.query(
                "SELECT viewer_id, toString(student_id), action FROM audit WHERE page = {p:String}",
                parameters={"p": page},
            ).result_rows
        )


def test_the_fold_for_a_page_ends_where_the_states_of_the_stream_stand(district_store):
    settings, engine, _ = district_store
    student, _ = with_answers(district_store)
    viewer, lines = viewer_of(district_store, "teacher"), learning.lines(settings.district)
    store = store_of(district_store)
    listed = learning.known(engine, store.query(viewer, "skills", students=[student]), NOW, lines)
    rows = store.query(viewer, "student_attempts", student=student, most=learning.MOST_ANSWERS)
    told = learning.story(engine, rows, 0, NOW, lines)
    assert listed
    assert told.known == listed


def test_terms_of_each_answer_add_up_to_what_was_expected(district_store):
    from math import exp

    settings, engine, _ = district_store
    student, _ = with_answers(district_store)
    rows = store_of(district_store).query(
        viewer_of(district_store, "teacher"), "student_attempts", student=student, most=50
    )
    for one in learning.story(engine, rows, 0, NOW, learning.lines(settings.district)).answers:
        logit = sum(term.contribution for term in one.terms)
        assert one.expected == pytest.approx(1 / (1 + exp(-logit)), abs=1e-9)


def test_the_student_page_says_what_goes_well_then_what_is_next_then_the_ladder(district_store):
    settings, engine, district = district_store
    student, skill = with_answers(district_store)
    text = page_text(student_page(settings, engine, district.staff["teacher"], student))
    assert text.index("Going well") < text.index("Next to learn") < text.index("Chance right")
    for said in ("90% interval", "Last practised", "Answers (n)", "Largest gains against the own week before"):
        assert said in text
    assert f"skill={skill}" in text


def test_a_skill_opens_to_its_answers_and_to_what_each_term_gave(district_store):
    settings, engine, district = district_store
    student, skill = with_answers(district_store)
    text = page_text(student_page(settings, engine, district.staff["teacher"], student, skill=skill))
    for said in ("chance of a right answer on an item of median difficulty", "90% interval", "Together:",
                 "The answers behind it", "What the model expected, and why", "Item practice", "Expected",
                 "calibration 0"):  # fmt: skip
        assert said in text


def test_an_answer_that_the_address_names_is_the_one_whose_terms_are_shown(district_store):
    settings, engine, district = district_store
    student, skill = with_answers(district_store)
    rows = store_of(district_store).query(
        viewer_of(district_store, "teacher"), "student_attempts", student=student, most=5000
    )
    first = next(row for row in rows if skill in row["skills"])
    page = student_page(settings, engine, district.staff["teacher"], student, skill=skill, answer=first["statement_id"])
    assert "newest answer" not in page_text(page)


def test_a_skill_without_answers_is_said_to_be_not_started(district_store):
    settings, engine, district = district_store
    student, _ = with_answers(district_store)
    text = page_text(student_page(settings, engine, district.staff["teacher"], student, skill="no-such-skill"))
    assert "Not started" in text


def test_an_opened_skill_of_a_student_out_of_scope_shows_nothing(district_store):
    settings, engine, district = district_store
    outside = district.of_school("sch-2")[0]
    text = page_text(student_page(settings, engine, district.staff["teacher"], outside, skill="ratio-1"))
    assert "You cannot open this page" in text
    assert "The answers behind it" not in text


def test_the_plan_groups_a_class_by_next_skill_and_says_what_sets_groups_apart(district_store, class_page):
    text = page_text(class_page("plan", "teacher"))
    for said in ("What do I teach to whom tomorrow?", "by next skill", "Now", "Apart", "mastered by", "Material",
                 "Check", "none is aligned to it", "no work on it is due", "Not in the data"):  # fmt: skip
        assert said in text
    names = people.student_names(
        district_store[1], viewer_of(district_store, "teacher"),
        [row["student_id"] for row in in_section(district_store)],
    )  # fmt: skip
    assert all(name in text for name in names.values())


def test_work_that_is_due_and_activities_of_the_catalogue_are_named_with_a_group(district_store, class_page):
    engine = district_store[1]
    rows = [
        {"provider_id": provider, "activity_id": f"https://{provider}.example/{skill}", "skill_id": skill}
        for provider in ("provider-lms", "provider-video")
        for skill in ("ratio-1", "ratio-2", "ratio-3", "number-1", "number-2", "expr-1", "expr-2")
    ]
    work = [
        {"line_item_id": row["skill_id"], "section_id": SECTION, "title": f"Quiz {row['skill_id']}", "kind": "work",
         "activity_id": row["activity_id"], "due_on": NOW.date(), "term": "", "updated_at": 0}
        for row in rows if row["provider_id"] == "provider-lms"
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(tables.alignments), rows)
        connection.execute(insert(insight.line_items), work)
    try:
        text = page_text(class_page("plan", "teacher"))
    finally:
        with engine.begin() as connection:
            connection.execute(delete(insight.line_items))
            connection.execute(delete(tables.alignments))
    assert "Video lessons (1 activity)" in text
    assert "Classroom LMS (" not in text, "work that is handed in is no resource"
    assert "Quiz " in text


def test_skills_that_build_on_each_other_are_said_with_their_path_and_no_group_is_made_up(district_store, class_page):
    engine = district_store[1]
    edge = {"skill_id": "ratio-1", "requires_id": "ratio-3"}
    with engine.begin() as connection:
        connection.execute(insert(tables.prerequisites), [edge])
    try:
        text = page_text(class_page("plan", "teacher"))
    finally:
        with engine.begin() as connection:
            connection.execute(delete(tables.prerequisites).where(tables.prerequisites.c.skill_id == "ratio-1"))
    assert "build on each other" in text
    assert "Understand ratios → Solve percent problems" in text
    assert "mastered by" not in text


def test_the_matrix_has_a_row_a_student_and_words_with_n_in_its_cells(district_store, class_page):
    text = page_text(class_page("matrix", "teacher"))
    for word in Word:
        assert word in text
    assert text.count("<tr><th><a") == len(in_section(district_store))
    assert "Mastered, of those who tried" in text
    student, skill = with_answers(district_store)
    assert f"student={student}&amp;skill={skill}" in text


@pytest.mark.parametrize("name", ["plan", "matrix"])
def test_a_view_of_a_class_is_written_to_the_audit_of_each_student_once(district_store, class_page, name):
    settings = district_store[0]
    before = audit(settings, name)
    page_text(class_page(name, "teacher").run().run())
    added = list((audit(settings, name) - before).elements())
    assert len(added) == len(in_section(district_store))
    assert {row[2] for row in added} == {"view"}


@pytest.mark.parametrize(("who", "section"), [("teacher", "sec-1-6"), ("principal", SECTION), ("teacher", "sec-2-9")])
def test_a_class_out_of_scope_shows_no_row_and_the_attempt_is_in_the_audit(district_store, class_page, who, section):
    settings = district_store[0]
    before = audit(settings, "matrix")
    text = page_text(class_page("matrix", who, section=section))
    assert "You cannot open this page" in text
    assert not any(row["family_name"] in text for row in in_section(district_store, section))
    added = list((audit(settings, "matrix") - before).elements())
    assert len(added) == len(in_section(district_store, section))
    assert {row[2] for row in added} == {"denied"}


def test_a_teacher_who_asks_for_students_of_another_class_gets_no_row(district_store):
    others = [row["student_id"] for row in in_section(district_store, "sec-1-6")]
    teacher = viewer_of(district_store, "teacher")
    assert store_of(district_store).query(teacher, "skills", students=others) == []
    with pytest.raises(NotAllowedError):
        store_of(district_store).open_section(teacher, "sec-1-6", "plan", Decision(False, "not theirs"))


def test_a_class_that_opens_by_a_wider_scope_still_leaves_out_students_that_do_not(district_store):
    """A section of one school may hold a student of another; each is decided about alone."""
    engine, district = district_store[1], district_store[2]
    guest = district.of_school("sch-2")[0]
    counselor = viewer_of(district_store, "counselor")
    decision = decide_section(counselor, SECTION, "sch-1", 7)
    assert decision.allowed
    theirs = tables.enrollments.c.student_id == guest
    with engine.begin() as connection:
        connection.execute(insert(tables.enrollments), [{"section_id": SECTION, "student_id": guest}])
    try:
        found = store_of(district_store).open_section(counselor, SECTION, "plan", decision)
    finally:
        with engine.begin() as connection:
            connection.execute(delete(tables.enrollments).where(theirs, tables.enrollments.c.section_id == SECTION))
    assert guest not in found
    assert len(found) == len(in_section(district_store))


def test_a_store_that_is_away_is_said_on_the_pages_of_a_class(district_store, class_page):
    settings = district_store[0]
    nowhere = settings.clickhouse.model_copy(update={"port": any_free("127.0.0.1"), "connect_timeout_seconds": 1.0})
    text = page_text(class_page("plan", "teacher", settings.model_copy(update={"clickhouse": nowhere})))
    assert "The store of records does not answer." in text
    assert "by next skill" not in text
