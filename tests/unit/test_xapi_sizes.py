"""Limits of depth and of strings: told with their place, of any value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.xapi.faults import Faults
from ingest.xapi.parse import parse
from ingest.xapi.sizes import may_be_too_long, oversize


def faults_of(value: Any, *, deepest: int = 8, longest: int = 20) -> list[tuple[str, str]]:
    faults = Faults()
    oversize(value, json.dumps(value).encode(), faults, deepest=deepest, longest=longest)
    return [(one.rule, one.path) for one in faults]


def nested(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def test_what_is_as_deep_as_allowed_is_right() -> None:
    assert faults_of(nested(8)) == []
    assert faults_of([nested(7)] * 20) == []


def test_what_is_deeper_is_told_once() -> None:
    assert faults_of([{"b": 1}, {"x": [nested(6), nested(5)]}]) == [("limit.depth", "$[1].x[0][0].a[0].a[0]")]


def test_long_strings_and_keys_are_told_by_their_paths() -> None:
    value = {"a": ["x" * 20, "é" * 21], "b": {"k" * 21: 1, "c": "y" * 21}}
    assert faults_of(value) == [("limit.string", "$.a[1]"), ("limit.string", "$.b"), ("limit.string", "$.b.c")]


def test_escaped_quotation_marks_do_not_hide_a_long_string() -> None:
    value = {"a": '"' * 21}
    assert may_be_too_long(json.dumps(value).encode(), 20)
    assert faults_of(value) == [("limit.string", "$.a")]
    assert not may_be_too_long(json.dumps({"a": "b" * 10, "c": "d" * 10}).encode(), 20)


def test_what_stands_between_strings_is_no_long_string() -> None:
    value = {"a\\": [1] * 100, '\\"b': "c"}
    assert not may_be_too_long(json.dumps(value).encode(), 20)
    assert not may_be_too_long(json.dumps([1] * 100).encode(), 20)


@pytest.mark.parametrize("value", [1, "x", None, [], {}])
def test_scalars_and_what_is_empty_are_right(value: Any) -> None:
    assert faults_of(value) == []


def test_nesting_at_the_edge_of_what_can_be_read_is_refused_in_words() -> None:
    for depth in range(850, 1010):
        faults = Faults()
        value = parse(b'{"a":' * depth + b"1" + b"}" * depth, faults)
        if not faults:
            oversize(value, b"{" * depth, faults, deepest=64, longest=100)
        assert [one.rule for one in faults] in (["limit.depth"], ["json.malformed"])
