"""Reads over HTTP, with a full store: one statement by its id, pages of a hundred by each filter.

The table of statements is filled as tests.bench.growth fills it, and the registry with all actors. Eight connections
ask at once, as fast as they are answered; then one alone. ROUNDTRIP_BENCH_MILLIONS names the sizes (1 by default; 1,10
takes some minutes to fill).
"""

from __future__ import annotations

import base64
import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from clickhouse_connect.driver.client import Client
from sqlalchemy import insert, update

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.registry import open_registry
from schemas.registry.tables import agents, identities, provider_credentials, students
from streams.rows import tables
from streams.sink import Sink
from tests.bench.figures import Figure
from tests.bench.growth import Filler, template
from tests.bench.servers import Servers, servers

CONNECTIONS: Final = 8
SECONDS: Final = float(os.environ.get("ROUNDTRIP_BENCH_SECONDS", "6"))
SAMPLE: Final = 400
GOALS: Final = {"by id": 10.0}
PAGE_GOAL: Final = 50.0


@dataclass
class Known:
    """Values to ask for, drawn from what is stored."""

    ids: list[str]
    actors: list[str]
    activities: list[str]
    registrations: list[str]
    parents: list[str]
    moments: list[str]


@dataclass
class Asker:
    """Asks over connections of its own, each in a thread, for so many seconds; times in s."""

    running: Servers
    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def ask(self, path: Callable[[random.Random], str], connections: int) -> None:
        """Ask on and on; paths are drawn anew each time."""
        threads = [
            threading.Thread(target=self._ask, args=(path, random.Random(number))) for number in range(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, path: Callable[[random.Random], str], dice: random.Random) -> None:
        account, ingest = self.running.account, self.running.settings.ingest
        known = base64.b64encode(f"{account.key}:{account.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {known}", "X-Experience-API-Version": "1.0.3"}
        connection = http.client.HTTPConnection(ingest.host, ingest.port, timeout=60.0)
        until = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < until:
            connection.request("GET", f"/xapi/statements?{path(dice)}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.seconds.append(time.perf_counter() - began)
            self.failed += answer.status != http.HTTPStatus.OK
        connection.close()

    def percentile_ms(self, share: float) -> float:
        """Of the times so far."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3


def reading() -> Iterator[Figure]:
    """Fill and ask, size by size."""
    sizes = sorted(float(size) * 1e6 for size in os.environ.get("ROUNDTRIP_BENCH_MILLIONS", "1").split(","))
    with servers() as running:
        settings = running.settings.clickhouse
        sink = Sink(lambda: open_clickhouse(settings), threading.Event())
        batches = [{tables.STATEMENTS: batch[tables.STATEMENTS]} for batch in template()]
        filler, stored = Filler(sink, batches), 0
        store, registered = running.store(), 0
        for wanted in sizes:
            while stored < wanted:
                stored += filler.write()
            registered = _register(running, store, registered)
            if wanted == sizes[0]:
                running.start_ingest()
            name = f"{stored / 1e6:.1f} M"
            yield _size(name, store)
            yield from _ask(running, name, _known(store))
        sink.close()


def _ask(running: Servers, name: str, known: Known) -> Iterator[Figure]:
    for connections in (CONNECTIONS, 1):
        for what, path in _paths(known).items():
            asker = Asker(running)
            asker.ask(path, connections)
            assert not asker.failed, f"{asker.failed} of {len(asker.seconds)} reads ({what}) were not answered 200"
            goal = GOALS.get(what, PAGE_GOAL) if connections == CONNECTIONS else None
            note = f"{connections} connections, p50 {asker.percentile_ms(0.5):.1f} ms, {len(asker.seconds)} reads"
            told = f"{name}: {what}, {connections} connections"
            yield Figure("reading", told, asker.percentile_ms(0.95), "ms", goal, note)


def _paths(known: Known) -> dict[str, Callable[[random.Random], str]]:
    def query(**asked: str) -> str:
        return urlencode(asked)

    def agent(dice: random.Random, **more: str) -> str:
        return query(agent=f'{{"mbox":"mailto:{dice.choice(known.actors)}@bench.example"}}', **more)

    return {
        "by id": lambda dice: query(statementId=dice.choice(known.ids)),
        "page, agent": agent,
        "page, agent and verb": lambda dice: agent(dice, verb="https://verbs.example/answered"),
        "page, registration": lambda dice: query(registration=dice.choice(known.registrations)),
        "page, activity": lambda dice: query(activity=dice.choice(known.activities)),
        "page, verb": lambda _: query(verb="https://verbs.example/answered"),
        "page, since": lambda dice: query(since=dice.choice(known.moments), ascending="true"),
        "page, no filter": lambda _: "",
        "page, related activity": lambda dice: query(activity=dice.choice(known.parents), related_activities="true"),
    }


def _known(store: Client) -> Known:
    def values(expression: str, order: str) -> list[str]:
        asked = (
            f"SELECT {expression} FROM statements WHERE cityHash64(statement_id) % 97 = 1"
            f" ORDER BY {order} LIMIT {SAMPLE}"
        )
        return [str(row[0]) for row in store.query(asked).result_rows]

    by_chance = "sipHash64(statement_id)"
    return Known(
        values("statement_id", by_chance),
        values("substring(actor, 1, 22)", by_chance),
        values("activity", by_chance),
        values("registration", by_chance),
        values("JSONExtractString(json, 'context', 'contextActivities', 'parent', 1, 'id')", by_chance),
        values("formatDateTime(stored, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')", by_chance),
    )


def _register(running: Servers, store: Client, known: int) -> int:
    """All actors but the first ``known``, as they would be known after their statements were accepted; how many there
    are. The account reads everybody's."""
    acted = (
        "SELECT substring(actor, 1, 22) AS identity, any(toString(student_id)) FROM statements GROUP BY identity"
        " ORDER BY min(stored), identity"
    )
    everybody = store.query(acted).result_rows
    rows = everybody[known:]
    engine = open_registry(running.settings.registry_url())
    with engine.begin() as connection:
        connection.execute(
            update(provider_credentials)
            .where(provider_credentials.c.key == running.account.key)
            .values(scopes="statements/write statements/read")
        )
        for start in range(0, len(rows), 5_000):
            some = [(str(identity), str(student)) for identity, student in rows[start : start + 5_000]]
            connection.execute(
                insert(students),
                [{"student_id": student, "linked": False, "created_at": 1, "updated_at": 1} for _, student in some],
            )
            connection.execute(
                insert(identities),
                [
                    {
                        "identity_id": identity,
                        "kind": "mbox",
                        "value": f"mailto:{identity}@bench.example",
                        "student_id": student,
                        "created_at": 1,
                    }
                    for identity, student in some
                ],
            )
            connection.execute(
                insert(agents),
                [
                    {
                        "agent_key": f"{identity}.1",
                        "identity_id": identity,
                        "digest": identity,
                        "json": f'{{"mbox":"mailto:{identity}@bench.example"}}',
                    }
                    for identity, _ in some
                ],
            )
    engine.dispose()
    return len(everybody)


def _size(name: str, store: Client) -> Figure:
    ((parts, size),) = store.query(
        "SELECT count(), sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND table = 'statements'"
        " AND database = currentDatabase()"
    ).result_rows
    return Figure("reading", f"{name}: disk", float(size), "bytes", 120, f"table statements, {parts} parts")
