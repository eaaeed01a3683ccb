"""Blocks that the extension writes are those that the Python writes; what it is not sure of it leaves to the Python."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runtime.compiled import compiled
from streams import native

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    "UUID": st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper()),
    "LowCardinality(String)": st.sampled_from(["a", "b", "", "ä€"]) | st.integers(0, 400).map(lambda n: f"word-{n}"),
    "Array(LowCardinality(String))": st.lists(st.integers(0, 300).map(str), max_size=3),
    "Array(Float64)": st.lists(st.floats(allow_nan=False) | st.integers(-(2**70), 2**70), max_size=4)
    | st.lists(st.floats(), max_size=4).map(lambda some: array("d", some)),
    "DateTime64(6, 'UTC')": st.integers(-(2**63), 2**63 - 1),
    "Date": st.integers(0, 65_535),
    "UInt8": st.integers(0, 255),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "SimpleAggregateFunction(max, Int64)": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(allow_nan=False) | st.integers(-(2**70), 2**70),
}
ODD: tuple[Any, ...] = (
    *(None, True, 1.5, 256, -1, 2**64, ["x", None], (1,), [[]], array("q", [1]), array("f", [0.1])),
    *("x", "0f1e2d3c4b5a69788796a5b4c3d2e1f0----", b"\xff", "\ud800"),
)


def outcome(write: Any, *args: Any) -> Any:
    try:
        return write(*args)
    except (ValueError, TypeError, OverflowError) as error:
        return type(error)


def test_the_extension_was_built() -> None:
    assert compiled("streams._native") is not None, "python requirements/extension.py --required"


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(st.data())
def test_a_column_of_the_extension_is_that_of_the_python(kind: str, data: st.DataObject) -> None:
    rows = [(value,) for value in data.draw(st.lists(KINDS[kind], min_size=1))]
    assert native.block(["c"], [kind], rows) == native.in_python(["c"], [kind], rows)


@settings(deadline=None)
@given(st.data())
def test_columns_of_all_kinds_stand_one_after_the_other(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*KINDS.values()), min_size=1, max_size=5))
    names, kinds = [f"column {n}" for n in range(len(KINDS))], list(KINDS)
    assert native.block(names, kinds, rows) == native.in_python(names, kinds, rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_an_odd_value_is_written_or_refused_as_the_python_does_it(kind: str, value: Any) -> None:
    rows = [(value,)]
    assert outcome(native.block, ["c"], [kind], rows) == outcome(native.in_python, ["c"], [kind], rows)


def test_a_dictionary_grows_with_its_words() -> None:
    rows = [(f"word {n}",) for n in range(70_000)]
    kind = "LowCardinality(String)"
    assert native.block(["c"], [kind], rows) == native.in_python(["c"], [kind], rows)


def test_rows_of_another_width_are_refused_as_the_python_does_it() -> None:
    for rows in ([("a", "b")], [("a",), ("a", "b")], [["a"]], [()]):
        assert outcome(native.block, ["c"], ["String"], rows) == outcome(native.in_python, ["c"], ["String"], rows)
