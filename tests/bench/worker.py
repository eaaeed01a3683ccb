"""The whole worker: a log that was filled before, read to its end, every row in ClickHouse, offsets committed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.client import Client

from infra.dev import processes
from infra.runtime import kafka, registry
from tests.bench.calibrated import take_into_use
from tests.bench.figures import Figure
from tests.bench.pure import CODEC, told
from tests.bench.servers import PARTITIONS, Servers, servers, wait_until
from tests.bench.workload import ENVELOPE, Mix, envelopes

STATEMENTS = 400_000
PASSING = 200_000
LONGEST = 240.0


@dataclass(frozen=True)
class Measured:
    """One log, from the moment the worker has its partitions to the commit of the last offset.

    Attributes:
        statements, students: how many.
        seconds: for all of it.
        cpu_us: processor time by process, µs a statement.
        peak_mib: most memory of the worker.
        disk_bytes: of the table statements, each.
        between: statements a second between the first flush and the last one, those of the first left out; NaN of one.
    """

    statements: int
    students: int
    seconds: float
    cpu_us: dict[str, float]
    peak_mib: float
    disk_bytes: float
    between: float

    @property
    def rate(self) -> float:
        """Statements a second."""
        return self.statements / self.seconds


def worker() -> Iterator[Figure]:
    """Throughput of one worker beside broker and front on the same machine."""
    for name, mix, count, goal in (
        ("school's mix", Mix(), STATEMENTS, 30_000),
        ("all attempts", Mix(attempts=1.0), STATEMENTS // 2, 15_000),
    ):
        found = measure(mix, count)
        yield Figure("worker", name, found.rate, "statements/s", goal, _circumstances(found))
        told = ", ".join(f"{process} {spent:.1f}" for process, spent in found.cpu_us.items())
        yield Figure("worker", f"{name}: processor time", sum(found.cpu_us.values()), "µs", note=told)
        yield Figure("worker", f"{name}: memory", found.peak_mib, "MiB", 600, "peak of the worker")
        yield Figure(
            "worker", f"{name}: disk", found.disk_bytes, "bytes", 120, "table statements, while parts are being merged"
        )


def passing() -> Iterator[Figure]:
    """A worker that meets 200,000 students four times each, at random: its memory when it has forgotten statements more
    than once, and its rate when no cache helps."""
    found = measure(Mix(students=PASSING, session=1), 4 * PASSING)
    yield Figure("passing", "students met once", found.rate, "statements/s", note=_circumstances(found))
    yield Figure("passing", "memory", found.peak_mib, "MiB", 600, "peak of the worker")


def measure(mix: Mix, count: int) -> Measured:
    """Fill a log, start a worker on it, wait until all is written and committed."""
    with servers() as running:
        engine = registry.open_registry(running.settings.registry_url())
        take_into_use(engine)
        engine.dispose()
        return consume(running, mix, count)


def consume(running: Servers, mix: Mix, count: int, seed: int = 1) -> Measured:
    """Put statements into the log of running servers, start a worker, wait for all to be written, stop the worker."""
    asyncio.run(fill(running, mix, count, seed))
    store = running.store()

    def stored() -> int:
        # Of this log alone: a count of all that is stored takes longer than the log where much is.
        since = f"stored >= fromUnixTimestamp64Micro({mix.first_us})"
        return int(store.query(f"SELECT count() FROM statements FINAL WHERE {since}").result_rows[0][0])

    def flushed() -> int:
        return int(store.query("SELECT sum(statements) FROM sink_flushes").result_rows[0][0])

    stored_before, flushed_before, since_us = stored(), flushed(), time.time_ns() // 1_000
    with running.worker() as worker:
        watched = (worker, running.front, running.broker)
        began, before = time.perf_counter(), [one.cpu_seconds() for one in watched]

        def last_words() -> str:
            return "\n".join(processes.last_lines(worker.log))

        def committed() -> bool:
            return not sum(one.lag for one in kafka.lag(running.settings.kafka, "statements"))

        wait_until(lambda: flushed() - flushed_before >= count, LONGEST, told=last_words, pause=0.2)
        wait_until(committed, LONGEST, told=last_words)
        seconds = time.perf_counter() - began
        used = {one.name: one.cpu_seconds() - was for one, was in zip(watched, before, strict=True)}
        peak_mib = worker.peak_mib()
    kept = stored() - stored_before
    assert kept == count, f"{kept} of {count} statements are in the store"
    students = store.query("SELECT uniqExact(student_id) FROM statements").result_rows[0][0]
    disk = store.query(
        "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts"
        " WHERE active AND table = 'statements' AND database = currentDatabase()"
    ).result_rows[0][0]
    return Measured(
        count,
        students,
        seconds,
        {name: spent / count * 1e6 for name, spent in used.items()},
        peak_mib,
        disk,
        _between_flushes(store, since_us),
    )


def _between_flushes(store: Client, since_us: int) -> float:
    """Statements a second from the first flush since then (µs) to the last one; NaN where it is the only one."""
    flushes = store.query(
        "SELECT toUnixTimestamp64Micro(flushed_at) AS at, sum(statements) FROM sink_flushes"
        f" WHERE flushed_at >= fromUnixTimestamp64Micro({since_us}) GROUP BY at ORDER BY at"
    ).result_rows
    if len(flushes) < 2:
        return math.nan
    return float(sum(row[1] for row in flushes[1:]) / (flushes[-1][0] - flushes[0][0]) * 1e6)


def _circumstances(found: Measured) -> str:
    return (
        f"{found.statements:,} statements of {found.students:,} students, envelopes of {ENVELOPE},"
        f" to the last commit, {found.seconds:.1f} s"
    )


async def fill(running: Servers, mix: Mix, count: int, seed: int = 1) -> None:
    """Fill the statements topic."""
    topic = kafka.statements_topic(running.settings.kafka)
    producer = AIOKafkaProducer(
        acks="all",
        linger_ms=5,
        max_batch_size=1 << 20,
        max_request_size=8 << 20,
        **kafka.connection(running.settings.kafka),
    )
    await producer.start()
    try:
        for partition, envelope in envelopes(count, mix, partitions=PARTITIONS, seed=seed):
            await producer.send(topic, CODEC.encode(envelope), partition=partition, headers=[told(envelope)])
        await producer.flush()
    finally:
        await producer.stop()
