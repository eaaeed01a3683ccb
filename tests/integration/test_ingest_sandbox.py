"""Sandbox credentials: checked, answered and read like the real thing; nothing of it reaches the log."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from infra.runtime import quarantine
from infra.runtime.providers import set_mode
from infra.runtime.settings import KafkaSettings
from ingest.credentials import issue_credential
from schemas.registry.lrs import sandboxed
from tests.fixtures.door import Door, make_door

pytestmark = pytest.mark.kafka

ANSWERED = "http://adlnet.gov/expapi/verbs/answered"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"
KEY = "key-sandbox"


def statement(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "actor": {"mbox": f"mailto:student{number}@school.example"},
        "verb": {"id": ANSWERED},
        "object": {"id": f"https://items.example/{number}"},
        **changes,
    }


def with_sandbox(door: Door) -> Door:
    with door.engine.begin() as connection:
        issue_credential(connection, "p1", 1, key=KEY, secret="secret", sandbox=True)
    return door


@pytest.fixture
def sandbox(tmp_path: Path, kafka_settings: KafkaSettings) -> Iterator[Door]:
    made = with_sandbox(make_door(tmp_path, kafka_settings))
    yield made
    made.engine.dispose()


async def test_what_is_sent_is_read_back_and_is_not_in_the_log(sandbox: Door) -> None:
    async with sandbox.open(KEY) as client:
        ids = (await client.post("/xapi/statements", json=[statement(1), statement(2)])).json()
        read = await client.get("/xapi/statements", params={"statementId": ids[0]})
        page = await client.get("/xapi/statements")
    assert read.status_code == 200
    found = read.json()
    assert found["actor"] == {"mbox": "mailto:student1@school.example"}
    assert found["authority"]["account"]["name"] == "p1"
    assert {"stored", "timestamp", "version"} <= found.keys()
    assert {one["id"] for one in page.json()["statements"]} == set(ids)
    assert sandbox.items() == []


async def test_it_is_refused_as_the_real_thing_is(sandbox: Door) -> None:
    own_id = str(uuid.uuid4())
    async with sandbox.open(KEY) as client:
        assert (await client.post("/xapi/statements", json=statement(verb={}))).status_code == 400
        put = await client.put("/xapi/statements", params={"statementId": own_id}, json=statement())
        again = await client.put("/xapi/statements", params={"statementId": own_id.upper()}, json=statement())
        other = await client.put("/xapi/statements", params={"statementId": own_id}, json=statement(2))
        batch = await client.post("/xapi/statements", json=[statement(3), statement(2, id=own_id)])
    assert [one.status_code for one in (put, again, other, batch)] == [204, 204, 409, 409]
    assert number_of(sandbox) == 1


async def test_pages_are_filtered_and_go_on(sandbox: Door) -> None:
    async with sandbox.open(KEY) as client:
        for number in range(1, 6):
            await client.post("/xapi/statements", json=statement(number % 2))
        agent = json.dumps({"mbox": "mailto:student1@school.example"})
        first = (await client.get("/xapi/statements", params={"agent": agent, "limit": 2, "ascending": "true"})).json()
        rest = (await client.get(first["more"])).json()
        none = (await client.get("/xapi/statements", params={"activity": "https://items.example/9"})).json()
    assert (len(first["statements"]), len(rest["statements"]), rest["more"]) == (2, 1, "")
    assert none["statements"] == []


async def test_a_voided_statement_is_found_as_voided_alone_and_through_what_refers_to_it(sandbox: Door) -> None:
    async with sandbox.open(KEY) as client:
        [target] = (await client.post("/xapi/statements", json=statement())).json()
        reference = {"objectType": "StatementRef", "id": target}
        [about] = (await client.post("/xapi/statements", json=statement(2, object=reference))).json()
        [voiding] = (
            await client.post("/xapi/statements", json=statement(3, verb={"id": VOIDED}, object=reference))
        ).json()
        plain = await client.get("/xapi/statements", params={"statementId": target})
        voided = await client.get("/xapi/statements", params={"voidedStatementId": target})
        through = await client.get("/xapi/statements", params={"activity": "https://items.example/1"})
    assert (plain.status_code, voided.status_code) == (404, 200)
    assert {one["id"] for one in through.json()["statements"]} == {about, voiding}


async def test_the_real_credential_and_the_sandbox_do_not_see_each_other(sandbox: Door) -> None:
    async with sandbox.open(KEY) as client:
        [tried] = (await client.post("/xapi/statements", json=statement())).json()
        own_id = str(uuid.uuid4())
        real = await client.put(
            "/xapi/statements", params={"statementId": own_id}, json=statement(), auth=("key-p1", "secret")
        )
        assert real.status_code == 204
        assert (await client.get("/xapi/statements", params={"statementId": own_id})).status_code == 404
    assert tried not in {item.statement_id for item in sandbox.items()}


async def test_the_newest_are_kept(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = with_sandbox(make_door(tmp_path, kafka_settings, sandbox_statements=10))
    async with door.open(KEY) as client:
        for _ in range(5):
            await client.post("/xapi/statements", json=[statement(number) for number in range(60)])
    # What is beyond is removed now and then, not with each request.
    assert number_of(door) < 300
    door.engine.dispose()


async def test_what_a_sandbox_sends_wrong_in_quarantine_is_replayed_into_the_sandbox(sandbox: Door) -> None:
    with sandbox.engine.begin() as connection:
        set_mode(connection, "p1", "quarantine")
    async with sandbox.open(KEY) as client:
        answer = await client.post("/xapi/statements", json=statement(object={"id": "item-7"}))
        assert answer.headers["X-Roundtrip-Quarantined"] == "1"
        [kept] = answer.json()
        with sandbox.engine.begin() as connection:
            quarantine.repair_item(connection, kept, json.dumps(statement(7)), "Kim", "the address")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            read = await client.get("/xapi/statements", params={"statementId": kept})
            if read.status_code == 200:
                break
        assert read.json()["object"]["id"] == "https://items.example/7"
    assert sandbox.items() == []


def number_of(door: Door) -> int:
    with door.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(sandboxed)).scalar_one())
