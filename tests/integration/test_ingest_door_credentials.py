"""Whose request it is: credentials that end, are rotated or disabled; bearer tokens of issuers in the registry."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import update

from ingest import issuers
from ingest.credentials import disable, issue_credential, rotate_credential
from ingest.issuers import Issuer
from schemas.registry.tables import provider_credentials
from tests.fixtures.door import Door
from tests.integration.test_ingest_refusals import only_fault, post
from tests.integration.test_ingest_statements import statement

pytestmark = pytest.mark.kafka

KEY = ECKey.generate_key("P-256", {"kid": "first"})
NAME = "https://login.example.org/"
AUDIENCE = "https://lrs.example.org/xapi"


def now_us() -> int:
    return time.time_ns() // 1000


async def status(client: httpx.AsyncClient, key: str, secret: str) -> int:
    """What this credential is answered: 400 for what it asks, once it is let in."""
    return (await client.get("/xapi/statements?no=one", auth=(key, secret))).status_code


async def becomes(client: httpx.AsyncClient, key: str, secret: str, wanted: int) -> None:
    """Wait until the service has read the registry again."""
    deadline = time.monotonic() + 60
    while (found := await status(client, key, secret)) != wanted:
        assert time.monotonic() < deadline, f"{key} is still answered {found}"
        await asyncio.sleep(0.05)


async def test_a_rotated_credential_works_beside_the_new_one_until_it_ends(door: Door) -> None:
    async with door.open() as client:
        assert await status(client, "key-p1", "secret") == 400
        with door.engine.begin() as transaction:
            new = rotate_credential(transaction, "key-p1", now_us(), 3600 * 1_000_000)
        assert await status(client, new.key, new.secret) == 400
        assert await status(client, "key-p1", "secret") == 400
        with door.engine.begin() as transaction:
            own = provider_credentials
            transaction.execute(update(own).where(own.c.key == "key-p1").values(expires_at=now_us() - 1))
        await becomes(client, "key-p1", "secret", 401)
        ended = await client.get("/xapi/statements", auth=("key-p1", "secret"))
        assert only_fault(ended) == (401, "auth.expired")
        assert [one.split()[0] for one in ended.headers.get_list("WWW-Authenticate")] == ["Basic", "Bearer"]
        assert await status(client, new.key, new.secret) == 400


async def test_a_credential_has_an_end_of_its_own_whether_or_not_it_was_used(door: Door) -> None:
    with door.engine.begin() as transaction:
        ended = issue_credential(transaction, "p1", 1, expires_at=now_us() - 1)
        lasting = issue_credential(transaction, "p1", 1, expires_at=now_us() + 3600 * 1_000_000)
    async with door.open() as client:
        assert await status(client, *ended) == 401
        assert await status(client, *lasting) == 400


async def test_one_credential_is_disabled_and_the_others_of_its_provider_go_on(door: Door) -> None:
    with door.engine.begin() as transaction:
        other = issue_credential(transaction, "p1", 1)
    async with door.open() as client:
        assert await status(client, *other) == 400
        with door.engine.begin() as transaction:
            disable(transaction, key=other.key)
        await becomes(client, *other, 403)
        assert await status(client, "key-p1", "secret") == 400


@contextmanager
def published(keys: list[Any]) -> Iterator[tuple[str, list[str]]]:
    """An issuer's keys at an address, and who asked for them."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(KeySet(keys).as_dict(private=False)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/jwks", asked
        finally:
            server.shutdown()
            thread.join()


def token(**claims: Any) -> dict[str, str]:
    """Headers with a token of our issuer."""
    fields = {"iss": NAME, "aud": AUDIENCE, "exp": time.time() + 600, "client_id": "course", **claims}
    return {"Authorization": "Bearer " + jwt.encode({"alg": "ES256", "kid": "first"}, fields, KEY)}


@asynccontextmanager
async def trusting(door: Door, scopes: str, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    with door.engine.begin() as transaction:
        issuers.add_issuer(transaction, issuer, 1)
        issuers.add_client(transaction, NAME, "course", "p1", scopes.split(), 1)
    async with door.open() as client:
        client.auth = httpx.Auth()
        yield client


async def test_a_bearer_token_writes_for_its_clients_provider(door: Door) -> None:
    with published([KEY]) as (url, asked):
        async with trusting(door, "statements/write", Issuer(NAME, AUDIENCE, url, None)) as client:
            for _ in range(3):
                assert (await post(client, statement(), **token(scope="all"))).status_code == 200
            assert asked == ["/jwks"]
            read = await client.get("/xapi/statements", headers=token(scope="all"))
            assert only_fault(read) == (403, "auth.scope")
            unclaimed = await post(client, statement(), **token(scope="state"))
            assert only_fault(unclaimed) == (403, "auth.scope")
            assert only_fault(await post(client, statement(), **token(exp=1))) == (401, "auth.token")
            assert only_fault(await post(client, statement(), **token(aud="else"))) == (401, "auth.token")
            assert only_fault(await post(client, statement(), Authorization="Bearer x.y.z")) == (401, "auth.token")
            assert only_fault(await post(client, statement(), Authorization="Bearer")) == (401, "auth.credential")
    assert [item.provider_id for item in door.items()] == ["p1"] * 3


async def test_a_client_that_is_switched_off_is_let_in_no_more(door: Door) -> None:
    jwks = json.dumps(KeySet([KEY]).as_dict(private=False))
    async with trusting(door, "all", Issuer(NAME, AUDIENCE, None, jwks)) as client:
        sent = token(scope="all")
        assert (await client.get("/xapi/statements?no=one", headers=sent)).status_code == 400
        with door.engine.begin() as transaction:
            issuers.switch_client(transaction, NAME, "course", disabled=True)
        deadline = time.monotonic() + 60
        while (await client.get("/xapi/statements?no=one", headers=sent)).status_code != 403:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_an_issuer_whose_keys_cannot_be_read_is_no_reason_to_refuse_for_good(door: Door) -> None:
    away = Issuer(NAME, AUDIENCE, "http://127.0.0.1:9/jwks", None)
    async with trusting(door, "all", away) as client:
        answer = await client.get("/xapi/statements", headers=token())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        # Meanwhile all others are served.
        assert await status(client, "key-p1", "secret") == 400
