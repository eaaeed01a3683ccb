"""Positions, payloads and advice of dead letters, without any server."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.events import DeadLetter, Item
from streams.dead_letters import CUT_BYTES, is_cut
from streams.letters.advice import advice
from streams.letters.payload import RepairError, bytes_shown, fault_of, item_json, item_of, item_of_row, repaired
from streams.letters.place import Place, parse_place, place_of
from streams.rows import tables
from streams.rows.arrival import read, statement_row
from tests.fixtures.envelopes import FIRST_DAY_US, make_item

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
STUDENT = "33333333-3333-4333-8333-333333333333"


def the_item(**changes: object) -> Item:
    return msgspec.structs.replace(make_item(ID, STUDENT, FIRST_DAY_US), **changes)


def letter(payload: bytes, reason: str = "statement_invalid", index: int = 4, message: str = "") -> DeadLetter:
    return DeadLetter("statements", 1, 2, 30, index, "provider-a", ID, FIRST_DAY_US, reason, message, payload, 5)


@pytest.mark.parametrize("place", [Place(1, 2, 30, 4), Place(1, 2, 30, -1), Place(12, 0, 0, 0, "student_days")])
def test_a_position_is_read_as_it_is_printed(place: Place) -> None:
    assert parse_place(f" {place} ") == place


@pytest.mark.parametrize("text", ["", "1/2/3", "1/2/3/x", "1/2/3/4/5", "statements/2/3/4"])
def test_what_is_no_position_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no position"):
        parse_place(text)


def test_a_refused_row_of_a_stored_statement_has_a_place_of_its_own() -> None:
    assert place_of(letter(b"{}", "refused_by_statements")) == Place(1, 2, 30, 4)
    assert place_of(letter(b"{}", "refused_by_attempts")) == Place(1, 2, 30, 4, "attempts")


def test_an_item_comes_back_from_what_is_shown_of_it_byte_for_byte() -> None:
    item = the_item(statement=b'{"id":"%s","n":1.10,"big":123456789012345678901234567890}' % ID.encode())
    shown = item_json(item)
    assert b'"n": 1.10' in shown
    assert repaired(item, shown) == item


@pytest.mark.parametrize("statement", [b'{"broken', b"\xff\xfe"])
def test_a_statement_that_is_no_json_is_shown_and_may_stay(statement: bytes) -> None:
    item = the_item(statement=statement)
    assert repaired(item, item_json(item)) == item


def test_a_repair_says_what_changes_and_the_rest_stays() -> None:
    item = the_item(statement=b'{"result":{"success":1}}')
    mended = repaired(item, b'{"statement": {"result": {"success": true}}, "skills": ["a"]}')
    assert mended == msgspec.structs.replace(item, statement=b'{"result":{"success":true}}', skills=["a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "not as `show --payload` prints"),
        (b'{"colour": 1}', "unknown field"),
        (b'{"timestamp": "today"}', "not as `show --payload` prints"),
        (b'{"provider_id": "somebody"}', "provider_id may not be changed"),
        (b'{"stored": 1}', "stored may not be changed"),
        (b'{"flags": 1}', "flags may not be changed"),
        (b'{"statement": 1}', "no JSON object"),
        (b'{"statement_id": "%s"}' % OTHER.encode(), "change both"),
    ],
)
def test_a_repair_that_cannot_be_taken_says_why(text: bytes, said: str) -> None:
    with pytest.raises(RepairError, match=said):
        repaired(the_item(), text)


def test_a_statement_may_get_an_id_of_its_own() -> None:
    item = the_item()
    statement = {**json.loads(item.statement), "id": OTHER}
    mended = repaired(item, json.dumps({"statement_id": OTHER, "statement": statement}).encode())
    assert (mended.statement_id, mended.digest) == (OTHER, item.digest)


def test_what_would_be_put_aside_again_is_known_before() -> None:
    assert fault_of(the_item(), 0) is None
    assert fault_of(the_item(timestamp=-1), 0).reason == "timestamp_out_of_range"
    assert fault_of(the_item(statement=b"{}"), 0).reason == "statement_invalid"
    assert fault_of(the_item(verb="dreamt"), 0).reason == "verb_unknown"


@pytest.mark.parametrize("head", [b"{", b'{"authority":"key.1",', b'{"authority":"key.1","id":"%s",'])
def test_items_are_read_from_payloads_and_from_refused_rows(head: bytes) -> None:
    item = the_item()
    item = the_item(statement=item.statement.replace(b"{", head.replace(b"%s", item.statement_id.encode()), 1))
    assert item_of(letter(msgspec.json.encode(item))) == item
    row = dict(zip(tables.STATEMENTS.names, statement_row(read(0, 7, 0, item), 1), strict=True))
    read_back = item_of_row(letter(msgspec.json.encode(row, enc_hook=str), "refused_by_statements"))
    assert json.loads(read_back.statement) == json.loads(item.statement)
    assert msgspec.structs.replace(read_back, statement=item.statement) == item
    with pytest.raises(RepairError, match="no whole item"):
        item_of(letter(msgspec.json.encode(item)[:-9]))


def test_a_letter_that_was_cut_is_known_for_it() -> None:
    assert is_cut(letter(b"x" * CUT_BYTES, message=f"broken (the first {CUT_BYTES} of 1000000 bytes)"))
    assert not is_cut(letter(b"x" * CUT_BYTES, message="broken"))


def test_bytes_are_shown_as_numbers_and_letters() -> None:
    assert bytes_shown(b"\x00ab" + b"." * 30, most=16).splitlines() == [
        "     0  00 61 62 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e  .ab.............",
        "        … 17 bytes more",
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("undecodable", "after an upgrade"),
        ("conflict", "an id of its own"),
        ("statement_invalid", "replay 1/2/30/4 --file item.json"),
        ("refused_by_statements", "then replay it"),
    ],
)
def test_there_is_advice_for_every_reason(reason: str, said: str) -> None:
    assert said in advice(place_of(letter(b"", reason)), reason)
    assert "roundtrip rebuild" in advice(place_of(letter(b"", "refused_by_attempts")), "refused_by_attempts")
