"""The hashes in a statement's row name every agent and activity that a filter of related ones may ask for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings
from ingest.xapi.agents import keys
from ingest.xapi.matching import activities
from ingest.xapi.parse import SORTED
from streams.rows.texts import row_text

pytestmark = pytest.mark.clickhouse

KEY_CHARACTERS = "abcXYZ019_-"
NAMES = st.text(KEY_CHARACTERS, min_size=22, max_size=22)
KEYS = st.builds(lambda name, number: f"{name}.{number}", NAMES, st.integers(1, 99))
IRIS = st.builds(
    lambda rest: f"https://x.example/{rest}",
    st.text(st.characters(exclude_characters='<>"{}|\\^`', exclude_categories=["Cs", "Cc", "Z"]), max_size=9),
)
ACTIVITIES = st.fixed_dictionaries({"id": IRIS}, optional={"definition": st.just({"name": {"en": 'an "id":"x"'}})})
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "instructor": KEYS,
        "team": KEYS,
        "contextAgents": st.lists(st.fixed_dictionaries({"agent": KEYS}), max_size=2),
        "contextGroups": st.lists(st.fixed_dictionaries({"group": KEYS}), max_size=2),
        "contextActivities": st.dictionaries(
            st.sampled_from(["parent", "grouping", "category", "other"]), st.lists(ACTIVITIES, max_size=2), max_size=3
        ),
        "extensions": st.dictionaries(IRIS, st.text(max_size=5), max_size=2),
    },
)


def said(objects: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Statements about such objects, their agents swapped for keys."""
    return st.fixed_dictionaries(
        {"actor": KEYS, "verb": st.fixed_dictionaries({"id": IRIS}), "object": objects}, optional={"context": CONTEXT}
    )


PLAIN = KEYS | ACTIVITIES
SUB = said(PLAIN).map(lambda one: {**one, "objectType": "SubStatement"})
HEADS = st.fixed_dictionaries({"authority": KEYS | st.just("an authority"), "id": st.uuids().map(str)})


@pytest.fixture(scope="module")
def client(clickhouse_front: Front) -> Iterator[Client]:
    of_store = ClickHouseSettings(
        host=clickhouse_front.host, port=clickhouse_front.port, database=f"related_{uuid.uuid4().hex[:8]}"
    )
    clickhouse.migrate(of_store)
    with clickhouse.open_clickhouse(of_store) as made:
        yield made
        made.command(f"DROP DATABASE {of_store.database}")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(HEADS, said(PLAIN | SUB), st.booleans()), min_size=1, max_size=25))
def test_no_related_agent_and_no_related_activity_is_missed(
    client: Client, made: list[tuple[dict[str, Any], dict[str, Any], bool]]
) -> None:
    client.command("TRUNCATE TABLE statements")
    asked: list[list[str]] = []
    rows = []
    for number, (head, body, whole) in enumerate(made):
        statement = {**head, **body}
        text = SORTED.encode(head)[:-1] + b"," + SORTED.encode(body)[1:]
        rows.append([head["id"], number, text if whole else row_text(text, head["id"])])
        known = [key for key in keys(statement) if key != "an authority"]
        asked.append([*known, *activities(statement)])
    client.insert("statements", rows, column_names=["statement_id", "offset", "statement"])
    found = client.query("SELECT offset, related FROM statements").result_rows
    hashed = "SELECT arrayMap(one -> toUInt32(cityHash64(one)), {asked:Array(String)})"
    for offset, related in found:
        ((hashes,),) = client.query(hashed, parameters={"asked": asked[offset]}).result_rows
        assert set(hashes) <= set(related), asked[offset]
    assert len(found) == len(rows)
