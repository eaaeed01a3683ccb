"""Blocks in ClickHouse's Native format: byte for byte what the client's own writer makes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform

from streams import native
from tests.fixtures.envelopes import seeded_uuid


def by_the_client(name: str, kind: str, values: list[Any]) -> bytes:
    context = InsertContext("t", [name], [get_from_name(kind)], [values], column_oriented=True, block_size=1_000_000)
    return b"".join(NativeTransform.build_insert(context)).partition(b"FORMAT Native\n")[2]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("String", ["", "a", "ä€😀", "x" * 127, "x" * 128, "x" * 5_000]),
        ("String", [b"", b"{}", b"x" * 20_000]),
        ("UUID", ["00000000-0000-0000-0000-000000000000", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"]),
        ("DateTime64(6, 'UTC')", [0, 1_790_000_000_123_456]),
        ("DateTime('UTC')", [0, 1_790_000_000]),
        ("Date", [0, 20_000]),
        ("Nullable(Date)", [None, 20_000, None]),
        ("UInt8", [0, 255]),
        ("UInt16", [0, 65_535]),
        ("UInt32", [0, 2**32 - 1]),
        ("UInt64", [0, 2**64 - 1]),
        ("Int32", [-1, 2**31 - 1]),
        ("Int64", [-(2**63), 2**63 - 1]),
        ("Float64", [0.1, -1e300, 3]),
        ("LowCardinality(String)", ["a", "b", "a", ""]),
        ("LowCardinality(String)", [f"value-{n % 1_000}" for n in range(3_000)]),
        ("Array(LowCardinality(String))", [["a", "b"], [], ["b"]]),
        ("Array(LowCardinality(String))", [[], []]),
        ("Array(UInt64)", [[1, 2], [], [3]]),
    ],
)
def test_a_column_is_written_as_the_client_writes_it(kind: str, values: list[Any]) -> None:
    assert native.block(["c"], [kind], [(value,) for value in values]) == by_the_client("c", kind, values)


def test_a_block_holds_its_columns_one_after_the_other() -> None:
    rng = random.Random(1)
    rows = [(seeded_uuid(rng), n, f"skill-{n % 7}") for n in range(100)]
    kinds = {"id": "UUID", "n": "Int64", "skill": "LowCardinality(String)"}
    written = native.block(list(kinds), list(kinds.values()), rows)
    head = bytes([len(kinds), len(rows)])
    columns = [by_the_client(name, kind, list(column))[2:] for (name, kind), column in zip(
        kinds.items(), zip(*rows, strict=True), strict=True)]  # fmt: skip
    assert written == head + b"".join(columns)


def test_of_an_aggregate_its_value_is_written() -> None:
    written = native.block(["offset"], ["SimpleAggregateFunction(max, Int64)"], [(7,)])
    assert written == by_the_client("offset", "Int64", [7])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UUID", "not a UUID"),
        ("UUID", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fx"),
        ("UInt8", 256),
        ("UInt64", -1),
        ("Int64", "7"),
        ("String", "\ud800"),
        ("String", None),
        ("Array(UInt64)", 5),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        native.block(["c"], [kind], [(value,)])


def test_a_type_that_no_table_has_is_refused() -> None:
    with pytest.raises(TypeError, match="Map"):
        native.block(["c"], ["Map(String, String)"], [({},)])
