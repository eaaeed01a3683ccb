"""What every resource has in front of it: scopes, versions, the alternate syntax, browsers of other origins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import update

from infra.runtime.settings import KafkaSettings
from schemas.registry.tables import provider_credentials
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_refusals import only_fault, post
from tests.integration.test_ingest_statements import statement

pytestmark = pytest.mark.kafka

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STATEMENT_ID = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"


def grant(door: Door, *scopes: str) -> None:
    """Let the credential of p1 have these scopes alone."""
    with door.engine.begin() as transaction:
        own = provider_credentials
        transaction.execute(update(own).where(own.c.key == "key-p1").values(scopes=" ".join(scopes)))


async def carried(client: httpx.AsyncClient, method: str, form: dict[str, Any], **headers: str) -> httpx.Response:
    """A request inside of a form."""
    url = f"/xapi/statements?method={method}"
    return await client.post(url, content=urlencode(form).encode(), headers={**FORM, **headers})


@pytest.mark.parametrize(
    ("scopes", "writes", "reads"),
    [
        (("statements/write",), True, False),
        (("statements/read/mine",), False, True),
        (("statements/read",), False, True),
        (("all/read",), False, True),
        (("all",), True, True),
        (("state", "profile", "define"), False, False),
    ],
)
async def test_a_credential_does_what_its_scopes_say_and_no_more(
    door: Door, scopes: tuple[str, ...], writes: bool, reads: bool
) -> None:
    grant(door, *scopes)
    async with door.open() as client:
        written = await post(client, statement())
        read = await client.get("/xapi/statements", params={"registration": "no uuid"})
    assert written.status_code == (200 if writes else 403)
    # What is allowed to read gets as far as its parameters.
    assert read.status_code == (400 if reads else 403)
    for answer, needed in ((written, "statements/write"), (read, "statements/read/mine")):
        if answer.status_code == 403:
            assert only_fault(answer) == (403, "auth.scope")
            assert f"needs the scope {needed}" in answer.json()["error"]
            assert "4.2" in answer.json()["faults"][0]["section"]
            assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]


async def test_errors_are_answered_in_the_version_that_was_spoken(door: Door) -> None:
    async with door.open() as client:
        for told, answered in (("1.0.3", "1.0.3"), ("1.0", "1.0.3"), ("2.0.0", "2.0.0"), ("0.9", "2.0.0")):
            headers = {"X-Experience-API-Version": told}
            for auth in (("key-p1", "wrong"), ("key-p1", "secret")):
                answer = await client.get("/xapi/statements?no=one", headers=headers, auth=auth)
                assert answer.headers.get_list("X-Experience-API-Version") == [answered]
            about = await client.get("/xapi/about", headers=headers)
            assert (about.status_code, about.headers["X-Experience-API-Version"]) == (200, answered)


async def test_the_default_version_is_that_of_answers_to_requests_without_one(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    door = make_door(tmp_path, kafka_settings, default_xapi_version="1.0.3")
    async with door.open() as client:
        del client.headers["X-Experience-API-Version"]
        answer = await client.get("/xapi/statements")
        assert only_fault(answer) == (400, "version.header_missing")
        assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    door.engine.dispose()


async def test_a_request_may_be_carried_in_a_form_under_the_first_version(door: Door) -> None:
    sent = json.dumps(statement(result={"response": "Zoë & Ümit = 100 %"}), ensure_ascii=False)
    async with door.open() as client:
        answer = await carried(client, "PUT", {"statementId": STATEMENT_ID, "content": sent})
        assert answer.status_code == 204, answer.text
        [item] = door.items()
        assert item.statement_id == STATEMENT_ID
        assert "Zoë & Ümit = 100 %" in item.statement.decode()
        assert only_fault(await carried(client, "GET", {"StatementId": STATEMENT_ID})) == (400, "parameter")


async def test_headers_of_a_carried_request_stand_in_its_form(door: Door) -> None:
    async with door.open() as client:
        authorization = client.build_request("GET", "/").headers.get("Authorization", "")
        assert not authorization
        basic = httpx.BasicAuth("key-p1", "secret")
        shown = next(basic.auth_flow(httpx.Request("GET", "http://door/"))).headers["Authorization"]
        client.auth = httpx.Auth()
        del client.headers["X-Experience-API-Version"]
        form = {"statementId": STATEMENT_ID, "content": json.dumps(statement())}
        assert only_fault(await carried(client, "PUT", form)) == (401, "auth.credential")
        form["Authorization"] = shown
        assert only_fault(await carried(client, "PUT", form)) == (400, "version.header_missing")
        form["X-Experience-API-Version"] = "0.8"
        assert only_fault(await carried(client, "PUT", form)) == (400, "version.header")
        form["X-Experience-API-Version"] = "2.0.0"
        assert only_fault(await carried(client, "PUT", form)) == (400, "alternate.version")
        form |= {"X-Experience-API-Version": "1.0.3", "Content-Type": "text/plain"}
        assert only_fault(await carried(client, "PUT", form)) == (415, "content_type")
        form["Content-Type"] = "application/json"
        assert (await carried(client, "PUT", form)).status_code == 204


async def test_a_form_that_carries_no_request_is_refused(door: Door) -> None:
    form = {"statementId": STATEMENT_ID, "content": json.dumps(statement())}
    async with door.open() as client:
        two = await carried(client, "GET", {}, **{"X-Experience-API-Version": "2.0.0"})
        assert only_fault(two) == (400, "alternate.version")
        assert only_fault(await carried(client, "PATCH", form)) == (400, "alternate")
        assert only_fault(await carried(client, "PUT&statementId=1", form)) == (400, "alternate")
        assert only_fault(await carried(client, "PUT", {"statementId": STATEMENT_ID})) == (400, "alternate")
        unnamed = await carried(client, "PUT", form, **{"Content-Type": "application/json"})
        assert only_fault(unnamed) == (400, "alternate")
        unread = await client.post("/xapi/statements?method=PUT", content=json.dumps(form), headers=FORM)
        assert only_fault(unread) == (400, "parameter")
        long = await carried(client, "PUT", {**form, "content": "x" * 1_100_000})
        assert only_fault(long) == (413, "limit.body")
        put = await client.put("/xapi/statements?method=POST", content=b"{}")
        assert only_fault(put) == (400, "parameter")
    assert door.records() == []


async def test_too_many_parameters_are_refused_at_once(door: Door) -> None:
    async with door.open() as client:
        query = "&".join(f"p{number}=1" for number in range(40))
        assert only_fault(await client.get(f"/xapi/statements?{query}")) == (400, "limit.parameters")
        assert only_fault(await client.get("/xapi/statements?limit=1&limit=2")) == (400, "parameter")
        assert only_fault(await client.get("/xapi/statements?Limit=1")) == (400, "parameter")


async def test_head_tells_what_get_would(door: Door) -> None:
    async with door.open() as client:
        same = {"X-Request-ID": "same"}
        for path in ("/xapi/about", "/xapi/nothing", "/xapi/statements?since=x"):
            get, head = await client.get(path, headers=same), await client.head(path, headers=same)
            assert (head.status_code, head.content) == (get.status_code, b"")
            for name in ("Content-Type", "X-Experience-API-Version"):
                assert head.headers[name] == get.headers[name]
            assert head.headers["Content-Length"] == str(len(get.content))


async def test_pages_of_origins_that_are_allowed_may_call(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, cors_origins=["https://content.example.org"])
    asking = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}
    async with door.open() as client:
        client.auth = httpx.Auth()
        ours = {"Origin": "https://content.example.org"}
        preflight = await client.options("/xapi/statements", headers={**asking, **ours})
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://content.example.org"
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT"
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
        for name in ("authorization", "x-experience-api-version", "if-match", "if-none-match", "content-type"):
            assert name in allowed
        refused = await client.get("/xapi/statements", headers=ours)
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == "https://content.example.org"
        exposed = refused.headers["Access-Control-Expose-Headers"].lower()
        for name in ("etag", "last-modified", "x-experience-api-version", "x-experience-api-consistent-through"):
            assert name in exposed
        other = await client.options("/xapi/statements", headers={**asking, "Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert "Access-Control-Allow-Methods" not in other.headers
        assert other.headers["Vary"] == "Origin"
    door.engine.dispose()


async def test_without_the_setting_no_page_of_another_origin_may_call(door: Door) -> None:
    async with door.open() as client:
        asking = {"Access-Control-Request-Method": "PUT", "Origin": "https://content.example.org"}
        answer = await client.options("/xapi/statements", headers=asking)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
