"""Each page in its states, without a browser, over a real store: full, empty, late, refused, and store away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import streamlit as st
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, delete, select
from streamlit.testing.v1 import AppTest

import dashboards
from dashboards import broker, people
from dashboards.access import decide
from dashboards.store import Store, StoreError
from infra.dev.front.process import Front
from infra.dev.ports import any_free
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.kafka import PartitionLag
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.settings import DashboardsSettings, Settings
from schemas.registry.insight import case_events, cases
from streams.reconciliation import Watch
from streams.rows import tables
from streams.sink import Sink
from tests.fixtures.district_rows import District, write_district
from tests.fixtures.pages_store import page_text as shown
from tests.fixtures.pages_store import prepared, settings_of, store_of, student_page, viewer_of

pytestmark = pytest.mark.clickhouse
APP = str(Path(dashboards.__file__).with_name("app.py"))
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def bare(clickhouse_front: Front, tmp_path_factory) -> Iterator[tuple[Settings, Engine, District]]:
    """Staff, schools and students are there, and nothing has been sent."""
    settings = settings_of(clickhouse_front, tmp_path_factory.mktemp("bare"), "pages_bare")
    engine = prepared(settings)
    district = write_district(settings, engine, now=NOW)
    with open_clickhouse(settings.clickhouse) as client:
        tables = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View'"
        for table in client.query(tables).result_columns[0]:
            if table not in ("schema_versions", "roster"):
                client.command(f"TRUNCATE TABLE {table}")
    with engine.begin() as connection:
        connection.execute(delete(case_events))
        connection.execute(delete(cases))
    yield settings, engine, district
    engine.dispose()


@pytest.fixture
def open_page(monkeypatch) -> Iterator[Callable[..., AppTest]]:
    def run(settings: Settings, staff_id: str = "", **parameters: str) -> AppTest:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        st.cache_resource.clear()
        st.cache_data.clear()
        page = AppTest.from_file(APP, default_timeout=60)
        for name, value in {"as": staff_id, **parameters}.items():
            if value:
                page.query_params[name] = value
        return page.run()

    yield run
    st.cache_resource.clear()
    st.cache_data.clear()
    assert not any(thread.name == "lag-watch" for thread in threading.enumerate()), "a watch of Kafka goes on"


def test_the_demo_lets_anyone_choose_and_says_so(district_store, open_page):
    page = open_page(district_store[0])
    text = shown(page)
    assert "anyone can choose" in text
    page.button(key=district_store[2].staff["counselor"]).click().run()
    assert "Who needs me today" in shown(page)


def test_without_the_demo_and_without_a_provider_of_identities_nobody_gets_in(district_store, open_page):
    settings, _, district = district_store
    closed = settings.model_copy(update={"dashboards": DashboardsSettings(demo_sign_in=False)})
    text = shown(open_page(closed, district.staff["leader"]))
    assert "Sign-in is not set up" in text
    assert "District today" not in text


def test_the_district_page_shows_counts_trust_and_schools(district_store, open_page):
    with open_clickhouse(district_store[0].clickhouse) as client:
        client.command("INSERT INTO sink_progress SELECT * REPLACE (now64(6) AS checked_at) FROM sink_progress FINAL")
    text = shown(open_page(district_store[0], district_store[2].staff["leader"]))
    for said in ("District today", "Statements today", "Students active today", "5 of 5 providers reporting",
                 "Data as of", "Cedar Grove Middle", "Everything accepted is shown"):  # fmt: skip
        assert said in text


def test_a_small_school_is_not_shown_and_cannot_be_found_by_subtraction(district_store, open_page):
    text = shown(open_page(district_store[0], district_store[2].staff["leader"]))
    assert "n&lt;10" in text or "n<10" in text
    assert "held back" in text


def test_the_queue_shows_who_why_and_how_well_backed(district_store, open_page):
    settings, engine, district = district_store
    page = open_page(settings, district.staff["counselor"])
    text = shown(page)
    for said in ("on the last", "right in the last 5 active days", "low, 1 of 5", "Cedar Grove Middle"):
        assert said in text
    viewer = viewer_of(district_store, "counselor")
    waiting = {row["student_id"] for row in store_of(district_store).query(viewer, "queue")}
    assert waiting
    assert waiting <= set(district.of_school("sch-1"))
    with engine.connect() as connection:
        asleep = set(connection.scalars(select(cases.c.student_id).where(cases.c.state == "snoozed")))
    for name in people.student_names(engine, viewer, sorted(waiting - asleep)).values():
        assert name in text


def test_the_queue_can_be_narrowed_by_reason(district_store, open_page):
    page = open_page(district_store[0], district_store[2].staff["counselor"])
    page.selectbox(key="queue-rule").set_value("inactivity").run()
    text = shown(page)
    assert "on the last" in text
    assert "right in the last 5 active days" not in text


def test_a_provider_sees_what_was_refused_where_and_what_to_do(district_store, open_page):
    page = open_page(district_store[0], district_store[2].staff["provider"])
    page.button_group(key="provider-span").set_value("24 hours").run()
    text = shown(page)
    for said in ("Item practice", "an agent needs exactly one identifier", "$[*].actor", "send mbox, openid or account",
                 "actor.identifier", "p95"):  # fmt: skip
        assert said in text
    assert "Classroom LMS" not in text


def test_operations_shows_that_everything_is_accounted_for(district_store, open_page):
    text = shown(open_page(district_store[0], district_store[2].staff["operator"]))
    for said in ("Operations", "Dead letters", "undecodable", "balanced", "worker-1", "From acceptance to visible"):
        assert said in text
    assert "missing" not in text


@pytest.mark.parametrize(
    ("table", "columns", "values", "said"),
    [
        ("ledger", ["partition", "generation", "watermark", "statements"], [63, 1, 1, 7], "missing"),
        ("provider_minutes", ["instance", "accepted", "offset"], ["ingest-2", 7, 1], "answered, not in the log"),
    ],
)
def test_a_difference_is_told_in_the_reconciliation(district_store, open_page, table, columns, values, said):
    settings, _, district = district_store
    hour = (NOW - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    with open_clickhouse(settings.clickhouse) as client:
        client.insert(table, [["provider-video", hour, *values]], column_names=["provider_id", "minute", *columns])
        text = shown(open_page(settings, district.staff["operator"]))
        client.command(f"DELETE FROM {table} WHERE {columns[0]} = {values[0]!r}")
    assert "+7" in text
    assert said in text


def test_an_imbalance_of_five_minutes_is_an_alarm_at_the_head_of_operations(district_store, open_page):
    settings, _, district = district_store
    hour = (NOW - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    now = datetime.now(UTC)
    sink = Sink(lambda: open_clickhouse(settings.clickhouse), threading.Event())
    registry = CollectorRegistry()
    watch = Watch(sink, settings.kafka, StreamsMetrics(registry), lambda: round(now.timestamp() * 1e6))
    told = "7 statements are in the log, but neither stored nor dead-lettered"
    try:
        sink.insert(tables.LEDGER, [(1, 62, int(hour.timestamp()), "provider-video", 7, 1)])
        watch.look()
        counted = registry.get_sample_value("streams_unaccounted_statements", {"provider": "provider-video"})
        assert counted == 7
        assert told not in shown(open_page(settings, district.staff["operator"]))
        now += timedelta(minutes=5)
        watch.look()
        assert told in shown(open_page(settings, district.staff["operator"]))
    finally:
        sink.close()
        with open_clickhouse(settings.clickhouse) as client:
            client.command("DELETE FROM ledger WHERE partition = 62")
            client.command("DELETE FROM alarms WHERE subject LIKE 'provider-video%' OR alarm = 'behind'")


def audit_of(settings: Settings, student_id: str) -> list[tuple[str, str, str]]:
    with open_clickhouse(settings.clickhouse) as client:
        return client.query(
            "SELECT viewer_id, action, reason FROM audit WHERE student_id = {s:UUID} ORDER BY at",
            parameters={"s": student_id},
        ).result_rows  # type: ignore[return-value]


def with_an_open_warning(district_store) -> str:
    return str(store_of(district_store).query(viewer_of(district_store, "counselor"), "queue")[0]["student_id"])


def test_a_student_page_leads_with_strengths_and_gives_reasons_with_numbers(district_store):
    settings, engine, district = district_store
    student_id = with_an_open_warning(district_store)
    text = shown(student_page(settings, engine, district.staff["counselor"], student_id))
    assert text.index("Going well") < text.index("Own baseline")
    for said in ("Line drawn at", "Evidence", "Over time", "the student is at the school", "mastered", "Access log"):
        assert said in text
    assert "Rosa Delgado" in text
    assert "Sam Keller" not in text


def test_a_view_of_a_student_is_written_once_however_often_the_page_is_read_again(district_store):
    settings, engine, district = district_store
    student_id = district.of_school("sch-1")[20]
    page = student_page(settings, engine, district.staff["counselor"], student_id)
    shown(page.run().run())
    assert audit_of(settings, student_id) == [(district.staff["counselor"], "view", "the student is at the school")]


@pytest.mark.parametrize("who", ["caseload", "teacher", "leader", "principal", "operator", "provider"])
def test_a_forged_link_ends_in_words_and_in_the_audit_and_shows_nothing(district_store, who):
    settings, engine, district = district_store
    viewer = viewer_of(district_store, who)
    facts = [people.student_facts(engine, key) for key in district.of_school("sch-1")]
    outside = [student for student in facts if student and not decide(viewer, student).allowed][-1]
    before = len(audit_of(settings, outside.student_id))
    text = shown(student_page(settings, engine, district.staff[who], outside.student_id))
    assert "You cannot open this page" in text
    row = next(row for row in district.students if row["student_id"] == outside.student_id)
    assert row["family_name"] not in text
    assert "Cedar Grove" not in text
    assert [entry[1] for entry in audit_of(settings, outside.student_id)[before:]] == ["denied"]


@pytest.mark.parametrize("link", ["not-an-id", "' OR 1=1 --", str(uuid4())])
def test_a_link_to_nobody_gets_the_same_answer(district_store, link):
    settings, engine, district = district_store
    text = shown(student_page(settings, engine, district.staff["counselor"], link))
    assert "You cannot open this page" in text


def test_a_student_without_records_is_told_as_such(bare):
    settings, engine, district = bare
    text = shown(student_page(settings, engine, district.staff["counselor"], district.of_school("sch-1")[0]))
    assert "No records yet" in text
    assert "No evidence of skill yet" in text


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("leader", "No data yet"),
        ("counselor", "Nothing new among your students"),
        ("teacher", "No answers of this class yet"),
        ("operator", "Nothing has run yet"),
        ("provider", "Nothing has been sent in this time"),
    ],
)
def test_an_empty_platform_says_what_comes_next(bare, open_page, who, said):
    settings, _, district = bare
    assert said in shown(open_page(settings, district.staff[who]))


def test_late_data_is_shown_with_a_notice(bare, open_page):
    settings, _, district = bare
    with open_clickhouse(settings.clickhouse) as client:
        now = datetime.now(UTC)
        rows = [[1, partition, 5, 9, now - timedelta(minutes=20), now] for partition in range(4)]
        names = ["generation", "partition", "offset", "end_offset", "stored_until", "checked_at"]
        client.insert("sink_progress", rows, column_names=names)
        texts = [shown(open_page(settings, district.staff[who])) for who in ("counselor", "teacher")]
        client.command("TRUNCATE TABLE sink_progress")
    for text in texts:
        assert "Everything here is 2" in text
        assert "min old" in text


@pytest.mark.parametrize("who", ["leader", "counselor", "teacher", "operator", "provider"])
def test_a_store_that_is_away_is_said_with_a_way_to_try_again(district_store, open_page, who):
    settings, _, district = district_store
    nowhere = settings.clickhouse.model_copy(update={"port": any_free("127.0.0.1"), "connect_timeout_seconds": 1.0})
    page = open_page(settings.model_copy(update={"clickhouse": nowhere}), district.staff[who])
    text = shown(page)
    assert "The store of records does not answer." in text
    assert "Try again" in text


def test_while_the_store_is_away_operations_shows_what_waits_for_it(district_store, open_page, monkeypatch):
    settings, _, district = district_store
    monkeypatch.setattr(broker, "lag", lambda *_: [PartitionLag(0, 12, 10), PartitionLag(1, 5, 5)])
    monkeypatch.setattr(broker, "owners", lambda *_: {"worker-1": [0, 1]})
    away = {
        "clickhouse": settings.clickhouse.model_copy(update={"port": any_free("127.0.0.1")}),
        "kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}),
    }
    text = shown(open_page(settings.model_copy(update=away), district.staff["operator"]))
    for said in ("ClickHouse does not answer, and 2 records wait", "as Kafka tells it", "Try again"):
        assert said in text


def test_a_store_that_accepts_connections_and_says_nothing_is_away(district_store, monkeypatch):
    settings, engine, _ = district_store
    monkeypatch.setattr("dashboards.store._PULSE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hangs = settings.clickhouse.model_copy(update={"port": silent.getsockname()[1]})
        store = Store(settings.model_copy(update={"clickhouse": hangs}), engine)
        for _ in range(3):
            with pytest.raises(StoreError):
                store.query(viewer_of(district_store, "operator"), "progress")


def test_without_an_audit_no_record_is_opened(district_store):
    settings, engine, district = district_store
    nowhere = settings.clickhouse.model_copy(update={"port": any_free("127.0.0.1"), "connect_timeout_seconds": 1.0})
    store = Store(settings.model_copy(update={"clickhouse": nowhere}), engine)
    with pytest.raises(StoreError):
        store.open_student(viewer_of(district_store, "counselor"), district.of_school("sch-1")[0], "student")
