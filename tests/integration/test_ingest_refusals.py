"""What the door refuses, in words, and what it keeps of it: nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.runtime.settings import KafkaSettings
from ingest.credentials import disable, issue_credential
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_statements import statement

pytestmark = pytest.mark.kafka

JSON = {"Content-Type": "application/json"}


def only_fault(answer: httpx.Response) -> tuple[int, str]:
    """Status and rule of a refusal, which tells the request's id too."""
    body = answer.json()
    assert body["error"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert "X-Experience-API-Version" in answer.headers
    [fault] = body["faults"]
    assert fault["message"]
    assert fault["fix"]
    return answer.status_code, fault["rule"]


async def post(client: httpx.AsyncClient, content: Any, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes | AsyncIterator) else json.dumps(content).encode()
    return await client.post("/xapi/statements", content=body, headers={**JSON, **headers})


async def test_malformed_requests_are_told_why(door: Door) -> None:
    async with door.open() as client:
        answer = await post(client, b'{"actor":\n oops}')
        assert only_fault(answer) == (400, "json.malformed")
        assert "line 2, column 2" in answer.json()["error"]
        assert only_fault(await post(client, b'{"a":1,"a":2}')) == (400, "json.duplicate_key")
        assert only_fault(await post(client, b"7")) == (400, "statement.type")
        assert only_fault(await post(client, b"{}", **{"Content-Type": "text/plain"})) == (415, "content_type")
        multipart = {"Content-Type": "multipart/mixed; boundary=x"}
        assert only_fault(await post(client, b"--x", **multipart)) == (400, "multipart.boundary")
        assert only_fault(await post(client, b"{}", **{"Content-Encoding": "gzip"})) == (415, "content_encoding")
        assert door.records() == []


async def test_a_version_is_required_and_must_be_known(door: Door) -> None:
    async with door.open() as client:
        unknown = await post(client, statement(), **{"X-Experience-API-Version": "0.95"})
        assert only_fault(unknown) == (400, "version.header")
        del client.headers["X-Experience-API-Version"]
        assert only_fault(await post(client, statement())) == (400, "version.header_missing")
        about = await client.get("/xapi/about", headers={"Authorization": ""})
        assert (about.status_code, about.json()["version"]) == (200, ["2.0.0", "1.0.3"])


async def test_parameters_must_be_known(door: Door) -> None:
    async with door.open() as client:
        for method, query in (
            ("POST", "statementId=6690e6c9-3ef0-4ed3-8b37-7f3964730bee"),
            ("POST", "method=PUT"),
            ("PUT", ""),
            ("PUT", "statementId=x"),
            ("PUT", "statementid=6690e6c9-3ef0-4ed3-8b37-7f3964730bee"),
            ("GET", "Verb=x"),
            ("GET", "verb=no-iri"),
            ("GET", "agent=%7B"),
            ("GET", "agent=%7B%7D"),
            ("GET", "limit=-1"),
            ("GET", "limit=1&limit=2"),
            ("GET", "since=yesterday"),
            ("GET", "ascending=yes"),
            ("GET", "registration=7"),
            ("GET", "cursor=zzz"),
            ("GET", "format=pretty"),
            ("GET", "statementId=x"),
        ):
            answer = await client.request(method, f"/xapi/statements?{query}", json=statement())
            assert answer.status_code == 400, (method, query)
            assert answer.json()["error"]
        for query, name, fix in (
            ("registration=7", "registration", "Send a UUID"),
            ("verb=answered", "verb", "Send the whole IRI"),
            ("since=yesterday", "since", "Send ISO 8601"),
            ("ascending=yes", "ascending", "Send true or false"),
            ("limit=-1", "limit", "Send a whole number"),
            ("Verb=x", "Verb", "Use the parameters"),
        ):
            [fault] = (await client.get(f"/xapi/statements?{query}")).json()["faults"]
            assert (fault["path"], fault["fix"].startswith(fix)) == (name, True), fault


async def test_an_unknown_method_is_told_the_known_ones(door: Door) -> None:
    async with door.open() as client:
        answer = await client.delete("/xapi/statements")
        assert only_fault(answer) == (405, "method")
        assert answer.headers["Allow"] == "GET, HEAD, POST, PUT"


async def test_credentials_are_refused_without_a_hint(door: Door) -> None:
    async with door.open() as client:
        answers = [
            await client.post("/xapi/statements", json=statement(), auth=auth)
            for auth in (("key-p1", "wrong"), ("nobody", "secret"), ("key-p1", "wrong"))
        ]
        client.auth = httpx.Auth()
        for raw in ("Digest x", "Basic !!!", "Basic a2V5", "Basic"):
            answers.append(await post(client, statement(), Authorization=raw))
        answers.append(await client.post("/xapi/statements", json=statement()))
        told = set()
        for answer in answers:
            assert only_fault(answer) == (401, "auth.credential")
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
            told.add(answer.json()["error"])
        assert len(told) == 1
        assert door.records() == []


async def test_disabling_and_issuing_are_noticed_while_it_runs(door: Door) -> None:
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement())).status_code == 200
        with door.engine.begin() as connection:
            disable(connection, key="key-p1")
            issued = issue_credential(connection, "p1", 2)
        answer = await until_status(client, 403)
        assert only_fault(answer) == (403, "auth.disabled")
        new = await client.post("/xapi/statements", json=statement(), auth=(issued.key, issued.secret))
        assert new.status_code == 200
        with door.engine.begin() as connection:
            disable(connection, provider_id="p1")
        await until_status(client, 403, auth=(issued.key, issued.secret))
        assert (await client.post("/xapi/statements", json=statement(), auth=("key-p1", "wrong"))).status_code == 401
        with door.engine.begin() as connection:
            disable(connection, provider_id="p1", disabled=False)
        await until_status(client, 200, auth=(issued.key, issued.secret))


