"""GET with everything that it may be asked with: related ones, references, formats, versions, scopes, cursors."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from schemas.registry.tables import provider_credentials
from tests.integration.test_ingest_reads import Reading, found, get, reading
from tests.integration.test_ingest_statements import statement

__all__ = ["reading"]

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

ADA = {"objectType": "Agent", "name": "Ada", "mbox": "mailto:ada@school.example"}
COURSE = "https://items.example/course"
VERB = "https://verbs.example/looked-at"


async def post(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post("/xapi/statements", json=statement(**changes))
    assert answer.status_code == 200, answer.text
    [statement_id] = answer.json()
    return str(statement_id)


def reference(target: str) -> dict[str, Any]:
    return {"objectType": "StatementRef", "id": target}


async def test_related_agents_and_activities_are_found_wherever_they_stand(reading: Reading) -> None:
    parent = {"contextActivities": {"parent": [{"id": COURSE}]}}
    inner = {**statement(), "objectType": "SubStatement", "actor": ADA, "object": {"id": COURSE}}
    for name in ("id", "timestamp"):
        inner.pop(name, None)
    async with reading.door.open() as client:
        about = await post(client, object={"id": COURSE})
        within = await post(client, context=parent)
        below = await post(client, object=inner)
        taught = await post(client, context={"instructor": {"mbox": ADA["mbox"]}})
        team = await post(client, context={"team": {"objectType": "Group", "member": [ADA]}})
        mentioned = await post(client, object={"id": "https://items.example/x", "definition": {"name": {"en": COURSE}}})
        await asyncio.to_thread(reading.work)
        assert await found(client, activity=COURSE) == [about]
        assert await found(client, activity=COURSE, related_activities="true") == [below, within, about]
        ada = json.dumps({"mbox": ADA["mbox"]})
        assert await found(client, agent=ada) == []
        assert await found(client, agent=ada, related_agents="true") == [team, taught, below]
        assert mentioned not in await found(client, activity=COURSE, related_activities="true")


async def test_what_refers_to_a_match_matches_however_far(reading: Reading) -> None:
    async with reading.door.open() as client:
        target = await post(client, verb={"id": VERB})
        first = await post(client, object=reference(target))
        second = await post(client, object=reference(first.upper()))
        await post(client, object=reference(str(uuid.uuid4())))
        await asyncio.to_thread(reading.work)
        assert await found(client, verb=VERB) == [second, first, target]
        assert await found(client, verb=VERB, limit="1") == [second]
        stored = (await get(client, statementId=first)).json()["stored"]
        assert await found(client, verb=VERB, since=stored) == [second]
        assert await found(client, verb=VERB, until=stored) == [first, target]


async def test_two_that_refer_to_each_other_end(reading: Reading) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    async with reading.door.open() as client:
        await post(client, id=one, object=reference(other))
        await post(client, id=other, object=reference(one))
        await asyncio.to_thread(reading.work)
        assert await found(client, activity=COURSE) == []
        assert set(await found(client, verb=statement()["verb"]["id"])) == {one, other}


async def test_what_refers_to_a_voided_statement_is_still_found_by_it(reading: Reading) -> None:
    voided = {"id": "http://adlnet.gov/expapi/verbs/voided"}
    async with reading.door.open() as client:
        target = await post(client, verb={"id": VERB})
        referring = await post(client, object=reference(target))
        voiding = await post(client, verb=voided, object=reference(target))
        again = await post(client, verb=voided, object=reference(voiding))
        await asyncio.to_thread(reading.work)
        assert await found(client, verb=VERB) == [again, voiding, referring]
        assert (await get(client, statementId=voiding)).status_code == 200
        assert (await get(client, voidedStatementId=voiding)).status_code == 404


async def test_nobody_voids_what_another_provider_sent(reading: Reading) -> None:
    voided = {"id": "http://adlnet.gov/expapi/verbs/voided"}
    async with reading.door.open() as own, reading.door.open("key-p2") as other:
        target = await post(own)
        await post(other, verb=voided, object=reference(target))
        await asyncio.to_thread(reading.work)
        assert await found(own) == [target]
        assert (await get(own, statementId=target)).status_code == 200


async def test_formats_and_languages(reading: Reading) -> None:
    verb = {"id": VERB, "display": {"en": "looked at", "fr": "a regardé"}}
    async with reading.door.open() as client:
        one = await post(client, actor=ADA, verb=verb)
        await asyncio.to_thread(reading.work)
        ids = (await get(client, statementId=one, format="ids")).json()
        assert ids["actor"] == {"objectType": "Agent", "mbox": ADA["mbox"]}
        assert ids["verb"] == {"id": VERB}
        client.headers["Accept-Language"] = "fr"
        [canonical] = (await get(client, format="canonical")).json()["statements"]
        assert canonical["verb"]["display"] == {"fr": "a regardé"}
        [exact] = (await get(client)).json()["statements"]
        assert exact["verb"] == verb


async def test_each_version_reads_what_the_other_wrote_as_its_own(reading: Reading) -> None:
    context = {"contextAgents": [{"objectType": "contextAgent", "agent": ADA}]}
    async with reading.door.open() as client:
        old = await post(client, timestamp="2026-03-02T09:30:00+02:00")
        client.headers["X-Experience-API-Version"] = "2.0.0"
        new = await post(client, context=context)
        await asyncio.to_thread(reading.work)
        kept = (await get(client, statementId=new)).json()
        assert (kept["version"], kept["context"]) == ("2.0.0", context)
        converted = (await get(client, statementId=old)).json()
        assert (converted["version"], converted["timestamp"]) == ("2.0.0", "2026-03-02T07:30:00.000000Z")
        client.headers["X-Experience-API-Version"] = "1.0.3"
        [newer, older] = (await get(client)).json()["statements"]
        assert (newer["version"], "context" in newer) == ("1.0.0", False)
        assert older["timestamp"] == "2026-03-02T09:30:00+02:00"


async def test_attachments_come_with_the_statements_that_have_them(reading: Reading) -> None:
    data = b"here is an attachment"
    sha2 = hashlib.sha256(data).hexdigest()
    attachment = {
        "usageType": "https://usage.example/text",
        "display": {"en": "text"},
        "contentType": "text/plain",
        "length": len(data),
        "sha2": sha2,
    }
    one = statement(attachments=[attachment])
    body = (
        b"--b\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps(one).encode()
        + b"\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\nX-Experience-API-Hash: "
        + sha2.encode()
        + b"\r\n\r\n"
        + data
        + b"\r\n--b--\r\n"
    )
    async with reading.door.open() as client:
        headers = {"Content-Type": "multipart/mixed; boundary=b"}
        answer = await client.post("/xapi/statements", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        [statement_id] = answer.json()
        await asyncio.to_thread(reading.work)
        for query in {"statementId": statement_id}, {"limit": "5"}:
            answer = await get(client, attachments="true", **query)
            assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=")
            assert data in answer.content
            assert sha2 in answer.text
            plain = await get(client, **query)
            assert plain.headers["Content-Type"] == "application/json"
            assert data not in plain.content


async def test_a_wider_scope_reads_what_all_wrote(reading: Reading) -> None:
    with reading.door.engine.begin() as connection:
        connection.execute(
            update(provider_credentials)
            .where(provider_credentials.c.key == "key-p2")
            .values(scopes="statements/write all/read")
        )
    async with reading.door.open() as own, reading.door.open("key-p2") as wide:
        mine, theirs = await post(own), await post(wide)
        await asyncio.to_thread(reading.work)
        assert await found(own) == [mine]
        assert await found(wide) == [theirs, mine]
        assert (await get(wide, statementId=mine)).status_code == 200


async def test_an_activity_is_told_with_all_that_is_known_of_it(reading: Reading) -> None:
    async with reading.door.open() as client:
        for tag, text in (("en", "Course"), ("fr", "Cours")):
            await post(client, object={"id": COURSE, "definition": {"name": {tag: text}}})
        await asyncio.to_thread(reading.work)
        answer = await client.get("/xapi/activities", params={"activityId": COURSE})
        assert answer.json() == {
            "objectType": "Activity",
            "id": COURSE,
            "definition": {"name": {"en": "Course", "fr": "Cours"}},
        }
        unknown = await client.get("/xapi/activities", params={"activityId": "https://items.example/unknown"})
        assert unknown.json() == {"objectType": "Activity", "id": "https://items.example/unknown"}
        assert (await client.get("/xapi/activities")).status_code == 400
        assert (await client.head("/xapi/activities", params={"activityId": COURSE})).status_code == 200


async def test_a_person_is_what_one_identifier_was_sent_with(reading: Reading) -> None:
    async with reading.door.open() as client:
        await post(client, actor=ADA)
        await post(client, actor={**ADA, "name": "Ada L."})
        asked = {"agent": json.dumps({"mbox": ADA["mbox"]})}
        answer = await client.get("/xapi/agents", params=asked)
        assert answer.json() == {"objectType": "Person", "name": ["Ada", "Ada L."], "mbox": [ADA["mbox"]]}
        assert (await client.get("/xapi/agents")).status_code == 400
        group = json.dumps({"objectType": "Group", "mbox": ADA["mbox"]})
        assert (await client.get("/xapi/agents", params={"agent": group})).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"format": "all"},
        {"limit": "-1"},
        {"ascending": "yes"},
        {"agent": "{}"},
        {"since": "yesterday"},
        {"statementId": "x"},
        {"statementId": str(uuid.uuid4()), "limit": "1"},
        {"cursor": "x"},
        {"Verb": VERB},
    ],
)
async def test_what_is_no_parameter_or_no_value_of_one_is_refused(reading: Reading, query: dict[str, str]) -> None:
    async with reading.door.open() as client:
        answer = await get(client, **query)
        assert answer.status_code == 400, answer.text
        assert "X-Experience-API-Consistent-Through" in answer.headers
