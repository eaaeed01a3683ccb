"""Documents over HTTP: kept with their type, apart by owner, under conditions; asking makes nobody a student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from ingest.credentials import issue_credential
from schemas.registry.lrs import documents
from schemas.registry.tables import identities, provider_credentials, students
from tests.fixtures.door import Door

pytestmark = pytest.mark.kafka

STATE = "/xapi/activities/state"
ACTIVITY = "https://items.example.org/unit/3"
TWO = {"X-Experience-API-Version": "2.0.0"}


def params(name: str = "progress", who: str = "s-1", **more: str) -> dict[str, str]:
    agent = json.dumps({"account": {"homePage": "https://school.example.org", "name": who}})
    return {"activityId": ACTIVITY, "agent": agent, "stateId": name, **more}


def count(door: Door, table: Any) -> int:
    with door.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.open() as opened:
        yield opened


async def test_a_document_comes_back_byte_for_byte_with_its_type_tag_and_time(client: httpx.AsyncClient) -> None:
    content = b"\x00\xff<script>"
    kind = {"Content-Type": "text/html; charset=latin-1"}
    assert (await client.put(STATE, params=params(), content=content, headers=kind)).status_code == 204
    read = await client.get(STATE, params=params())
    assert read.status_code == 200
    assert read.content == content
    assert read.headers["content-type"] == kind["Content-Type"]
    assert read.headers["etag"] == f'"{hashlib.sha1(content).hexdigest()}"'
    assert read.headers["last-modified"].endswith("GMT")
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-security-policy"] == "sandbox"
    head = await client.head(STATE, params=params())
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == read.headers["etag"]
    unchanged = await client.get(STATE, params=params(), headers={"If-None-Match": read.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_who_saw_an_older_document_does_not_replace_the_newer_one(client: httpx.AsyncClient) -> None:
    await client.put(STATE, params=params(), content=b"one")
    seen = (await client.get(STATE, params=params())).headers["etag"]
    assert (await client.put(STATE, params=params(), content=b"two", headers={"If-Match": seen})).status_code == 204
    late = await client.put(STATE, params=params(), content=b"three", headers={"If-Match": seen})
    assert late.status_code == 412
    assert late.json()["faults"][0]["rule"] == "document.precondition"
    assert (await client.delete(STATE, params=params(), headers={"If-Match": seen})).status_code == 412
    assert (await client.get(STATE, params=params())).content == b"two"


async def test_state_is_overwritten_in_1_0_3_and_a_conflict_in_2_0(client: httpx.AsyncClient) -> None:
    for content in (b"one", b"two"):
        assert (await client.put(STATE, params=params(), content=content)).status_code == 204
    refused = await client.put(STATE, params=params(), content=b"three", headers=TWO)
    assert refused.status_code == 409
    assert refused.json()["faults"][0]["fix"]
    assert (await client.put(STATE, params=params("new"), content=b"x", headers=TWO)).status_code == 204


@pytest.mark.parametrize(("path", "owner"), [("agents/profile", "agent"), ("activities/profile", "activityId")])
async def test_a_profile_is_put_only_by_who_says_what_it_replaces(
    client: httpx.AsyncClient, path: str, owner: str
) -> None:
    given = {owner: params()[owner], "profileId": "p"}
    new = {"If-None-Match": "*"}
    assert (await client.put(f"/xapi/{path}", params=given, content=b"1")).status_code == 400
    assert (await client.put(f"/xapi/{path}", params=given, content=b"1", headers=new)).status_code == 204
    assert (await client.put(f"/xapi/{path}", params=given, content=b"2", headers=new)).status_code == 412
    assert (await client.put(f"/xapi/{path}", params=given, content=b"2")).status_code == 409
    assert (await client.get(f"/xapi/{path}", params=given)).content == b"1"
    assert (await client.get(f"/xapi/{path}", params={owner: given[owner]})).json() == ["p"]
    assert (await client.delete(f"/xapi/{path}", params=given)).status_code == 204
    assert (await client.get(f"/xapi/{path}", params=given)).status_code == 404


async def test_a_posted_object_is_merged_one_level_deep(client: httpx.AsyncClient) -> None:
    await client.post(STATE, params=params(), json={"a": {"x": 1}, "b": 1})
    await client.post(STATE, params=params(), json={"a": {"y": 2}})
    assert (await client.get(STATE, params=params())).json() == {"a": {"y": 2}, "b": 1}
    for content, kind in ((b"text", "text/plain"), (b"[1]", "application/json"), (b"{", "application/json")):
        refused = await client.post(STATE, params=params(), content=content, headers={"Content-Type": kind})
        assert refused.status_code == 400
        assert refused.json()["faults"][0]["rule"] == "document.merge"
    assert (await client.get(STATE, params=params())).json() == {"a": {"y": 2}, "b": 1}


async def test_states_are_listed_and_taken_away_by_registration_and_time(client: httpx.AsyncClient) -> None:
    registration = "5f2cbbd5-8c9e-4b0a-9a3e-0d7a0b6f3a11"
    many = {key: value for key, value in params().items() if key != "stateId"}
    await client.put(STATE, params=params("without"), content=b"1")
    await client.put(STATE, params=params("with", registration=registration), content=b"2")
    assert (await client.get(STATE, params=params("with"))).status_code == 404
    assert sorted((await client.get(STATE, params=many)).json()) == ["with", "without"]
    upper = {**many, "registration": registration.upper()}
    assert (await client.get(STATE, params=upper)).json() == ["with"]
    assert (await client.get(STATE, params={**many, "since": "2100-01-01T00:00:00Z"})).json() == []
    assert (await client.delete(STATE, params=upper)).status_code == 204
    assert (await client.get(STATE, params=many)).json() == ["without"]
    assert (await client.delete(STATE, params=many)).status_code == 204
    assert (await client.get(STATE, params=many)).json() == []


async def test_a_provider_and_a_sandbox_see_only_their_own_documents(door: Door) -> None:
    with door.engine.begin() as transaction:
        issue_credential(transaction, "p1", 1, key="key-sandbox", secret="secret")
        own = provider_credentials.c.key == "key-sandbox"
        transaction.execute(update(provider_credentials).where(own).values(sandbox=True))
    async with door.open() as client:
        await client.put(STATE, params=params(), content=b"mine")
        for key in ("key-p2", "key-sandbox"):
            other = await client.get(STATE, params=params(), auth=(key, "secret"))
            assert other.status_code == 404
        assert (await client.get(STATE, params=params())).content == b"mine"


async def test_asking_makes_no_identity_and_writing_no_student(client: httpx.AsyncClient, door: Door) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        await client.request(method, STATE, params=params(who="never seen"))
    assert count(door, identities) == 0
    await client.put(STATE, params=params(who="seen"), content=b"1")
    assert (count(door, identities), count(door, students), count(door, documents)) == (1, 0, 1)


async def test_a_document_has_a_limit_and_its_names_too(client: httpx.AsyncClient, door: Door) -> None:
    limit = door.settings.ingest.max_document_bytes
    assert (await client.put(STATE, params=params(), content=bytes(limit + 1))).status_code == 413
    for wrong in ("x" * 2049, "é" * 1025, "a\x00b"):
        assert (await client.put(STATE, params=params(wrong), content=b"1")).status_code == 400
    assert (await client.put(STATE, params=params("é" * 1024), content=b"1")).status_code == 204


async def test_a_credential_needs_the_scope(door: Door) -> None:
    with door.engine.begin() as transaction:
        own = provider_credentials.c.key == "key-p1"
        transaction.execute(update(provider_credentials).where(own).values(scopes="statements/write profile"))
    async with door.open() as client:
        assert (await client.put(STATE, params=params(), content=b"1")).status_code == 403
        given = {"activityId": ACTIVITY, "profileId": "p"}
        assert (await client.post("/xapi/activities/profile", params=given, json={})).status_code == 204


async def test_a_registry_that_is_away_is_told_with_503(client: httpx.AsyncClient, door: Door) -> None:
    await client.put(STATE, params=params(), content=b"1")
    with door.engine.begin() as transaction:
        documents.drop(transaction)
    refused = await client.get(STATE, params=params())
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
