"""An id stands for one content: told before the log, by all processes, also of what was stored long ago."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings, KafkaSettings
from ingest.duplicates.stored import StoredIds
from ingest.duplicates.taking import code
from ingest.store import Store
from schemas.events import CREDIT
from tests.fixtures.door import Door, make_door

pytestmark = pytest.mark.kafka

_databases = itertools.count(1)


def statement(one: str, content: str = "a", student: int = 1) -> dict[str, Any]:
    return {
        "id": one,
        "actor": {"mbox": f"mailto:student{student}@school.example"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": "https://items.example/1"},
        "result": {"response": content},
        "timestamp": "2026-01-05T10:00:00Z",
    }


def new_id() -> str:
    return str(uuid.uuid4())


def maybe(ids: StoredIds, *asked: str) -> list[str]:
    return ids.maybe([*asked, None], [*map(code, asked), None])


def contents(door: Door) -> dict[str, list[int]]:
    """Digests of each id in the log."""
    found: dict[str, list[int]] = {}
    for item in door.items():
        found.setdefault(item.statement_id, []).append(item.digest)
    return found


async def test_another_content_under_a_known_id_is_refused_and_says_so_by_item(door: Door) -> None:
    ids = [new_id() for _ in range(3)]
    async with door.open() as client, door.open("key-p2") as stranger:
        assert (await client.post("/xapi/statements", json=[statement(one) for one in ids[:2]])).status_code == 200
        batch = [statement(ids[2]), statement(ids[0]), statement(ids[1], "b")]
        for who in (client, stranger):
            answer = await who.post("/xapi/statements", json=batch)
            assert answer.status_code == 409
            assert "retry-after" not in answer.headers
            [fault] = answer.json()["faults"]
            assert (fault["rule"], fault["path"]) == ("statement.conflict", "$[2].id")
            assert "p1" not in answer.text
        single = await client.post("/xapi/statements", json=statement(ids[1], "b"))
        assert (single.status_code, single.json()["faults"][0]["path"]) == (409, "$.id")
        # Nothing of a refused batch was taken: what was new in it may be sent with another content.
        assert (await client.post("/xapi/statements", json=statement(ids[2], "c"))).status_code == 200
    assert {one: len(digests) for one, digests in contents(door).items()} == dict.fromkeys(ids, 1)


async def test_put_is_answered_like_post(door: Door) -> None:
    one = new_id()
    address = f"/xapi/statements?statementId={one}"
    own = {name: value for name, value in statement(one).items() if name != "id"}
    async with door.open() as client:
        assert (await client.put(address, json=own)).status_code == 204
        assert (await client.put(address, json={**own, "timestamp": "2026-01-06T10:00:00Z"})).status_code == 204
        assert (await client.put(address, json={**own, "result": {"response": "b"}})).status_code == 409
        assert (await client.post("/xapi/statements", json=statement(one.upper()))).status_code == 200
        assert (await client.post("/xapi/statements", json=statement(one, "b"))).status_code == 409


async def test_what_was_taken_is_known_after_a_restart(door: Door) -> None:
    one = new_id()
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement(one))).status_code == 200
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement(one, "b"))).status_code == 409
        assert (await client.post("/xapi/statements", json=statement(one))).status_code == 200


async def test_of_contents_that_are_sent_at_once_to_two_processes_one_wins(door: Door) -> None:
    await _contest(door)


@pytest.mark.postgres
async def test_of_contents_that_are_sent_at_once_one_wins_in_postgresql(
    tmp_path: Path, kafka_settings: KafkaSettings, postgres_url: str
) -> None:
    door = make_door(tmp_path, kafka_settings, registry_url=postgres_url)
    try:
        await _contest(door)
    finally:
        door.engine.dispose()


async def _contest(door: Door) -> None:
    """Batches for the same ids, in any order, each content its own, to both processes at once."""
    rng = random.Random(7)
    won: dict[str, str] = {}
    async with door.open() as one, door.open() as other:
        for _ in range(15):
            ids = [new_id() for _ in range(rng.choice((1, 2, 10)))]
            tries = [(who, content) for content in "abcd" for who in (one, other)]
            rng.shuffle(tries)

            async def post(who: httpx.AsyncClient, content: str, ids: list[str] = ids) -> tuple[str, int]:
                batch = [statement(one, content, rng.randrange(20)) for one in ids]
                answer = await who.post("/xapi/statements", json=rng.sample(batch, len(batch)))
                return content, answer.status_code

            answers = await asyncio.gather(*(post(who, content) for who, content in tries))
            assert {status for _, status in answers} <= {200, 409}
            winners = {content for content, status in answers if status == 200}
            assert len(winners) == 1, answers
            won |= dict.fromkeys(ids, winners.pop())
    found = {item.statement_id: item for item in door.items()}
    assert found.keys() == won.keys()
    assert all(f'"response":"{won[one]}"'.encode() in item.statement for one, item in found.items())
    assert all(len(set(digests)) == 1 for digests in contents(door).values())


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about in a minute")


@asynccontextmanager
async def _kept(front: Front, most: int = 1000) -> AsyncIterator[tuple[StoredIds, Callable[..., None], list[int]]]:
    """What the store's own ids say, a way to store some, and the moment up to which all can be read."""
    settings = ClickHouseSettings(host="127.0.0.1", port=front.port, database=f"conflicts_{next(_databases)}")
    clickhouse.migrate(settings)
    readable = [0]
    store = Store(settings, threads=2)
    ids = StoredIds(store, lambda: readable[0], most)
    running = asyncio.create_task(ids.run())
    with clickhouse.open_clickhouse(settings) as client:

        def add(one: str, digest: int, stored: int, student: int = 1) -> None:
            columns = ["student_id", "timestamp", "statement_id", "stored", "digest"]
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=stored)
            row = [uuid.UUID(int=student), at, uuid.UUID(one), at, digest]
            client.insert("statements", [row], column_names=columns)

        try:
            yield ids, add, readable
        finally:
            running.cancel()
            await asyncio.wait([running])
            store.close()


