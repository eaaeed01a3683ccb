"""PUT and POST of statements: addresses, batches, limits, and requests in parts inside of forms."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fixtures.bare_door import Answered, BareDoor
from tests.fixtures.multipart import BOUNDARY, attachment, body, first, part, sha

ID = "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"
OTHER = "16fd2706-8baf-433b-82eb-8c7fada847da"
NOTE = "a note, ½ page".encode()
FORM = "application/x-www-form-urlencoded"


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "actor": {"mbox": "mailto:student1@school.example"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": "https://items.example/1"},
        **changes,
    }


def sent(value: Any) -> list[bytes]:
    return [json.dumps(value).encode()]


def faults(found: Answered) -> list[tuple[int, str, str]]:
    return [(found.status, one["rule"], one["path"]) for one in found.value["faults"]]


def test_a_statement_is_put_under_its_address() -> None:
    bare = BareDoor()
    for value in (statement(), statement(id=ID), statement(id=ID.upper())):
        assert bare.put(ID, sent(value)).status == 204
    assert bare.put(ID.upper(), sent(statement(id=ID))).status == 204
    assert bare.accepted == 4


@pytest.mark.parametrize(
    ("query", "value", "rule"),
    [
        ("", statement(), "parameter"),
        ("statementId=", statement(), "parameter"),
        ("statementId=1", statement(), "parameter"),
        (f"statementid={ID}", statement(), "parameter"),
        (f"statementId={ID}&statementId={ID}", statement(), "parameter"),
        (f"statementId={ID}&limit=1", statement(), "parameter"),
        (f"statementId={ID}", statement(id=OTHER), "statement.id"),
        (f"statementId={ID}", [statement(id=ID)], "statement.single"),
        (f"statementId={ID}", [], "statement.single"),
        (f"statementId={ID}", "x", "statement.type"),
        (f"statementId={ID}", statement(id=7), "type"),
    ],
)
def test_what_does_not_go_with_its_address_is_refused(query: str, value: Any, rule: str) -> None:
    bare = BareDoor()
    found = bare.ask("PUT", query, sent(value))
    assert found.status == 400
    assert rule in [one["rule"] for one in found.value["faults"]]
    assert bare.accepted == 0


@pytest.mark.parametrize("query", [f"statementId={ID}", "limit=1", "format=exact"])
def test_a_post_has_no_parameter(query: str) -> None:
    name = query.partition("=")[0]
    assert faults(BareDoor().ask("POST", query, sent(statement()))) == [(400, "parameter", name)]


def test_a_refused_batch_names_each_item_that_is_at_fault() -> None:
    batch = [statement(verb={"id": f"no-iri {number}"}) if number % 2 else statement() for number in range(300)]
    bare = BareDoor()
    found = bare.post(sent(batch))
    assert found.status == 400
    assert found.value["faulty"] == list(range(1, 300, 2))
    assert found.value["statements"] == 300
    assert [one["path"] for one in found.value["faults"]][:2] == ["$[1].verb.id", "$[3].verb.id"]
    assert "150 of 300 statements are at fault, none was accepted" in found.value["error"]
    assert bare.accepted == 0


def test_an_id_twice_in_a_batch_is_refused_whatever_its_case() -> None:
    found = BareDoor().post(sent([statement(id=ID), statement(), statement(id=ID.upper())]))
    assert faults(found) == [(400, "batch.same_id", "$[2].id")]


def test_depth_and_strings_are_limited_by_setting() -> None:
    bare = BareDoor(max_depth=8, max_string=2000)
    deep: Any = 1
    for _ in range(5):
        deep = [deep]
    # The statement, its result and the extensions are three more.
    assert bare.post(sent(statement(result={"extensions": {"urn:x": deep}}))).status == 200
    found = bare.post(sent(statement(result={"extensions": {"urn:x": [deep]}})))
    assert found.status == 400
    assert [one["rule"] for one in found.value["faults"]] == ["limit.depth"]
    assert bare.post(sent(statement(result={"response": "x" * 2000}))).status == 200
    assert faults(bare.post(sent(statement(result={"response": "x" * 2001})))) == [
        (400, "limit.string", "$.result.response")
    ]


def test_a_request_in_parts_may_be_carried_in_a_form_under_1_0_3() -> None:
    bare = BareDoor()
    whole = body(first(statement(attachments=[attachment(NOTE)])), part(NOTE)).decode()
    form = urlencode({"content": whole, "statementId": ID, "Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})
    found = bare.ask("POST", "method=PUT", [form.encode()], content_type=FORM)
    assert found.status == 204, found
    assert asyncio.run(bare.attachments.get(sha(NOTE))) == NOTE
    refused = bare.ask("POST", "method=PUT", [form.encode()], content_type=FORM, x_experience_api_version="2.0.0")
    assert refused.status == 400
    assert bare.accepted == 1


def test_a_statement_in_parts_is_put_under_its_address_too() -> None:
    bare = BareDoor()
    kind = f"multipart/mixed; boundary={BOUNDARY}"
    own = statement(id=OTHER, attachments=[attachment(NOTE)])
    assert faults(bare.put(ID, [body(first(own), part(NOTE))], content_type=kind)) == [(400, "statement.id", "$.id")]
    assert bare.put(OTHER, [body(first(own), part(NOTE))], content_type=kind).status == 204