async def until_status(client: httpx.AsyncClient, status: int, **options: Any) -> httpx.Response:
    """Post until the answer has a status."""
    for _ in range(200):
        answer = await client.post("/xapi/statements", json=statement(), **options)
        if answer.status_code == status:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{answer.status_code}, never {status}")


async def test_a_flood_of_wrong_secrets_leaves_known_credentials_alone(door: Door) -> None:
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement())).status_code == 200
        wrong = [
            asyncio.create_task(client.post("/xapi/statements", json=statement(), auth=("key-p1", f"wrong{n}")))
            for n in range(60)
        ]
        assert (await client.post("/xapi/statements", json=statement())).status_code == 200
        statuses = {answer.status_code for answer in await asyncio.gather(*wrong)}
        assert statuses <= {401, 429}
        assert 429 in statuses


async def test_limits_of_body_and_batch(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, max_body_bytes=4096, max_batch=5)
    async with door.open() as client:
        small = statement()
        assert only_fault(await post(client, [small] * 6)) == (413, "limit.batch")
        large = await post(client, b" " * 5000)
        assert only_fault(large) == (413, "limit.body")
        assert large.headers["Connection"] == "close"

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(1000):
                yield b" " * 1000

        assert only_fault(await post(client, endless())) == (413, "limit.body")
        assert door.records() == []
    door.engine.dispose()


async def test_a_rate_is_limited_by_provider(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, rate_limit_per_second=0.5, rate_limit_burst=10)
    async with door.open() as client:
        assert (await post(client, [statement(n) for n in range(10)])).status_code == 200
        refused = await post(client, statement())
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        other = await client.post("/xapi/statements", json=statement(), auth=("key-p2", "secret"))
        assert other.status_code == 200
        assert len(door.items()) == 11
    door.engine.dispose()


async def test_a_request_id_is_taken_over_when_it_is_sane(door: Door) -> None:
    async with door.open() as client:
        answer = await client.get("/xapi/about", headers={"X-Request-Id": "abc-123"})
        assert answer.headers["X-Request-Id"] == "abc-123"
        answer = await client.get("/xapi/about", headers={"X-Request-Id": "<script>"})
        assert answer.headers["X-Request-Id"] != "<script>"


async def test_health_and_metrics_need_no_credential(door: Door) -> None:
    async with door.open() as client:
        await client.post("/xapi/statements", json=statement())
        for path, text in (
            ("/health/live", "live"),
            ("/health/ready", '"kafka":true'),
            ("/metrics", 'ingest_statements_accepted_total{provider="p1"} 1.0'),
        ):
            answer = await client.get(path, headers={"Authorization": ""})
            assert (answer.status_code, text in answer.text) == (200, True), answer.text


async def test_a_registry_that_is_away_is_a_503_and_kept_statements_go_on(door: Door) -> None:
    async with door.open() as client:
        assert (await client.post("/xapi/statements", json=statement(1))).status_code == 200
        with door.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE agents RENAME TO agents_away")
        unknown = await client.post("/xapi/statements", json=statement(2))
        assert unknown.status_code == 503
        assert int(unknown.headers["Retry-After"]) >= 1
        assert (await client.post("/xapi/statements", json=statement(1))).status_code == 200
        with door.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE agents_away RENAME TO agents")
        assert (await client.post("/xapi/statements", json=statement(2))).status_code == 200
        assert len(door.items()) == 3


async def test_a_registry_that_is_away_is_a_503_for_a_credential_that_is_new(door: Door) -> None:
    async with door.open() as client:
        with door.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE provider_credentials RENAME TO away")
        answer = await client.post("/xapi/statements", json=statement())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1


async def test_a_path_that_is_not_served_is_a_404_in_words(door: Door) -> None:
    async with door.open() as client:
        assert only_fault(await client.get("/xapi/activities/states")) == (404, "resource")
