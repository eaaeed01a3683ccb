"""The page on the quality of models: its states, and for whom it is open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete
from streamlit.testing.v1 import AppTest

from dashboards.app import allowed
from infra.runtime import quality
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.quality import STORE
from schemas.registry.insight import quality_reports
from schemas.reports import Report
from streams.evaluating import store_skills, store_warnings
from tests.fixtures.pages_store import page_text, part, viewer_of

pytestmark = pytest.mark.clickhouse
NOW_US = int(datetime.now(UTC).timestamp() * 1e6)


@pytest.fixture
def reports(district_store) -> Iterator[None]:
    """The reports on the district's own records, as the command keeps them, and one on other data."""
    settings, engine, _ = district_store
    with open_clickhouse(settings.clickhouse) as client:
        made = [run(client, engine, now_us=NOW_US) for run in (store_warnings.run, store_skills.run)]
    with engine.begin() as connection:
        for report in made:
            quality.keep(connection, report, STORE, NOW_US)
        quality.keep(connection, Report("warnings", "W", "D", NOW_US, ["Elsewhere 9 of 10."], []), "courses", NOW_US)
    yield
    with engine.begin() as connection:
        connection.execute(delete(quality_reports))


def drawn(district_store, who: str = "leader", **parameters: str) -> AppTest:
    def script() -> None:
        import streamlit as st

        from dashboards.screens import model_quality

        model_quality.page(st.session_state["context"])

    return part(script, district_store[0], district_store[1], district_store[2].staff[who], **parameters)


def test_without_a_report_the_page_says_how_one_is_made(district_store):
    text = page_text(drawn(district_store))
    assert "No report has been made yet" in text
    assert "roundtrip evaluate warnings --from-store" in text


def test_the_page_says_what_was_warned_how_often_wrong_and_for_whom(district_store, reports):
    page = drawn(district_store)
    text = page_text(page)
    for said in ("students were warned of at some time", "answers that it gave a chance", "What was warned",
                 "How often it was wrong, for whom", "Cedar Grove Middle", "On the district"):  # fmt: skip
        assert said.lower() in text.lower()
    assert "n&lt;10" in text
    assert not [row["student_id"] for row in district_store[2].students if row["student_id"] in text]
    assert page.get("arrow_vega_lite_chart") or page.get("vega_lite_chart")


def test_another_report_is_chosen_by_the_address(district_store, reports):
    text = page_text(drawn(district_store, report="skills-own"))
    assert "Do the chances mean what they say?" in text
    assert "What was warned" not in text


def test_an_unknown_choice_in_the_address_shows_the_first_report(district_store, reports):
    assert "What was warned" in page_text(drawn(district_store, report="nothing"))


def test_the_page_is_open_to_leaders_and_operators_alone(district_store):
    who = ("leader", "operator", "counselor", "teacher", "provider")
    open_to = [one for one in who if "quality" in allowed(viewer_of(district_store, one))]
    assert open_to == ["leader", "operator"]
