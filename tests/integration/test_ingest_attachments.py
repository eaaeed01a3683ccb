"""Attachments over HTTP: kept before the statement, given back to the byte, refused in words; signed statements."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from infra.runtime import quarantine
from infra.runtime.providers import set_mode
from infra.runtime.settings import KafkaSettings
from ingest.attachments.received import Limits, Mixed, Room, receive
from tests.fixtures.door import Door, make_door
from tests.fixtures.multipart import HEADERS, attachment, body, first, part, sha
from tests.fixtures.object_store import object_store
from tests.integration.test_ingest_reads import Reading
from tests.integration.test_ingest_reads import reading as reading  # a fixture
from tests.integration.test_ingest_statements import statement

pytestmark = pytest.mark.kafka

SKETCH = b"\x89PNG\r\n--abc\r\n\x00" * 5000
NOTE = "Ich war's, größer als ½".encode()
SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"


async def post(client: httpx.AsyncClient, *parts: bytes, **options: Any) -> httpx.Response:
    return await client.post("/xapi/statements", content=body(*parts), headers=HEADERS, **options)


def kept(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (directory / "attachments").rglob("*") if one.is_file()}


def faults(answer: httpx.Response) -> list[tuple[int, str, str]]:
    return [(answer.status_code, one["rule"], one["path"]) for one in answer.json()["faults"]]


@pytest.mark.clickhouse
async def test_what_was_attached_comes_back_to_the_byte(reading: Reading) -> None:
    inside = {
        "objectType": "SubStatement",
        **statement(2),
        "attachments": [attachment(NOTE), attachment(b"elsewhere", fileUrl="https://files.example/1")],
    }
    batch = [
        statement(attachments=[attachment(SKETCH, contentType="image/png")]),
        statement(object=inside),
        # The same bytes for another statement need no other part.
        statement(3, attachments=[attachment(NOTE, contentType="text/plain; charset=utf-8")]),
    ]
    async with reading.door.open() as client:
        answer = await post(client, first(batch), part(SKETCH), part(NOTE))
        assert answer.status_code == 200, answer.text
        ids = answer.json()
        await asyncio.to_thread(reading.work)
        everything = await client.get("/xapi/statements", params={"attachments": "true"})
        one = await client.get("/xapi/statements", params={"attachments": "true", "statementId": ids[0]})
        plain = await client.get("/xapi/statements", params={"statementId": ids[0]})
    found = await parts_of(everything)
    assert {each["id"] for each in json.loads(found.statements)["statements"]} == set(ids)
    assert found.parts == {sha(SKETCH): SKETCH, sha(NOTE): NOTE}
    found = await parts_of(one)
    assert json.loads(found.statements) == plain.json()
    assert found.parts == {sha(SKETCH): SKETCH}
    assert plain.headers["Content-Type"] == "application/json"


@pytest.mark.clickhouse
async def test_a_page_ends_before_its_attachments_grow_too_large(
    tmp_path: Path, kafka_settings: KafkaSettings, reading: Reading
) -> None:
    clickhouse = reading.door.settings.clickhouse
    directory = tmp_path / "small"
    directory.mkdir()
    door = make_door(directory, kafka_settings, clickhouse=clickhouse, max_multipart_bytes=3000)
    small = Reading(door)
    notes = [bytes([number]) * 1400 for number in range(5)]
    pages: list[Mixed] = []
    async with door.open() as client:
        for note in notes:
            assert (await post(client, first(statement(attachments=[attachment(note)])), part(note))).status_code == 200
        await asyncio.to_thread(small.work)
        more = "/xapi/statements?attachments=true&ascending=true"
        while more:
            pages.append(await parts_of(await client.get(more)))
            more = json.loads(pages[-1].statements)["more"]
    assert [[*page.parts.values()] for page in pages] == [notes[:2], notes[2:4], notes[4:]]
    assert [len(json.loads(page.statements)["statements"]) for page in pages] == [2, 2, 1]
    door.engine.dispose()


async def parts_of(answer: httpx.Response) -> Mixed:
    async def pieces() -> Any:
        yield answer.content

    assert answer.status_code == 200, answer.text
    with Room(10_000_000).taken() as share:
        return await receive(pieces(), answer.headers["Content-Type"], Limits(10**6, 10**6, 10), share)


async def test_the_bytes_are_kept_once_when_the_statement_is_answered(door: Door) -> None:
    sent = statement(id=str(uuid.uuid4()), attachments=[attachment(SKETCH)])
    async with door.open() as client:
        answer = await client.put(
            "/xapi/statements",
            params={"statementId": sent["id"]},
            content=body(first(sent), part(SKETCH)),
            headers=HEADERS,
        )
        assert (answer.status_code, answer.content) == (204, b"")
        other = statement(2, attachments=[attachment(SKETCH)])
        assert (await post(client, first(other), part(SKETCH))).status_code == 200
        assert kept(door.settings.data_dir) == {sha(SKETCH): SKETCH}
        assert len(door.items()) == 2


async def test_a_body_in_parts_needs_no_attachment(door: Door) -> None:
    elsewhere = statement(attachments=[attachment(NOTE, fileUrl="https://files.example/1")])
    async with door.open() as client:
        assert (await post(client, first(statement()))).status_code == 200
        assert (await post(client, first([statement(1), elsewhere]))).status_code == 200
        assert (await client.post("/xapi/statements", json=elsewhere)).status_code == 200
        assert len(door.items()) == 4
        assert kept(door.settings.data_dir) == {}


async def test_what_is_missing_or_too_much_is_told_with_its_place(door: Door) -> None:
    lacking = statement(attachments=[attachment(NOTE)])
    nested = statement(object={"objectType": "SubStatement", **lacking})
    async with door.open() as client:
        assert faults(await client.post("/xapi/statements", json=[statement(), lacking])) == [
            (400, "attachment.no_data", "$[1].attachments[0]")
        ]
        assert faults(await post(client, first(nested))) == [(400, "attachment.no_data", "$.object.attachments[0]")]
        assert faults(await post(client, first(lacking), part(NOTE), part(b"more"))) == [
            (400, "attachment.surplus", "")
        ]
        assert faults(await post(client, first(lacking), part(NOTE, X_Experience_API_Hash=sha(b"other")))) == [
            (400, "multipart.hash", "")
        ]
        wrong = [statement(), statement(verb={"id": "x"}), lacking]
        answer = await post(client, first(wrong))
        assert faults(answer) == [(400, "iri", "$[1].verb.id"), (400, "attachment.no_data", "$[2].attachments[0]")]
        assert (answer.json()["statements"], answer.json()["faulty"]) == (3, [1, 2])
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await client.post("/xapi/statements", json=statement(), headers=form)
        assert faults(answer) == [(400, "multipart.type", "")]
        assert door.records() == []
    assert kept(door.settings.data_dir) == {}


async def test_types_and_sizes_are_limited_by_setting(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    limits: dict[str, Any] = {"max_attachment_bytes": 2000, "max_multipart_bytes": 6000, "max_attachments": 2}
    door = make_door(tmp_path, kafka_settings, **limits, attachment_types=["text/*", "image/png"])
    async with door.open() as client:
        for kind, status in (("text/csv; header=present", 200), ("IMAGE/png", 200), ("text/html", 200)):
            sent = statement(attachments=[attachment(NOTE, contentType=kind)])
            assert (await post(client, first(sent), part(NOTE))).status_code == status
        sent = statement(attachments=[attachment(NOTE, contentType="application/x-msdownload")])
        assert faults(await post(client, first(sent), part(NOTE))) == [
            (415, "attachment.not_taken", "$.attachments[0].contentType")
        ]
        large = b"x" * 2001
        sent = statement(attachments=[attachment(large)])
        assert faults(await post(client, first(sent), part(large))) == [(413, "limit.attachment", "")]
        several = [bytes([number]) for number in range(3)]
        sent = statement(attachments=[attachment(one) for one in several])
        assert faults(await post(client, first(sent), *map(part, several))) == [(413, "limit.attachments", "")]
        answer = await post(client, first(statement()), part(b"x" * 1999), part(b"y" * 1999), part(b"z" * 1999))
        assert faults(answer) == [(413, "limit.body", "")]
        assert answer.headers["Connection"] == "close"
    door.engine.dispose()


async def test_a_signed_statement_is_accepted_and_a_tampered_one_is_not(door: Door) -> None:
    key = RSAKey.generate_key(2048)
    honest = statement(id=str(uuid.uuid4()), result={"score": {"scaled": 0.3}, "duration": "PT1.239S"})
    proof = jws.serialize_compact({"alg": "RS256"}, json.dumps(honest).encode(), key, ["RS256"]).encode()
    own = attachment(proof, usageType=SIGNATURE, contentType="application/octet-stream")
    tampered = {**honest, "result": {"score": {"scaled": 0.9}, "duration": "PT1.239S"}}
    shorter = {**honest, "result": {"score": {"scaled": 0.3}, "duration": "PT1.23S"}}
    async with door.open() as client:
        answer = await post(client, first([statement(), {**tampered, "attachments": [own]}]), part(proof))
        assert faults(answer) == [(400, "signature.differs", "$[1].attachments[0]")]
        assert "result" in answer.json()["error"]
        assert door.records() == []
        elsewhere = {**own, "fileUrl": "https://files.example/proof"}
        answer = await client.post("/xapi/statements", json={**honest, "attachments": [elsewhere]})
        assert faults(answer) == [(400, "attachment.no_data", "$.attachments[0]")]
        answer = await post(client, first({**shorter, "attachments": [own]}), part(proof))
        assert (answer.status_code, answer.json()) == (200, [honest["id"]])
    assert kept(door.settings.data_dir) == {sha(proof): proof}


async def test_attachments_are_kept_in_an_object_store_by_setting(
    tmp_path: Path, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store() as bucket:
        monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        door = make_door(tmp_path, kafka_settings, attachments_url="s3://records/district-7")
        sent = first(statement(attachments=[attachment(SKETCH)]))
        async with door.open() as client:
            bucket.down = True
            refused = await post(client, sent, part(SKETCH))
            assert refused.status_code == 503
            assert "Retry-After" in refused.headers
            assert door.records() == []
            bucket.down = False
            assert (await post(client, sent, part(SKETCH))).status_code == 200
            assert len(door.items()) == 1
        digest = sha(SKETCH)
        assert bucket.objects == {f"/records/district-7/{digest[:2]}/{digest}": SKETCH}
        door.engine.dispose()


async def test_a_batch_that_names_an_id_twice_is_refused_with_both_places(door: Door) -> None:
    same = str(uuid.uuid4())
    async with door.open() as client:
        answer = await client.post("/xapi/statements", json=[statement(1, id=same), statement(2, id=same.upper())])
        assert faults(answer) == [(400, "batch.same_id", "$[1].id")]
        assert "statement 0" in answer.json()["error"]
        assert door.records() == []


async def test_what_is_replayed_from_quarantine_has_its_attachments_or_waits(door: Door) -> None:
    came = statement(1, attachments=[attachment(NOTE)])
    wrong = {**came, "object": {"id": "no-iri"}}
    lacking = statement(2, attachments=[attachment(b"never sent")])
    with door.engine.begin() as connection:
        set_mode(connection, "p1", "quarantine")
    async with door.open() as client:
        [with_bytes] = (await post(client, first(wrong), part(NOTE))).json()
        [without] = (await client.post("/xapi/statements", json=lacking)).json()
        assert door.records() == []
        with door.engine.begin() as connection:
            # A rule that changes something else makes no attachment of nothing.
            quarantine.add_rule(connection, "p1", "$.verb.display", "set", None, "{}", "Kim", 5)
            for item, repaired in ((with_bytes, came), (without, lacking)):
                quarantine.repair_item(connection, item, json.dumps(repaired), "Kim", "as it was meant")
        for _ in range(600):
            with door.engine.connect() as connection:
                replayed, waiting = (quarantine.items(connection, "p1", status) for status in ("replayed", "waiting"))
            if replayed and [one.repaired for one in waiting] == [None]:
                break
            await asyncio.sleep(0.1)
        answer = await client.post("/xapi/statements", json=lacking)
        assert answer.headers.get("X-Roundtrip-Quarantined") == "1" or answer.status_code == 400
        assert [item.statement_id for item in door.items()] == [with_bytes]
    [still] = [one for one in waiting if one.item_id == without]
    assert "neither in the request nor at a fileUrl" in (still.reason or "")
    assert [fault["rule"] for fault in still.faults] == ["attachment.no_data"]
