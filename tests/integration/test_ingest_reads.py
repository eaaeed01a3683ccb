"""GET: what was accepted comes back value for value, filtered, in pages; an author sees its own writes."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from infra.dev.front.process import Front
from infra.runtime.clickhouse import migrate, open_clickhouse
from infra.runtime.settings import ClickHouseSettings, KafkaSettings
from ingest.xapi.timestamps import microseconds
from schemas.registry.tables import agents
from streams.rows.arrival import read, statement_row
from streams.rows.tables import SINK_PROGRESS, STATEMENTS
from streams.sink import Sink
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_statements import statement

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

GOLDEN = Path(__file__).parents[1] / "golden" / "xapi"
OF_THE_LRS = {"id", "stored", "authority", "version", "timestamp"}


class Reading:
    """A service, its store, and a stand-in for the worker."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._sink = Sink(lambda: open_clickhouse(door.settings.clickhouse), threading.Event())

    def work(self) -> None:
        """Write the log into the store, and how far that is."""
        kafka = self.door.settings.kafka
        rows, last = [], dict.fromkeys(range(kafka.partitions), -1)
        for partition, offset, envelope in self.door.envelopes():
            last[partition] = max(last[partition], offset)
            for idx, item in enumerate(envelope.items):
                if item.primary:
                    rows.append(statement_row(read(partition, offset, idx, item), kafka.generation))
        assert self._sink.insert(STATEMENTS, rows) == []
        now = time.time_ns() // 1000
        self._sink.insert(SINK_PROGRESS, [(kafka.generation, one, end, end, 0, now) for one, end in last.items()])


@pytest.fixture
def reading(tmp_path: Path, kafka_settings: KafkaSettings, clickhouse_front: Front) -> Iterator[Reading]:
    clickhouse = ClickHouseSettings(
        host=clickhouse_front.host, port=clickhouse_front.port, database=f"ingest_{uuid.uuid4().hex[:8]}"
    )
    migrate(clickhouse)
    door = make_door(tmp_path, kafka_settings, clickhouse=clickhouse)
    yield Reading(door)
    door.engine.dispose()


async def get(client: httpx.AsyncClient, **query: Any) -> httpx.Response:
    return await client.get("/xapi/statements", params=query)


async def found(client: httpx.AsyncClient, **query: Any) -> list[str]:
    """Ids of the statements of a page."""
    answer = await get(client, **query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["statements"]]


@pytest.mark.parametrize(
    ("name", "version"), [("answered", "1.0.3"), ("group_sub_statement_2.0", "2.0.0"), ("voiding", "1.0.3")]
)
async def test_a_statement_comes_back_value_for_value(reading: Reading, name: str, version: str) -> None:
    sent = json.loads((GOLDEN / f"{name}.json").read_text())
    async with reading.door.open() as client:
        client.headers["X-Experience-API-Version"] = version
        answer = await client.post("/xapi/statements", json=sent)
        assert answer.status_code == 200, answer.text
        [statement_id] = answer.json()
        await asyncio.to_thread(reading.work)
        answer = await get(client, statementId=statement_id.upper())
        assert answer.status_code == 200, answer.text
        kept = answer.json()
        head = await client.head("/xapi/statements", params={"statementId": statement_id})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    for one in sent, kept:
        activities = one.get("context", {}).get("contextActivities", {})
        for kind, value in activities.items():
            activities[kind] = value if isinstance(value, list) else [value]
    assert {k: v for k, v in kept.items() if k not in OF_THE_LRS} == {
        k: v for k, v in sent.items() if k not in OF_THE_LRS
    }
    assert kept["authority"] == {
        "objectType": "Agent",
        "account": {"homePage": "https://roundtrip.invalid", "name": "p1"},
    }
    assert "Last-Modified" in answer.headers


async def test_filters_find_what_matches(reading: Reading) -> None:
    registration = str(uuid.uuid4())
    async with reading.door.open() as client:

        async def post(**changes: Any) -> str:
            [statement_id] = (await client.post("/xapi/statements", json=statement(**changes))).json()
            return str(statement_id)

        ada = {"mbox": "mailto:ada@school.example"}
        by_ada = await post(actor={**ada, "name": "Ada"})
        in_group = await post(actor={"objectType": "Group", "member": [ada, {"mbox": "mailto:b@school.example"}]})
        about_ada = await post(object={"objectType": "Agent", **ada})
        viewed = await post(verb={"id": "https://verbs.example/viewed"})
        other = await post(object={"id": "https://items.example/other"})
        registered = await post(context={"registration": registration})
        await asyncio.to_thread(reading.work)
        everything = [registered, other, viewed, about_ada, in_group, by_ada]
        assert await found(client) == everything
        assert await found(client, ascending="true") == everything[::-1]
        assert await found(client, agent=json.dumps(ada)) == [about_ada, in_group, by_ada]
        assert await found(client, agent='{"mbox":"mailto:nobody@school.example"}') == []
        assert await found(client, verb="https://verbs.example/viewed") == [viewed]
        assert await found(client, activity="https://items.example/other") == [other]
        assert await found(client, registration=registration.upper()) == [registered]
        stored = (await get(client, statementId=viewed)).json()["stored"]
        assert await found(client, since=stored) == everything[:2]
        assert await found(client, until=stored) == everything[2:]


