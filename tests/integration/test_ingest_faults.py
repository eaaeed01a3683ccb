"""The log away, killed and back; the service killed in the middle: acknowledged means kept, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.dev.broker import Broker
from infra.dev.ports import any_free
from infra.runtime.settings import KafkaSettings
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import provider_minute_codec
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_statements import statement

pytestmark = pytest.mark.kafka

SERVE = (
    "import sys; from infra.runtime.settings import Settings; from ingest.app import serve; sys.exit(serve(Settings()))"
)
DEADLINE_SECONDS = 90.0


@pytest.fixture
def own_door(tmp_path: Path, own_broker: Broker) -> Iterator[Door]:
    kafka = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers, partitions=4, replication_factor=1)
    made = make_door(tmp_path, kafka, publish_timeout_seconds=3.0)
    yield made
    made.engine.dispose()


def batch(size: int) -> list[dict[str, Any]]:
    """Statements of so many students, with ids."""
    return [statement(number, id=str(uuid.uuid4())) for number in range(size)]


async def post_until_kept(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    """Post the same again until it is answered with a 200."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = await client.post("/xapi/statements", json=body)
        if answer.status_code == 200:
            return answer
        assert answer.status_code == 503
        assert time.monotonic() < deadline, "the log came back, the service did not"
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("size", [1, 20], ids=["in one partition", "in a transaction"])
async def test_a_log_that_is_away_is_a_503_in_time_and_all_works_when_it_is_back(
    own_door: Door, own_broker: Broker, size: int
) -> None:
    kept: list[str] = []
    async with own_door.open() as client:
        kept += (await client.post("/xapi/statements", json=batch(size))).json()
        own_broker.stop()
        for _ in range(3):
            began = time.monotonic()
            answer = await client.post("/xapi/statements", json=batch(size))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
            # The limit itself, and what a busy machine adds to it.
            assert time.monotonic() - began < own_door.settings.ingest.publish_timeout_seconds + 5
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
        own_broker.start()
        kept += (await post_until_kept(client, batch(size))).json()
        kept += (await post_until_kept(client, batch(size))).json()
        found = [item.statement_id for item in own_door.items()]
    assert set(kept) <= set(found)


async def test_a_killed_log_loses_nothing_that_was_acknowledged(own_door: Door, own_broker: Broker) -> None:
    kept: set[str] = set()

    async def provider(client: httpx.AsyncClient, size: int, until: asyncio.Event) -> None:
        while not until.is_set():
            answer = await client.post("/xapi/statements", json=batch(size))
            if answer.status_code == 200:
                kept.update(answer.json())
            else:
                assert answer.status_code == 503
                await asyncio.sleep(0.1)

    async with own_door.open() as client:
        done = asyncio.Event()
        providers = [asyncio.create_task(provider(client, size, done)) for size in (1, 1, 20, 20)]
        for _ in range(2):
            await asyncio.sleep(1.0)
            own_broker.kill()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own_broker.start)
            before = len(kept)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while len(kept) < before + 50:
                assert time.monotonic() < deadline, "the log came back, the service did not"
                await asyncio.sleep(0.1)
        done.set()
        await asyncio.gather(*providers)
        found = {item.statement_id for item in own_door.items()}
    assert kept <= found


async def test_the_service_starts_without_a_log_and_finds_it_later(own_door: Door, own_broker: Broker) -> None:
    own_broker.stop()
    async with own_door.open() as client:
        assert (await client.post("/xapi/statements", json=statement())).status_code == 503
        own_broker.start()
        await post_until_kept(client, batch(1))


def _spawn(environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("ab") as log:
        return subprocess.Popen([sys.executable, "-c", SERVE], env={**os.environ, **environment}, stderr=log)


@asynccontextmanager
async def process(door: Door, port: int) -> AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]:
    """The service as a process of its own, ready; killed at the end if it still runs."""
    settings = door.settings
    ingest = settings.ingest.model_copy(update={"port": port})
    environment = settings.model_copy(update={"ingest": ingest}).environment()
    started = _spawn(environment, settings.data_dir / "ingest.log")
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            auth=("key-p1", "secret"),
            headers={"X-Experience-API-Version": "1.0.3"},
            timeout=30.0,
        ) as client:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while True:
                assert started.poll() is None, (settings.data_dir / "ingest.log").read_text()[-2000:]
                assert time.monotonic() < deadline, (settings.data_dir / "ingest.log").read_text()[-2000:]
                try:
                    if (await client.get("/health/ready")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
            yield started, client
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


async def test_a_service_killed_while_it_takes_batches_leaves_none_in_halves(door: Door) -> None:
    sent: list[list[str]] = []
    kept: set[str] = set()
    enough = asyncio.Event()

    async def provider(client: httpx.AsyncClient) -> None:
        answered = 0
        while True:
            body = batch(20)
            sent.append([one["id"] for one in body])
            try:
                answer = await client.post("/xapi/statements", json=body)
            except httpx.TransportError:
                return
            assert answer.status_code == 200
            kept.update(answer.json())
            answered += 1
            if answered == 2:
                enough.set()

    port = any_free("127.0.0.1")
    for _ in range(4):
        async with process(door, port) as (service, client):
            enough.clear()
            providers = [asyncio.create_task(provider(client)) for _ in range(4)]
            await enough.wait()
            service.kill()
            await asyncio.gather(*providers)
    # The next process ends the transaction that its predecessor left open: the log can be read to its end.
    async with process(door, port) as (_, client):
        assert (await client.post("/xapi/statements", json=batch(20))).status_code == 200
        found = [item.statement_id for item in door.items()]
    assert len(found) == len(set(found))
    assert kept <= set(found)
    for ids in sent:
        assert len(set(ids) & set(found)) in (0, len(ids))


async def test_a_service_that_is_told_to_stop_publishes_its_last_counts(door: Door) -> None:
    async with process(door, any_free("127.0.0.1")) as (service, client):
        assert (await client.post("/xapi/statements", json=batch(20))).status_code == 200
        service.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(service.wait, DEADLINE_SECONDS) == 0
    instances = {envelope.instance for _, _, envelope in door.envelopes()}
    codec = provider_minute_codec(FileSchemaRegistry())
    rows = [codec.decode(one.value) for one in door.records("provider-minutes")]
    last = {(row.provider_id, row.minute): row.accepted for row in rows if row.instance in instances}
    assert sum(last.values()) == 20
