"""The queue: what it shows, what people do with cases there, who may not, and what is written down of it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine, delete, select
from streamlit.testing.v1 import AppTest

import dashboards
from dashboards import cases, people
from dashboards.access import decide
from dashboards.session import Context, Services
from dashboards.store import NotAllowedError, Store
from infra.dev.front.process import Front
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.registry import open_registry
from infra.runtime.settings import RegistrySettings, Settings
from schemas.cases import Action, Ask, CaseFaultError, State
from schemas.registry.insight import case_events
from schemas.registry.insight import cases as table
from schemas.registry.tables import students
from tests.fixtures.district_rows import District, write_district
from tests.fixtures.pages_store import page_text, prepared, settings_of, viewer_of

pytestmark = pytest.mark.clickhouse
APP = str(Path(dashboards.__file__).with_name("app.py"))
NOW = datetime.now(UTC)
Own = tuple[Settings, Engine, District]


@pytest.fixture(scope="module")
def first(clickhouse_front: Front, tmp_path_factory) -> Own:
    settings = settings_of(clickhouse_front, tmp_path_factory.mktemp("queue"), "pages_queue")
    engine = prepared(settings)
    district = write_district(settings, engine, now=NOW)
    engine.dispose()
    return settings, engine, district


@pytest.fixture
def own(first: Own, tmp_path: Path) -> Iterator[Own]:
    """The district with a registry of the test's own: these tests change cases."""
    settings, _, district = first
    path = shutil.copy(settings.registry_url().removeprefix("sqlite:///"), tmp_path / "registry.sqlite3")
    mine = settings.model_copy(update={"registry": RegistrySettings(url=f"sqlite:///{path}")})
    engine = open_registry(mine.registry_url())
    yield mine, engine, district
    engine.dispose()


