"""What dies on the running platform, and what does not: replay under kills, workers that come and go, a store away."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Self

import pytest
from kafka import KafkaAdminClient

from infra.dev.posting import Connection
from infra.runtime.kafka import CONSUMER_GROUP, connection
from tests.e2e.platform import Platform, quiet_environment, wait
from tests.e2e.replay import replay_under_kills
from tests.e2e.test_round_trip import STATEMENT, a_new_provider
from tests.fixtures.answers import write_many_answers

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def owners(platform: Platform) -> dict[str, set[int]]:
    """Partitions of the statements topic by member of the workers' group."""
    admin = KafkaAdminClient(**connection(platform.settings().kafka))
    try:
        members = admin.describe_groups([CONSUMER_GROUP])[CONSUMER_GROUP]["members"]
    finally:
        admin.close()
    return {
        member["member_id"]: {
            partition
            for topic in (member["member_assignment"] or {"assigned_partitions": []})["assigned_partitions"]
            if topic["topic"] == "statements"
            for partition in topic["partitions"]
        }
        for member in members
    }


def test_a_replay_under_kills_of_worker_and_kafka_ends_as_the_file_says(platform: Platform, tmp_path: Path) -> None:
    responses = write_many_answers(tmp_path, users=40, each=60)
    told = replay_under_kills(platform, tmp_path, responses, rate=200.0)
    assert "the store agrees with the file" in told
    assert platform.said().count("worker was killed by SIGKILL, starting it again") == 2
    assert platform.said().count("broker was killed by SIGKILL, starting it again") == 1


def test_a_worker_started_by_hand_takes_over_partitions_and_gives_them_back(platform: Platform) -> None:
    endpoint, credential = a_new_provider(platform, "hand")
    wait(lambda: list(owners(platform).values()) == [{0, 1, 2, 3}], platform.said)
    with Posts(endpoint, credential) as posts:
        by_hand = subprocess.Popen(platform.command("worker"), env=quiet_environment(), stderr=subprocess.DEVNULL)
        try:
            wait(lambda: sorted(map(len, owners(platform).values())) == [2, 2], platform.said)
            assert set().union(*owners(platform).values()) == {0, 1, 2, 3}
            posts.go_on(2.0)
            by_hand.send_signal(signal.SIGTERM)
            assert by_hand.wait(30) == 0
            wait(lambda: list(owners(platform).values()) == [{0, 1, 2, 3}], platform.said)
        finally:
            by_hand.kill()
            by_hand.wait()
        posts.go_on(1.0)
    wait(lambda: counts(platform, "hand") == (posts.kept, posts.kept, posts.kept), platform.said)


def test_the_store_stopped_under_load_loses_nothing_and_ingest_goes_on(platform: Platform) -> None:
    endpoint, credential = a_new_provider(platform, "steady")
    with Posts(endpoint, credential) as posts:
        posts.go_on(1.0)
        front = platform.child("infra.dev.front")
        front.suspend()
        try:
            before = posts.kept
            posts.go_on(10.0)
            assert posts.kept > before, "ingest does not need the store"
            assert posts.refused == 0
        finally:
            front.resume()
        posts.go_on(1.0)
    wait(lambda: counts(platform, "steady") == (posts.kept, posts.kept, posts.kept), platform.said)


def counts(platform: Platform, provider: str) -> tuple[int, int, int]:
    """Statements accepted, stored, and attempts."""
    with platform.store() as client:
        row = client.query(
            "SELECT (SELECT sum(accepted) FROM provider_minutes FINAL WHERE provider_id = {p:String}),"
            " (SELECT count() FROM statements FINAL WHERE provider_id = {p:String}),"
            " (SELECT count() FROM attempts FINAL WHERE provider_id = {p:String})",
            parameters={"p": provider},
        ).result_rows[0]
    return row[0] or 0, row[1], row[2]


class Posts:
    """A provider that posts batches of five, one after the other, until it is stopped."""

    def __init__(self, endpoint: str, credential: tuple[str, str]) -> None:
        self.kept = 0
        self.refused = 0
        self._connection = Connection(endpoint, *credential)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._post()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        self._thread.join(90)

    def go_on(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self._thread.is_alive()
            time.sleep(0.1)

    async def _post(self) -> None:
        await self._connection.until_known(patience=60)
        number = 0
        while not self._stopped.is_set():
            batch = []
            for _ in range(5):
                number += 1
                actor = {"mbox": f"mailto:student{number % 23}@load.example.org"}
                batch.append({**STATEMENT, "id": str(uuid.uuid4()), "actor": actor})
            answer = await self._connection.post_until_kept(json.dumps(batch).encode(), patience=60)
            assert answer.status == 200, answer
            self.refused = self._connection.retried
            self.kept += len(batch)
            await asyncio.sleep(0.05)
        self._connection.close()
