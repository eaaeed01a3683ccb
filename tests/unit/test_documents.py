"""Conditions on documents, and what merging makes of two of them."""

from __future__ import annotations

import json

import pytest

from ingest.documents.conditions import conditions
from ingest.documents.merging import MergeError, merged

TAG = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
JSON = "application/json"


@pytest.mark.parametrize("header", ["*", f'"{TAG}"', f'"0", "{TAG}"', f'"{TAG.upper()}"', TAG])
def test_if_match_holds_of_the_document_it_names(header: str) -> None:
    assert conditions(header, "").hold(TAG)
    assert not conditions(header, "").hold(None)


@pytest.mark.parametrize("header", ['"*"', '"0000"', f'W/"{TAG}"', "nonsense!", '""', "?"])
def test_if_match_holds_of_no_document_it_does_not_name(header: str) -> None:
    assert not conditions(header, "").hold(TAG)


@pytest.mark.parametrize("header", ["*", f'"{TAG}"', f'W/"{TAG}"', f'"0",W/"{TAG}"'])
def test_if_none_match_holds_only_of_what_it_does_not_name(header: str) -> None:
    asked = conditions("", header)
    assert asked.names(TAG)
    assert not asked.hold(TAG)
    assert asked.hold(None)
    assert asked.hold("f" * 40) is (header != "*")


def test_without_headers_everything_holds() -> None:
    asked = conditions("", "")
    assert not asked.given
    assert not asked.names(TAG)
    assert asked.hold(TAG)
    assert asked.hold(None)


def test_a_merge_goes_one_level_deep_and_keeps_values_as_they_were_sent() -> None:
    there = b'{"a": {"x": 1, "y": 2}, "b": 1.10, "c": 12345678901234567890.5}'
    kept = merged(there, JSON, b'{"a": {"z": 3}, "d": null}', "application/json; charset=utf-8")
    assert json.loads(kept) == {"a": {"z": 3}, "b": 1.1, "c": 12345678901234567890.5, "d": None}
    assert b"1.10" in kept
    assert b"12345678901234567890.5" in kept


@pytest.mark.parametrize(
    ("there", "there_type", "posted", "posted_type"),
    [
        (b"text", "text/plain", b"{}", JSON),
        (b"{}", JSON, b"{}", "text/plain"),
        (b"[]", JSON, b"{}", JSON),
        (b"{}", JSON, b"[]", JSON),
        (b"{}", JSON, b"", JSON),
        (b"{}", JSON, b'{"a": tru}', JSON),
        (b"{}", JSON, b'{"a": {"b": [1,]}}', JSON),
        (b"{}", JSON, b'{"a": "\xff"}', JSON),
        (b"{}", JSON, b'{"a":' * 100_000, JSON),
    ],
)
def test_what_is_no_pair_of_objects_is_not_merged(
    there: bytes, there_type: str, posted: bytes, posted_type: str
) -> None:
    with pytest.raises(MergeError):
        merged(there, there_type, posted, posted_type)
