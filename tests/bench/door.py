"""Ingest: statements acknowledged by Kafka a second, how long a request waits for its answer, and who spends what."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Iterator

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from infra.dev.loadgen import Load, Outcome, bodies, generate
from ingest.xapi.accepted import read
from ingest.xapi.faults import Faults
from ingest.xapi.parse import parse
from ingest.xapi.validation import batch as check
from tests.bench.figures import Figure
from tests.bench.pure import median_seconds
from tests.bench.servers import Servers, servers

SECONDS = 8.0
WARM_UP = 20_000
WARM_UP_SECONDS = 3.0
CONNECTIONS = 8
VALIDATED = 5_000
"""Statements read and checked for the share of validation."""


def ingest() -> Iterator[Figure]:
    """Durable in Kafka, as fast as 8 connections ask; the load generator runs on the same cores."""
    with servers() as running:
        process = running.start_ingest()
        # Until every student has been met once: identities are made in the registry.
        _run(running, 50, statements=WARM_UP)
        for batch, goal in ((1, 4_000), (50, 30_000), (500, None)):
            _run(running, batch, seconds=WARM_UP_SECONDS)
            processors = (process.cpu_seconds, running.broker.cpu_seconds, time.process_time)
            before, rounds = [one() for one in processors], _rounds(running)
            found = _run(running, batch, seconds=SECONDS)
            failed = sum(count for status, count in found.statuses.items() if status != 200)
            assert not failed, f"{failed} requests were not answered 200: {found}"
            spent = [(one() - was) / found.statements * 1e6 for one, was in zip(processors, before, strict=True)]
            together = sum(found.statuses.values()) / (_rounds(running) - rounds)
            note = (
                f"{CONNECTIONS} connections, {found.seconds:.0f} s, {together:.1f} requests published together; µs of "
                f"processor each: ingest {spent[0]:.1f}, broker {spent[1]:.1f}, load generator {spent[2]:.1f}"
            )
            yield Figure("ingest", f"batch {batch}", found.rate, "statements/s", goal, note)
            yield Figure("ingest", f"batch {batch}: processor of ingest", spent[0], "µs")
            yield from _validation(batch, spent[0])
            yield Figure("ingest", f"batch {batch}: p50", found.latency_ms(0.5), "ms")
            yield Figure("ingest", f"batch {batch}: p99", found.latency_ms(0.99), "ms", 25 if batch == 1 else None)


def _validation(batch: int, spent_us: float) -> Iterator[Figure]:
    """What reading and checking a body takes of the processor time of a statement, the compiled way and the other."""
    sent = bodies(Load("http://127.0.0.1:1/xapi", "key", "secret", batch=batch), VALIDATED // batch)

    def short() -> None:
        for body in sent:
            assert read(body, version_2=False) is not None

    def reference() -> None:
        for body in sent:
            faults = Faults()
            check(parse(body, faults) if batch > 1 else [parse(body, faults)], faults, version_2=False)
            assert not faults

    for name, way in (("compiled", short), ("reference", reference)):
        each = median_seconds(way) / (VALIDATED // batch * batch) * 1e6
        note = f"{each / spent_us:.0%} of the processor time of ingest"
        yield Figure("ingest", f"batch {batch}: reading and validation, {name}", each, "µs", note=note)


def _run(running: Servers, batch: int, *, seconds: float = 0.0, statements: int = 0) -> Outcome:
    account = running.account
    load = Load(running.lrs, account.key, account.secret, CONNECTIONS, batch, seconds=seconds, statements=statements)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(generate(load))


def _rounds(running: Servers) -> float:
    """Rounds of publishing so far."""
    url = running.lrs.removesuffix("/xapi") + "/metrics"
    with urllib.request.urlopen(url, timeout=10.0) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "ingest_publish_seconds_count"
    )
