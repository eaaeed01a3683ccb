"""Topics, verbs, partitions and tables say what they are, once."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import msgspec
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from schemas import events, tables, topics, verbs
from schemas.avro_registry import versions
from schemas.partitioning import murmur2, partition_of
from schemas.registry import insight as insight  # what is imported stands in the metadata
from schemas.registry import lrs as lrs
from schemas.registry.base import metadata


@given(st.uuids(version=4), st.integers(1, 200))
def test_a_student_lands_where_any_kafka_client_would_put_the_key(student: uuid.UUID, partitions: int) -> None:
    expected = DefaultPartitioner()(str(student).encode(), list(range(partitions)), list(range(partitions)))
    assert partition_of(str(student), partitions) == expected


@given(st.binary(max_size=70))
def test_murmur2_is_kafkas(data: bytes) -> None:
    from aiokafka.partitioner import murmur2 as reference

    assert murmur2(data) == reference(data) & 0xFFFFFFFF


def test_each_field_of_an_event_is_on_the_wire_in_the_same_order() -> None:
    events_of: dict[str, type[msgspec.Struct]] = {
        "statements": events.Envelope,
        "dead_letters": events.DeadLetter,
        "provider_minutes": events.ProviderMinute,
        "rejections": events.Rejection,
        "case_events": events.CaseEvent,
    }
    for subject, struct in events_of.items():
        fields = [field["name"] for field in versions(subject)[-1]["fields"]]
        assert fields == [field.name for field in msgspec.structs.fields(struct)], subject
    [items] = [f for f in versions("statements")[-1]["fields"] if f["name"] == "items"]
    assert [f["name"] for f in items["type"]["items"]["fields"]] == list(events.Item.__struct_fields__)


def test_only_the_statements_topic_has_generations() -> None:
    assert topics.generation_name(topics.STATEMENTS, 1) == "statements"
    assert topics.generation_name(topics.STATEMENTS, 3) == "statements-g3"
    assert topics.generation_name(topics.DEAD_LETTERS, 3) == "dead-letters"
    assert all(topic.description and topic.key for topic in topics.ALL)


def test_every_known_verb_iri_means_a_canonical_verb() -> None:
    assert set(verbs.IRIS.values()) <= verbs.ALL
    assert verbs.OUTCOMES.isdisjoint(verbs.ADMINISTRATIVE)


def test_migrations_are_numbered_without_a_gap(tmp_path: Path) -> None:
    assert [m.number for m in tables.migrations()] == list(range(1, len(tables.migrations()) + 1))
    (tmp_path / "0002_late.sql").write_text("CREATE TABLE x (a UInt8) ENGINE = MergeTree ORDER BY a;")
    with pytest.raises(ValueError, match=r"0002_late\.sql: expected number 0001"):
        tables.migrations(tmp_path)


def test_a_cluster_gets_replicated_engines_and_on_cluster() -> None:
    sql = "CREATE TABLE IF NOT EXISTS t\n(a UInt8)\nENGINE = ReplacingMergeTree(a)\nORDER BY a"
    assert tables.for_cluster(sql, cluster="", replicated=False) == sql
    clustered = tables.for_cluster(sql, cluster="main", replicated=True)
    assert clustered.startswith("CREATE TABLE IF NOT EXISTS t ON CLUSTER 'main'\n")
    assert "ENGINE = ReplicatedReplacingMergeTree(a)" in clustered
    assert tables.for_cluster("ALTER TABLE t ADD COLUMN b UInt8", cluster="main", replicated=False) == (
        "ALTER TABLE t ON CLUSTER 'main' ADD COLUMN b UInt8"
    )
    for sql, expected in [
        ("EXCHANGE TABLES a AND b", "EXCHANGE TABLES a AND b ON CLUSTER 'main'"),
        ("DROP TABLE IF EXISTS a SYNC", "DROP TABLE IF EXISTS a ON CLUSTER 'main' SYNC"),
    ]:
        assert tables.for_cluster(sql, cluster="main", replicated=False) == expected
    view = tables.for_cluster("CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS", cluster="main", replicated=False)
    assert view == "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'main' TO t AS"


@pytest.mark.parametrize(
    "statement", [s for m in tables.migrations() for s in m.statements], ids=lambda s: s.split("(")[0].split()[-1]
)
def test_every_clickhouse_table_and_column_is_described(statement: str) -> None:
    if statement.startswith("ALTER TABLE"):
        added = [line for line in statement.splitlines() if line.strip().startswith("ADD COLUMN")]
        assert [line for line in added if " COMMENT '" not in line] == []
        return
    if statement.startswith(("INSERT INTO", "EXCHANGE TABLES", "DROP TABLE")):
        return
    assert re.search(r"\nCOMMENT '.+'$", statement)
    if statement.startswith(("CREATE VIEW", "CREATE MATERIALIZED VIEW")):
        return
    body = statement[statement.index("\n(\n") : statement.index("\n)\n")]
    columns = [line for line in body.splitlines()[2:] if not line.strip().startswith(("INDEX", "PROJECTION"))]
    assert columns
    assert [line for line in columns if "COMMENT '" not in line] == []


def test_every_registry_table_and_column_is_described() -> None:
    assert [t.name for t in metadata.sorted_tables if not t.comment] == []
    assert [str(c) for t in metadata.sorted_tables for c in t.columns if not c.comment] == []