async def test_pages_follow_each_other_without_a_gap(reading: Reading) -> None:
    async with reading.door.open() as client:
        ids = (await client.post("/xapi/statements", json=[statement(n) for n in range(7)])).json()
        await asyncio.to_thread(reading.work)
        seen: list[str] = []
        answer = await get(client, limit=3, verb=statement()["verb"]["id"])
        sizes = []
        while True:
            page = answer.json()
            seen += [one["id"] for one in page["statements"]]
            sizes.append(len(page["statements"]))
            if not page["more"]:
                break
            assert page["more"].startswith("/xapi/statements?")
            answer = await client.get(page["more"])
    assert sizes == [3, 3, 1]
    assert sorted(seen) == sorted(ids)


async def test_a_voided_statement_is_found_only_as_voided(reading: Reading) -> None:
    async with reading.door.open() as client:
        [target] = (await client.post("/xapi/statements", json=statement())).json()
        voiding = json.loads((GOLDEN / "voiding.json").read_text())
        voiding["object"]["id"] = target.upper()
        [void] = (await client.post("/xapi/statements", json=voiding)).json()
        await asyncio.to_thread(reading.work)
        assert (await get(client, statementId=target)).status_code == 404
        assert (await get(client, voidedStatementId=target)).json()["id"] == target
        assert (await get(client, voidedStatementId=void)).status_code == 404
        assert (await get(client, statementId=void)).status_code == 200
        assert await found(client) == [void]


async def test_an_unknown_id_is_a_404_in_words(reading: Reading) -> None:
    async with reading.door.open() as client:
        answer = await get(client, statementId=str(uuid.uuid4()))
        assert answer.status_code == 404
        assert answer.json()["faults"][0]["rule"] == "statement.not_found"
        assert "X-Experience-API-Consistent-Through" in answer.headers


async def test_an_author_waits_for_its_own_writes(reading: Reading) -> None:
    async with reading.door.open() as client:
        [statement_id] = (await client.post("/xapi/statements", json=statement())).json()
        answer, _ = await asyncio.gather(get(client, statementId=statement_id), asyncio.to_thread(reading.work))
        if answer.status_code == 404:  # the stand-in took longer than the second that a read waits
            answer = await get(client, statementId=statement_id)
        assert answer.status_code == 200


async def test_consistent_through_moves_on_when_idle_and_stays_before_now(reading: Reading) -> None:
    header = "X-Experience-API-Consistent-Through"
    async with reading.door.open() as client:
        assert (await get(client)).headers[header] == "1970-01-01T00:00:00.000000Z"
        deadline = time.monotonic() + 30
        while True:
            await asyncio.to_thread(reading.work)
            told = (await get(client)).headers[header]
            if told > "2020":
                break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        now = time.time_ns() // 1000
        margin = reading.door.settings.ingest.publish_timeout_seconds * 1e6
        assert microseconds(told) <= now - margin


async def test_a_store_that_is_away_is_a_503_for_reads_alone(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings)
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement())).status_code == 200
        answer = await get(client)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    door.engine.dispose()


async def test_an_erased_agent_reads_as_one_that_tells_nothing(reading: Reading) -> None:
    async with reading.door.open() as client:
        [statement_id] = (await client.post("/xapi/statements", json=statement())).json()
        await asyncio.to_thread(reading.work)
        with reading.door.engine.begin() as connection:
            connection.execute(delete(agents).where(agents.c.json.contains("student1@")))
        actor = (await get(client, statementId=statement_id)).json()["actor"]
    assert set(actor) == {"objectType", "account"}
    assert "student" not in json.dumps(actor)


async def test_a_provider_reads_what_it_wrote_and_nothing_of_another(reading: Reading) -> None:
    async with reading.door.open() as own, reading.door.open("key-p2") as other:
        [mine] = (await own.post("/xapi/statements", json=statement())).json()
        [theirs] = (await other.post("/xapi/statements", json=statement())).json()
        await asyncio.to_thread(reading.work)
        assert await found(own) == [mine]
        assert await found(other) == [theirs]
        assert (await get(own, statementId=mine)).status_code == 200
        assert (await get(other, statementId=mine)).status_code == 404
