"""Ingest: statements acknowledged by Kafka a second, and how long a request waits for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from infra.dev.loadgen import Load, generate
from tests.bench.figures import Figure
from tests.bench.servers import servers

SECONDS = 8.0
WARM_UP = 20_000
CONNECTIONS = 8


def ingest() -> Iterator[Figure]:
    """Durable in Kafka, as fast as 8 connections ask; the load generator runs on the same cores."""
    with servers() as running:
        process = running.start_ingest()
        account = running.account
        # Until every student has been met once: identities are made in the registry.
        warm_up = Load(running.lrs, account.key, account.secret, CONNECTIONS, batch=50, statements=WARM_UP)
        asyncio.run(generate(warm_up))
        for batch, goal in ((1, 4_000), (50, 30_000), (500, None)):
            before = process.cpu_seconds()
            found = asyncio.run(
                generate(Load(running.lrs, account.key, account.secret, CONNECTIONS, batch, seconds=SECONDS))
            )
            failed = sum(count for status, count in found.statuses.items() if status != 200)
            assert not failed, f"{failed} requests were not answered 200: {found}"
            cpu = (process.cpu_seconds() - before) / found.statements * 1e6
            note = f"{CONNECTIONS} connections, {found.seconds:.0f} s, {cpu:.0f} µs of ingest's processor each"
            yield Figure("ingest", f"batch {batch}", found.rate, "statements/s", goal, note)
            yield Figure("ingest", f"batch {batch}: p50", found.latency_ms(0.5), "ms")
            yield Figure("ingest", f"batch {batch}: p99", found.latency_ms(0.99), "ms", 25 if batch == 1 else None)
