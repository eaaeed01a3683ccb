"""A provider in quarantine: what is wrong is kept aside and told, mended by rules or by hand, and replayed."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from infra.runtime import quarantine
from infra.runtime.providers import set_mode
from infra.runtime.quarantine import Item
from infra.runtime.settings import KafkaSettings
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import provider_minute_codec, rejection_codec
from schemas.registry.lrs import repairs
from tests.fixtures.door import Door, make_door

pytestmark = pytest.mark.kafka

ANSWERED = "http://adlnet.gov/expapi/verbs/answered"


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "actor": {"mbox": "mailto:student1@school.example", "name": "Secretname"},
        "verb": {"id": ANSWERED},
        "object": {"id": "https://items.example/1"},
        **changes,
    }


WRONG = statement(object={"id": "item-7", "objectType": "Activity"})


@pytest.fixture
def quarantined(door: Door) -> Door:
    with door.engine.begin() as connection:
        set_mode(connection, "p1", "quarantine")
    return door


def kept(door: Door, status: str = "waiting") -> list[Item]:
    with door.engine.connect() as connection:
        return quarantine.items(connection, "p1", status)


async def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.1)
    return found


async def test_a_batch_is_accepted_but_for_what_is_wrong_with_it(quarantined: Door) -> None:
    good, own_id = statement(), str(uuid.uuid4()).upper()
    async with quarantined.open() as client:
        answer = await client.post("/xapi/statements", json=[good, WRONG, statement(id=own_id, verb={}), good])
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Roundtrip-Quarantined"] == "2"
        assert answer.headers["X-Roundtrip-Quarantined-Items"] == "1,2"
        ids = answer.json()
    assert [item.statement_id for item in quarantined.items()] == [ids[0], ids[3]]
    first, second = sorted(kept(quarantined), key=lambda one: one.idx)
    assert (first.item_id, ids[2]) == (ids[1], own_id.lower())
    assert uuid.UUID(ids[1]).version == 4
    assert json.loads(first.statement) == WRONG
    assert [(fault["rule"], fault["path"]) for fault in first.faults] == [("iri", "$.object.id")]
    assert first.faults[0]["fix"]
    assert [fault["path"] for fault in second.faults] == ["$.verb"]


async def test_one_statement_alone_may_be_kept_by_post_and_put(quarantined: Door) -> None:
    own_id = str(uuid.uuid4())
    async with quarantined.open() as client:
        posted = await client.post("/xapi/statements", json=WRONG)
        put = await client.put("/xapi/statements", params={"statementId": own_id}, json=WRONG)
        again = await client.put("/xapi/statements", params={"statementId": own_id}, json=WRONG)
    assert (posted.status_code, put.status_code, again.status_code) == (200, 204, 204)
    assert all(one.headers["X-Roundtrip-Quarantined"] == "1" for one in (posted, put, again))
    assert {json.loads(one.statement).get("id", "") for one in kept(quarantined)} == {"", own_id}
    assert len(kept(quarantined)) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"actor": ', 400), (b"7", 400), (b"[" + b'{"a":1},' * 1001 + b"{}]", 413)],
)
async def test_a_request_that_is_no_batch_is_refused_all_the_same(quarantined: Door, body: bytes, status: int) -> None:
    async with quarantined.open() as client:
        answer = await client.post("/xapi/statements", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status
        other = await client.put(
            "/xapi/statements", params={"statementId": str(uuid.uuid4())}, json=statement(id=str(uuid.uuid4()))
        )
        assert other.status_code == 400
    assert kept(quarantined) == []


async def test_a_strict_provider_beside_it_is_refused(quarantined: Door) -> None:
    async with quarantined.open("key-p2") as client:
        answer = await client.post("/xapi/statements", json=[statement(), WRONG])
        assert answer.status_code == 400
    assert quarantined.items() == []


async def test_what_is_kept_is_counted_as_rejected_and_explained_on_the_page(quarantined: Door) -> None:
    async with quarantined.open() as client:
        answer = await client.post("/xapi/statements", json=[statement(), WRONG])
        metrics = (await client.get("/metrics")).text
    assert 'ingest_statements_quarantined_total{provider="p1"} 1.0' in metrics
    schemas, request = FileSchemaRegistry(), answer.headers["X-Request-Id"]
    quarantined.published(
        "provider-minutes",
        provider_minute_codec(schemas),
        lambda rows: any((row.accepted, row.rejected) == (1, 1) for row in rows),
    )
    told = quarantined.published(
        "rejections", rejection_codec(schemas), lambda rows: any(row.request_id == request for row in rows)
    )
    [row] = [row for row in told if row.request_id == request]
    assert (row.status, row.rule, row.path) == (200, "iri", "$[1].object.id")


async def test_no_name_leaves_the_registry(quarantined: Door) -> None:
    async with quarantined.open() as client:
        await client.post("/xapi/statements", json=statement(verb={}))
    log = b"".join(
        one.value + (one.key or b"")
        for topic in ("", "provider-minutes", "rejections")
        for one in quarantined.records(topic)
    )
    assert b"Secretname" not in log
    assert b"student1@" not in log


async def test_a_rule_mends_what_comes_and_what_waits(quarantined: Door) -> None:
    async with quarantined.open() as client:
        [waits] = (await client.post("/xapi/statements", json=WRONG)).json()
        with quarantined.engine.begin() as connection:
            rule = quarantine.add_rule(
                connection, "p1", "$.object.id", "replace", '"item-*"', '"https://items.example/*"', "Kim", 5
            )
        [replayed] = await until(lambda: kept(quarantined, "replayed"))
        answer = await client.post("/xapi/statements", json=[WRONG, statement(verb={})])
        assert answer.headers["X-Roundtrip-Repaired"] == "1"
        assert answer.headers["X-Roundtrip-Quarantined"] == "1"
        mended = await until(lambda: _mended(quarantined, rule) == 2)
    assert mended
    assert (replayed.item_id, replayed.decided_by) == (waits, "rule")
    items = {item.statement_id: json.loads(item.statement) for item in quarantined.items()}
    assert [one["object"]["id"] for one in items.values()] == ["https://items.example/7"] * 2
    assert items.keys() == {waits, answer.json()[0]}
    # It counts as having happened when it came, not when it was mended.
    assert items[waits]["timestamp"] < items[waits]["stored"]


def _mended(door: Door, rule: str) -> int:
    with door.engine.connect() as connection:
        return int(connection.execute(select(repairs.c.mended).where(repairs.c.repair_id == rule)).scalar_one())


async def test_a_statement_repaired_by_hand_is_accepted_under_the_id_that_was_answered(quarantined: Door) -> None:
    async with quarantined.open() as client:
        [waits] = (await client.post("/xapi/statements", json=WRONG)).json()
        with quarantined.engine.begin() as connection:
            quarantine.repair_item(connection, waits, json.dumps(statement()), "Kim", "the item's address")
        [replayed] = await until(lambda: kept(quarantined, "replayed"))
    assert (replayed.decided_by, replayed.reason) == ("Kim", "the item's address")
    assert [item.statement_id for item in quarantined.items()] == [waits]


async def test_a_repair_that_is_still_wrong_waits_again_with_its_new_faults(quarantined: Door) -> None:
    async with quarantined.open() as client:
        [waits] = (await client.post("/xapi/statements", json=WRONG)).json()
        with quarantined.engine.begin() as connection:
            quarantine.repair_item(connection, waits, json.dumps(statement(verb={})), "Kim", "a try")
        [item] = await until(lambda: [one for one in kept(quarantined) if one.repaired is None and one.reason])
    assert "refused" in (item.reason or "")
    assert item.faults[0]["path"] == "$.verb"
    assert json.loads(item.statement) == WRONG
    assert quarantined.items() == []


async def test_what_waits_has_a_limit_beyond_which_faults_are_refused(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    door = make_door(tmp_path, kafka_settings, quarantine_statements=2)
    with door.engine.begin() as connection:
        set_mode(connection, "p1", "quarantine")
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=[WRONG, WRONG])).status_code == 200
        assert (await client.post("/xapi/statements", json=WRONG)).status_code == 400
    assert len(kept(door)) == 2
    door.engine.dispose()
