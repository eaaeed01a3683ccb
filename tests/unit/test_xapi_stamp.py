"""Agents out and in, stamps, digests: pure functions over statements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.xapi import version
from ingest.xapi.agents import exact, keys, put_back, slots
from ingest.xapi.parse import DECODER
from ingest.xapi.stamp import Stamp, Stamped, stamp

GOLDEN = Path(__file__).parents[1] / "golden" / "xapi"
BY = Stamp(1_795_167_000_000_000, "AUTH.1", "1.0.0")
NEW_ID = "00000000-0000-4000-8000-000000000001"


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return loaded


def swapped(statement: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The statement with keys, and the agents by key."""
    known: dict[str, dict[str, Any]] = {}
    for holder, name in slots(statement):
        key = f"k{len(known)}.1"
        known[key] = holder[name]
        holder[name] = key
    return statement, known


def stamped(statement: dict[str, Any], by: Stamp = BY) -> Stamped:
    copied, _ = swapped(json.loads(json.dumps(statement)))
    return stamp(copied, NEW_ID, by)


@pytest.mark.parametrize("name", ["answered", "group_sub_statement_2.0", "voiding"])
def test_swapping_leaves_no_trace_of_an_agent_and_putting_back_restores_it(name: str) -> None:
    statement, known = swapped(golden(name))
    text = json.dumps(statement)
    for trace in ("Ada", "mailto:", "s-4711", "openid", "Table 4", "0000001", "school.example.org"):
        assert trace not in text
    assert put_back(statement, known) == golden(name)


def test_keys_are_found_where_agents_stood() -> None:
    statement, known = swapped(golden("group_sub_statement_2.0"))
    assert sorted(keys(statement)) == sorted(known)
    assert len(known) == 5


def test_the_order_of_an_agents_properties_makes_no_difference() -> None:
    assert exact({"name": "A", "mbox": "mailto:a@example.org"}) == exact({"mbox": "mailto:a@example.org", "name": "A"})


def test_what_the_lrs_sets_is_set() -> None:
    made = stamped(golden("voiding"))
    kept = json.loads(made.json)
    assert made.statement_id == kept["id"] == NEW_ID
    assert made.id_generated
    assert made.timestamp_generated
    assert made.timestamp == BY.stored
    assert kept["stored"] == kept["timestamp"] == "2026-11-20T09:30:00.000000Z"
    assert kept["authority"] == "AUTH.1"
    assert kept["version"] == "1.0.0"


def test_a_version_that_was_sent_is_kept_under_1_0_3() -> None:
    statement = {**golden("voiding"), "version": "1.0.2"}
    assert json.loads(stamped(statement).json)["version"] == "1.0.2"
    assert json.loads(stamped(statement, BY._replace(version=version.TWO)).json)["version"] == version.TWO


def test_what_was_sent_stays_but_stored_authority_and_version() -> None:
    made = stamped(golden("answered"))
    kept = DECODER.decode(made.json)
    sent, _ = swapped(golden("answered"))
    assert made.statement_id == sent["id"]
    assert made.timestamp == 1_795_167_000_123_000
    for name in sent.keys() - {"stored", "authority", "version", "context", "actor"}:
        assert kept[name] == sent[name]
    assert kept["stored"] == "2026-11-20T09:30:00.000000Z"


def test_a_single_context_activity_becomes_an_array() -> None:
    kept = json.loads(stamped(golden("answered")).json)
    assert kept["context"]["contextActivities"]["parent"] == [{"id": "https://items.example.org/unit/3"}]


def test_2_0_keeps_timestamps_in_utc_and_1_0_3_as_sent() -> None:
    statement = golden("group_sub_statement_2.0")
    assert json.loads(stamped(statement).json)["timestamp"] == "2026-11-20T10:30:00.123+01:00"
    in_2 = stamped(statement, BY._replace(version=version.TWO))
    assert json.loads(in_2.json)["timestamp"] == "2026-11-20T09:30:00.123000Z"


def test_the_digest_leaves_out_id_authority_stored_timestamp_and_version() -> None:
    statement = golden("answered")
    other = {**statement, "id": NEW_ID, "timestamp": "2020-01-01T00:00:00Z", "version": "1.0.0"}
    other.pop("stored")
    assert stamped(statement).digest == stamped(other, BY._replace(stored=1)).digest
    assert stamped({**statement, "result": {"success": False}}).digest != stamped(statement).digest


def test_the_digest_fits_a_signed_64_bit_integer() -> None:
    digest = stamped(golden("answered")).digest
    assert msgspec.convert(digest, int) == digest
    assert -(2**63) <= digest < 2**63


def test_an_upper_case_id_is_kept_in_lower_case() -> None:
    statement = golden("answered")
    assert stamped({**statement, "id": statement["id"].upper()}).statement_id == statement["id"]


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("1.0", "1.0.3"), ("1.0.0", "1.0.3"), ("1.0.3", "1.0.3"), ("1.0.9", "1.0.3"), ("2.0", "2.0.0"),
        ("2.0.0", "2.0.0"), ("0.95", None), ("1.1.0", None), ("3.0", None), ("1.0.3, 2.0.0", None), ("", None),
    ],
)  # fmt: skip
def test_a_version_is_negotiated(header: str, spoken: str | None) -> None:
    assert version.negotiate(header) == spoken