@pytest.mark.clickhouse
async def test_what_is_stored_is_found_by_one_look_up_and_what_is_new_needs_none(
    clickhouse_front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.duplicates.stored._FOLLOW_SECONDS", 0.05)
    one, late, unknown = new_id(), new_id(), new_id()
    moment = 1_790_000_000_000_000
    async with _kept(clickhouse_front) as (ids, add, readable):
        add(one, -5, moment)
        add(one, 7, moment + 1, student=2)
        assert set(maybe(ids, one, unknown)) <= {one, unknown}, "nothing is known yet: all may be stored"
        assert await ids.digests([one, unknown]) == {one: -5}, "of two copies the first one counts"
        await _until(lambda: ids.full and not maybe(ids, unknown))
        readable[0] = moment + 10
        add(late, 9, moment + 20)
        readable[0] = moment + 30
        await _until(lambda: maybe(ids, one, late, unknown) == [one, late])
        first, second = await asyncio.gather(ids.digests([one]), ids.digests([late, unknown]))
        assert (first[one], second[late], unknown in second) == (-5, 9, False)


async def test_a_store_that_is_away_holds_nobody_up(door: Door) -> None:
    async with door.open() as client:
        for _ in range(3):
            assert (await client.post("/xapi/statements", json=statement(new_id()))).status_code == 200


async def test_context_agents_and_groups_are_credited_by_how_they_took_part(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    learner = "https://types.example/learner"
    door = make_door(tmp_path, kafka_settings, credited_types=[learner])

    def agent(number: int) -> dict[str, Any]:
        return {"mbox": f"mailto:student{number}@school.example"}

    def party(number: int, *types: str) -> dict[str, Any]:
        found: dict[str, Any] = {"objectType": "contextAgent", "agent": agent(number)}
        return {**found, "relevantTypes": list(types)} if types else found

    group = {"objectType": "Group", "member": [agent(5), agent(6), agent(1)]}
    sent = statement(new_id())
    sent["context"] = {
        "instructor": agent(7),
        "contextAgents": [party(2), party(3, "https://types.example/parent"), party(4, "urn:x:y", learner)],
        "contextGroups": [{"objectType": "contextGroup", "group": group}],
    }
    try:
        async with door.open() as client:
            headers = {"X-Experience-API-Version": "2.0.0"}
            answer = await client.post("/xapi/statements", json=sent, headers=headers)
            assert answer.status_code == 200, answer.text
            for number in range(1, 8):
                alone = await client.post("/xapi/statements", json=statement(new_id(), student=number))
                assert alone.status_code == 200
        items = door.items()
    finally:
        door.engine.dispose()
    credited = [item for item in items if item.statement_id == sent["id"]]
    assert sorted(item.flags & CREDIT for item in credited) == [0, CREDIT, CREDIT, CREDIT, CREDIT]
    students = {item.student_id for item in items}
    assert len(students) == 7
    assert len({item.student_id for item in credited}) == 5
