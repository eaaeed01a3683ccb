"""From a POST to the row that a query sees, by the clock of somebody outside: the client posts, a poller looks.

Beside a steady load, a few students' statements are posted one by one and looked for in ClickHouse every few
milliseconds, by primary key. A latency runs from before the request is sent to after the answer that shows the row.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from infra.dev.loadgen import Load, Outcome, generate
from infra.dev.posting import Connection
from tests.bench.figures import Figure
from tests.bench.servers import GaveUpError, Servers, servers

SECONDS = 20.0
PROBES_A_SECOND = 15.0
PROBED = 8
POLL_SECONDS = 0.01
LONGEST = 60.0


def visible() -> Iterator[Figure]:
    """At 500 and at 2,000 statements a second, in requests of ten."""
    with servers() as running:
        running.start_ingest()
        running.start_worker()
        account = running.account
        for rate, goal in ((500, 1_000), (2_000, 1_000)):
            load = Load(
                running.lrs, account.key, account.secret, connections=8, batch=10, rate=rate, seconds=SECONDS + 2
            )
            outcome, latencies = asyncio.run(_probe(running, load))
            assert set(outcome.statuses) == {200}, f"not all was accepted: {outcome}"
            hundredths = statistics.quantiles(latencies, n=100, method="inclusive")
            note = f"{len(latencies)} probes beside {outcome.rate:,.0f} statements/s; posting p95 " + (
                f"{outcome.latency_ms(0.95):.0f} ms"
            )
            for share, wanted in ((50, None), (95, goal), (99, None)):
                name = f"{rate:,}/s: p{share}"
                yield Figure("visible", name, hundredths[share - 1] * 1e3, "ms", wanted, note if share == 95 else "")


async def _probe(running: Servers, load: Load) -> tuple[Outcome, list[float]]:
    """Latencies of the probes, s, beside a load."""
    store = running.store()
    poster = Connection(load.url, load.key, load.secret)
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    ids = await _students(poster, store, sent, seen)
    sent.clear()
    seen.clear()
    loading = asyncio.create_task(generate(load))
    await asyncio.sleep(1.0)
    done = asyncio.Event()
    polling = asyncio.create_task(_poll(store, ids, sent, seen, done))
    rng = random.Random(1)
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        await _post(poster, rng.randrange(PROBED), sent)
        await asyncio.sleep(rng.expovariate(PROBES_A_SECOND))
    outcome = await loading
    done.set()
    await polling
    poster.close()
    return outcome, [seen[one] - began for one, began in sent.items()]


async def _students(poster: Connection, store: Client, sent: dict[str, float], seen: dict[str, float]) -> list[str]:
    """Student ids of those whose statements are looked for."""
    for number in range(PROBED):
        await _post(poster, number, sent)
    listed = ",".join(f"'{one}'" for one in sent)
    deadline = time.monotonic() + LONGEST
    while True:
        rows = store.query(f"SELECT DISTINCT toString(student_id) FROM statements WHERE statement_id IN ({listed})")
        if len(rows.result_rows) == PROBED:
            return [str(row[0]) for row in rows.result_rows]
        if time.monotonic() > deadline:
            raise GaveUpError(f"only {len(rows.result_rows)} of {PROBED} statements arrived in {LONGEST:.0f} s")
        await asyncio.sleep(0.2)


async def _post(poster: Connection, student: int, sent: dict[str, float]) -> None:
    statement_id = str(uuid.uuid4())
    body = {
        "id": statement_id,
        "actor": {"account": {"homePage": "https://probe.example", "name": f"probe-{student}"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": "https://probe.example/items/1"},
        "result": {"success": True},
        "timestamp": datetime.now(UTC).isoformat(),
    }
    sent[statement_id] = time.perf_counter()
    answer = await poster.request("POST", "/statements", json.dumps(body).encode())
    if answer.status != 200:
        raise GaveUpError(f"a probe was answered {answer.status}: {answer.body[:200]!r}")


async def _poll(
    store: Client, students: list[str], sent: dict[str, float], seen: dict[str, float], done: asyncio.Event
) -> None:
    """Look until everything that was sent is seen."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    listed = ",".join(f"'{one}'" for one in students)
    query = f"SELECT toString(statement_id) FROM statements WHERE student_id IN ({listed}) AND timestamp >= '{since}'"
    deadline = time.monotonic() + SECONDS + LONGEST
    while not (done.is_set() and len(seen) >= len(sent)):
        rows = await asyncio.to_thread(lambda: store.query(query).result_rows)
        now = time.perf_counter()
        for (statement_id,) in rows:
            seen.setdefault(statement_id, now)
        if time.monotonic() > deadline:
            raise GaveUpError(f"{len(sent) - len(seen)} statements were not seen in time")
        await asyncio.sleep(POLL_SECONDS)
