"""One item becomes rows, or a fault with its reason."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec
import pytest

from schemas import verbs
from schemas.events import Item
from streams.rows import tables
from streams.rows.arrival import NO_UUID, Arrival, Fault, attempt_row, read, statement_row
from streams.rows.days import LocalDays, as_date, as_number
from tests.fixtures.envelopes import FIRST_DAY_US, make_item

STATEMENT, STUDENT = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def the_item(**changes: Any) -> Item:
    return msgspec.structs.replace(make_item(STATEMENT, STUDENT, FIRST_DAY_US), **changes)


def with_document(**changes: Any) -> Item:
    item = the_item()
    return msgspec.structs.replace(item, statement=json.dumps({**json.loads(item.statement), **changes}).encode())


def arrived(item: Item) -> Arrival:
    return read(3, 70, 5, item)


def test_an_answer_becomes_a_statement_and_an_attempt() -> None:
    arrival = arrived(the_item())
    statement = dict(zip(tables.STATEMENTS.names, statement_row(arrival, 2), strict=True))
    attempt = dict(zip(tables.ATTEMPTS.names, attempt_row(arrival, 2), strict=True))
    assert statement["statement_id"] == attempt["statement_id"] == STATEMENT
    assert statement["activity"] == attempt["item"] == "https://items.example/item-1"
    assert statement["verb_iri"] == "https://verbs.example/answered"
    assert (attempt["outcome"], attempt["duration_ms"], attempt["skills"]) == (1.0, 12_500, ["skill-1"])
    assert (statement["generation"], statement["partition"], statement["offset"], statement["idx"]) == (2, 3, 70, 5)


def test_a_verb_that_tells_no_outcome_is_no_attempt() -> None:
    assert arrived(the_item(verb=verbs.COMPLETED)).outcome is None


def test_an_object_that_is_an_agent_stands_as_its_key() -> None:
    assert arrived(with_document(object="abc.2")).activity == "abc.2"


def test_a_sub_statement_has_no_activity_of_its_own() -> None:
    assert arrived(with_document(object={"objectType": "SubStatement", "verb": {}})).activity == ""


def test_without_a_registration_it_is_zero() -> None:
    row = statement_row(arrived(with_document(context={})), 1)
    assert row[tables.STATEMENTS.names.index("registration")] == NO_UUID


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (the_item(timestamp=-(10**15)), "timestamp_out_of_range"),
        (the_item(timestamp=10**16), "timestamp_out_of_range"),
        (the_item(stored=10**16), "stored_out_of_range"),
        (the_item(statement_id="none"), "id_invalid"),
        (the_item(student_id="z" * 36), "id_invalid"),
        (the_item(statement_id="        -    -    -    -            "), "id_invalid"),
        (the_item(statement=b"{"), "statement_undecodable"),
        (the_item(statement=b'{"actor":"\xff"}'), "statement_undecodable"),
        (with_document(verb="answered"), "statement_invalid"),
        (with_document(result={"success": "yes"}), "statement_invalid"),
        (with_document(context={"registration": "no"}), "registration_invalid"),
    ],
)
def test_what_cannot_be_written_is_a_fault_with_a_reason(item: Item, reason: str) -> None:
    with pytest.raises(Fault) as caught:
        arrived(item)
    assert caught.value.reason == reason
    assert caught.value.message


def test_a_day_begins_at_midnight_where_the_district_is() -> None:
    days = LocalDays("America/Chicago")
    midnight = 1_793_509_200_000_000  # 2026-11-01 00:00 in Chicago, the day on which summer time ends
    assert as_date(days.day_of(midnight)).isoformat() == "2026-11-01"
    assert as_date(days.day_of(midnight - 1)).isoformat() == "2026-10-31"
    assert as_date(days.day_of(midnight + 25 * 3_600_000_000 - 1)).isoformat() == "2026-11-01"
    assert as_date(days.day_of(midnight + 25 * 3_600_000_000)).isoformat() == "2026-11-02"
    assert as_number(as_date(20_000)) == 20_000