@pytest.fixture
def queue(own: Own, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Opens the page as one of the staff."""

    def run(who: str = "counselor", most: int = 37) -> AppTest:
        settings = own[0]
        district = settings.district.model_copy(update={"cases_per_counselor": most})
        for name, value in settings.model_copy(update={"district": district}).environment().items():
            monkeypatch.setenv(name, value)
        st.cache_resource.clear()
        st.cache_data.clear()
        page = AppTest.from_file(APP, default_timeout=60)
        page.query_params["as"] = own[2].staff[who]
        return page.run()

    yield run
    st.cache_resource.clear()
    st.cache_data.clear()


def store_of(own: Own) -> Store:
    return Store(own[0], own[1], remember_s=0)


def seen(own: Own, who: str = "counselor") -> list[cases.Listed]:
    return cases.open_cases(own[1], viewer_of(own, who))


def at() -> int:
    return int(datetime.now(UTC).timestamp() * 1e6)


def test_the_queue_shows_who_why_since_when_how_well_backed_whose_and_when_next(
    own: Own, queue: Callable[..., AppTest]
) -> None:
    text = page_text(queue())
    for said in ("New", "Due today", "Overdue", "Waiting on others", "on the last", "right in the last 5",
                 "low, 1 of 5", "nobody yet", "overdue", "Tom Adler", "intervention",
                 "watched; last check"):  # fmt: skip
        assert said in text, said
    shown = [one for one in seen(own) if one.case.state is not State.SNOOZED]
    names = people.student_names(own[1], viewer_of(own, "counselor"), [one.case.student_id for one in shown])
    assert all(name in text for name in names.values())


def test_what_is_listed_is_what_the_viewer_may_see(own: Own) -> None:
    everyone = {one.case.student_id for one in cases.open_cases(own[1], viewer_of(own, "counselor"))}
    for who in own[2].staff:
        viewer = viewer_of(own, who)
        listed = {one.case.student_id for one in cases.open_cases(own[1], viewer)}
        with own[1].connect() as connection:
            ids = list(connection.scalars(select(students.c.student_id)))
        allowed = {key for key, facts in people.facts_of(own[1], ids).items() if decide(viewer, facts).allowed}
        assert listed <= allowed, who
        assert listed >= everyone & allowed, who


def test_a_claim_is_kept_said_and_shown_at_once(own: Own, queue: Callable[..., AppTest]) -> None:
    page = queue()
    [new, *_] = [one.case for one in seen(own) if one.case.state is State.RAISED]
    page.checkbox(key=f"pick:{new.case_id}").check().run()
    assert "1 student chosen" in page_text(page)
    page.button(key="do-queue-claim").click().run()
    text = page_text(page)
    assert "0 students chosen" in text
    assert [one.value for one in page.toast] == ["1 case claimed."]
    [now] = [one.case for one in seen(own) if one.case.case_id == new.case_id]
    assert (now.state, now.owner) == (State.CLAIMED, own[2].staff["counselor"])


def test_many_are_assigned_at_once_and_refusals_are_told_by_name(own: Own, queue: Callable[..., AppTest]) -> None:
    page = queue("counselor")
    rosa = own[2].staff["counselor"]
    new = [one.case for one in seen(own) if one.case.state is State.RAISED][:2]
    mine = [one.case for one in seen(own) if one.case.owner == rosa and one.case.state is State.CLAIMED][:1]
    for case in [*new, *mine]:
        page.checkbox(key=f"pick:{case.case_id}").check()
    page.run()
    page.selectbox(key="do-queue-owner").set_value(rosa)
    page.button(key="do-queue-assign").click().run()
    text = page_text(page)
    assert "2 cases assigned." in [one.value for one in page.toast]
    [name] = people.student_names(own[1], viewer_of(own, "counselor"), [mine[0].student_id]).values()
    assert f"{name}: Rosa Delgado has this case already." in text


def test_a_dismissal_needs_a_reason_and_takes_the_student_from_the_list(
    own: Own, queue: Callable[..., AppTest]
) -> None:
    page = queue()
    [new, *_] = [one.case for one in seen(own) if one.case.state is State.RAISED]
    page.checkbox(key=f"pick:{new.case_id}").check().run()
    page.button(key="do-queue-dismiss").click().run()
    assert "Say why, in a few words." in page_text(page)
    page.checkbox(key=f"pick:{new.case_id}").check().run()
    page.radio(key="do-queue-dismissal").set_value("incorrect_data")
    page.text_input(key="do-queue-dismiss-why").input("the tablet was away").run()
    page.button(key="do-queue-dismiss").click().run()
    assert new.case_id not in {one.case.case_id for one in seen(own)}
    [event] = [e for e in cases.events(own[1], [new.case_id]) if e.action == "dismissed"]
    assert (event.who, event.why) == (own[2].staff["counselor"], "the tablet was away")
    assert event.details["dismissal"] == "incorrect_data"


def test_the_list_ends_where_its_owner_can_do_no_more_and_everybody_can_be_found(
    own: Own, queue: Callable[..., AppTest]
) -> None:
    page = queue(most=3)
    text = page_text(page)
    assert "The first 3 by how severe it is." in text
    listed = [one for one in seen(own) if one.case.state is not State.SNOOZED]
    names = people.student_names(own[1], viewer_of(own, "counselor"), [one.case.student_id for one in listed])
    hidden = next(name for name in names.values() if name not in text)
    page.text_input(key="queue-name").input(hidden).run()
    assert hidden in page_text(page)
    page.text_input(key="queue-name").input("")
    page.toggle(key="queue-all").set_value(True).run()
    assert all(name in page_text(page) for name in names.values())


def test_filters_narrow_and_snoozed_cases_wait_behind_theirs(own: Own, queue: Callable[..., AppTest]) -> None:
    page = queue()
    page.selectbox(key="queue-rule").set_value("inactivity").run()
    assert "right in the last 5 active days" not in page_text(page)
    page.selectbox(key="queue-rule").set_value(None)
    page.toggle(key="queue-snoozed").set_value(True).run()
    text = page_text(page)
    assert "until" in text
    [asleep] = [one.case for one in seen(own) if one.case.state is State.SNOOZED]
    [name] = people.student_names(own[1], viewer_of(own, "counselor"), [asleep.student_id]).values()
    assert name in text


def test_without_a_case_the_queue_says_who_is_watched(own: Own, queue: Callable[..., AppTest]) -> None:
    with own[1].begin() as connection:
        connection.execute(delete(case_events))
        connection.execute(delete(table))
    text = page_text(queue())
    assert "Nothing new among your students" in text
    assert "with too little data to judge" in text


def test_a_forged_action_is_refused_in_the_same_words_as_an_unknown_case_and_audited(own: Own) -> None:
    settings, engine, _ = own
    outside = next(
        one.case for one in seen(own) if one.case.student_id not in {o.case.student_id for o in seen(own, "caseload")}
    )
    viewer = viewer_of(own, "caseload")
    before = cases.events(engine, [outside.case_id])
    ask = Ask(Action.CLAIMED, viewer.staff_id, NOW.date())
    said = []
    for case_id in (outside.case_id, "made-up"):
        with pytest.raises(NotAllowedError) as refused:
            cases.act(store_of(own), engine, viewer, case_id, ask, page="queue", at=at())
        said.append(str(refused.value))
    assert said[0] == said[1]
    with open_clickhouse(settings.clickhouse) as client:
        query = "SELECT viewer_id, action, reason FROM audit WHERE student_id = {s:UUID}"
        rows = client.query(query, parameters={"s": outside.student_id}).result_rows
    assert [row[:2] for row in rows] == [(viewer.staff_id, "denied")]
    assert rows[0][2].startswith("claimed of a case:")
    assert cases.events(engine, [outside.case_id]) == before


def test_nobody_acts_in_anothers_name_nor_gives_a_case_to_who_may_not_see_the_student(own: Own) -> None:
    viewer = viewer_of(own, "counselor")
    case = next(one.case for one in seen(own) if one.case.state is State.RAISED)
    store = store_of(own)
    forged = Ask(Action.CLAIMED, own[2].staff["caseload"], NOW.date())
    with pytest.raises(CaseFaultError, match="in the name of somebody else"):
        cases.act(store, own[1], viewer, case.case_id, forged, page="queue", at=at())
    wrong = Ask(Action.ASSIGNED, viewer.staff_id, NOW.date(), owner=own[2].staff["principal"])
    with pytest.raises(CaseFaultError, match="may not see this student"):
        cases.act(store, own[1], viewer, case.case_id, wrong, page="queue", at=at())
    assert own[2].staff["principal"] not in cases.assignable(own[1], [case.student_id])


def test_a_file_of_the_list_holds_it_and_each_students_log_tells_of_it(own: Own) -> None:
    from dashboards import triage
    from dashboards.broker import LagReader
    from dashboards.screens.queue_export import COLUMNS, export

    settings, engine, district = own
    member = people.staff_member(engine, staff_id=district.staff["counselor"])
    assert member is not None
    context = Context(Services(settings, engine, store_of(own), LagReader(settings)), member)
    entries = triage.entries(seen(own), context.store.query(member.viewer, "queue"), {})
    names = people.student_names(engine, member.viewer, [entry.student_id for entry in entries])
    rows = list(csv.reader(io.StringIO(export(context, entries, names).decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert {row[0] for row in rows[1:]} == set(names.values())
    with open_clickhouse(settings.clickhouse) as client:
        logged = client.query("SELECT toString(student_id) FROM audit WHERE action = 'export'").result_columns[0]
    assert sorted(logged) == sorted(entry.student_id for entry in entries)


def test_what_came_since_the_last_visit_is_told(own: Own) -> None:
    engine, viewer = own[1], viewer_of(own, "counselor")
    start = at()
    hour = int(timedelta(hours=1) / timedelta(microseconds=1))
    assert cases.last_visit(engine, viewer, "queue", start) == 0
    assert cases.last_visit(engine, viewer, "queue", start + 60) == 0
    assert cases.last_visit(engine, viewer, "queue", start + hour) == start + 60
    assert cases.last_visit(engine, viewer, "queue", start + hour + 60) == start + 60


def test_the_student_page_opens_the_case_its_history_and_a_warning_to_its_evidence(own: Own) -> None:
    from tests.fixtures.pages_store import student_page

    settings, engine, district = own
    busy = next(one.case for one in seen(own) if one.case.state is State.INTERVENTION)
    text = page_text(student_page(settings, engine, district.staff["counselor"], busy.student_id))
    for said in ("Intervention under way", "owner: Rosa Delgado", "mentoring, 6 weeks: at school four days of five",
                 "the rules", "Looks at", "Line drawn at", "Source", "Days that the warning rests on"):  # fmt: skip
        assert said in text, said
