"""The door over a registry in PostgreSQL: what it holds of a provider beside the log, and what it has no room for."""

from __future__ import annotations

import json
import random
import string
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.runtime import providers, quarantine
from infra.runtime.settings import KafkaSettings
from ingest.quarantine.repair import write
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_quarantine import WRONG, kept, statement, until
from tests.integration.test_ingest_refusals import only_fault

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

AGENT = json.dumps({"mbox": "mailto:student1@school.example"})


@pytest.fixture
def door(tmp_path: Path, kafka_settings: KafkaSettings, postgres_url: str) -> Iterator[Door]:
    made = make_door(tmp_path, kafka_settings, registry_url=postgres_url)
    yield made
    made.engine.dispose()


def long_name(size: int) -> str:
    """A text that no database makes smaller."""
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits, k=size))


async def test_the_longest_identifier_is_kept_and_a_longer_one_is_refused_for_good(door: Door) -> None:
    page = "https://school.example/"
    longest = {"account": {"homePage": page, "name": long_name(2048 - len(page))}}
    longer = {"account": {"homePage": page, "name": long_name(2049 - len(page))}}
    async with door.open() as client:
        answer = await client.post("/xapi/statements", json=statement(actor=longest))
        assert answer.status_code == 200, answer.text
        for actor in (longer, {"mbox": f"mailto:{long_name(2048)}@school.example"}, {"openid": page + long_name(2048)}):
            refused = await client.post("/xapi/statements", json=statement(actor=actor))
            assert only_fault(refused) == (400, "limit.identifier")
        nul = await client.post("/xapi/statements", json=statement(actor={"mbox": "mailto:a\0b@school.example"}))
        assert only_fault(nul) == (400, "actor.mbox")


async def test_a_statement_is_kept_aside_repaired_and_replayed(door: Door) -> None:
    with door.engine.begin() as connection:
        providers.set_mode(connection, "p1", "quarantine")
    nul = statement(actor={"account": {"homePage": "https://school.example/", "name": "a\0b"}})
    async with door.open() as client:
        answer = await client.post("/xapi/statements", json=[statement(), WRONG, nul])
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Roundtrip-Quarantined-Items"] == "1,2"
        assert [one.faults[0]["rule"] for one in sorted(kept(door), key=lambda one: one.idx)] == [
            "iri",
            "actor.account_nul",
        ]
        with door.engine.begin() as connection:
            for one in kept(door):
                quarantine.repair_item(connection, one.item_id, write(statement()), "Ada", "by hand")
        await until(lambda: not kept(door))
    assert {item.statement_id for item in door.items()} == set(answer.json())


async def test_a_sandbox_keeps_to_itself_what_it_is_sent(door: Door) -> None:
    with door.engine.begin() as connection:
        providers.issue_credential(connection, "p1", 1, key="key-sandbox", secret="secret", sandbox=True)
    sent: dict[str, Any] = statement(id=str(uuid.uuid4()))
    async with door.open("key-sandbox") as client:
        assert (await client.post("/xapi/statements", json=[sent, statement()])).status_code == 200
        assert (await client.post("/xapi/statements", json=sent)).status_code == 200
        other = {**sent, "object": {"id": "https://items.example/2"}}
        assert only_fault(await client.post("/xapi/statements", json=other)) == (409, "statement.conflict")
        page = await client.get("/xapi/statements", params={"agent": AGENT, "ascending": "true"})
    assert [one["object"]["id"] for one in page.json()["statements"]] == ["https://items.example/1"] * 2
    assert door.items() == []


async def test_a_document_is_written_merged_and_read(door: Door) -> None:
    place = {"activityId": "https://items.example/1", "agent": AGENT, "stateId": "resume"}
    async with door.open() as client:
        assert (await client.post("/xapi/activities/state", params=place, json={"page": 1})).status_code == 204
        assert (await client.post("/xapi/activities/state", params=place, json={"x": "\0"})).status_code == 204
        read = await client.get("/xapi/activities/state", params=place)
        assert read.json() == {"page": 1, "x": "\0"}
        names = await client.get("/xapi/activities/state", params={**place, "stateId": ""})
        assert only_fault(names) == (400, "parameter.missing")


async def test_a_rotated_credential_and_its_successor_both_work(door: Door) -> None:
    now = 1_700_000_000_000_000
    with door.engine.begin() as connection:
        issued = providers.rotate_credential(connection, "key-p1", now * 2, 3_600_000_000)
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement())).status_code == 200
        new = await client.post("/xapi/statements", json=statement(), auth=(issued.key, issued.secret))
        assert new.status_code == 200
