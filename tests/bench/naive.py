"""Faust as users write it beside this project's worker, on the same statements, in the same run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from infra.dev import processes
from infra.runtime import kafka
from schemas.partitioning import partition_of
from tests.bench import naive_app
from tests.bench.figures import Figure
from tests.bench.servers import PARTITIONS, Servers, servers, wait_until
from tests.bench.worker import measure
from tests.bench.workload import Mix, items

STATEMENTS = 20_000
OURS = 400_000
TURNS = 3
LONGEST = 120.0


def naive() -> Iterator[Figure]:
    """One statement a record and a table write each, then ours, in turns; the ratio counts for us all that Faust's
    lacks. Faust's is timed from its first statement to its last one, and so is ours, from flush to flush; from the
    worker's partitions to the last commit is told beside it."""
    alone: list[float] = []
    whole: list[float] = []
    between: list[float] = []
    for _ in range(TURNS):
        with servers() as running:
            alone.append(STATEMENTS / _naive_seconds(running))
        ours = measure(Mix(), OURS)
        whole.append(ours.rate)
        between.append(ours.between)
    written = f"{OURS:,} statements, all rows in ClickHouse"
    yield _median("Faust alone", alone, f"{STATEMENTS:,} records, tables in memory")
    yield _median("our worker, first to last flush", between, written)
    yield _median("our worker, partitions to last commit", whole, written)
    ratios = [ours / faust for ours, faust in zip(between, alone, strict=True)]
    yield Figure("naive", "ours to naive, first to last", median(ratios), "×", 15, _turns(ratios, ".1f"))
    ratios = [ours / faust for ours, faust in zip(whole, alone, strict=True)]
    yield Figure("naive", "ours to naive, with our ends", median(ratios), "×", note=_turns(ratios, ".1f"))


def _median(name: str, rates: list[float], note: str) -> Figure:
    return Figure("naive", name, median(rates), "statements/s", note=f"{note}; {_turns(rates, ',.0f')}")


def _turns(values: list[float], form: str) -> str:
    return "median of turns: " + ", ".join(format(value, form) for value in values)


def _naive_seconds(running: Servers) -> float:
    asyncio.run(_fill(running))
    log = running.settings.data_dir / "naive.log"
    environment = {
        **os.environ,
        "NAIVE_BROKER": running.settings.kafka.bootstrap_servers,
        "NAIVE_STATEMENTS": str(STATEMENTS),
        "NAIVE_PARTITIONS": str(PARTITIONS),
        "FAUST_DATADIR": str(running.settings.data_dir / "faust"),
    }
    child = processes.spawn([sys.executable, "-m", naive_app.__name__], log, environment)
    try:
        wait_until(lambda: _told(log) > 0, LONGEST, lambda: child.poll() is None, lambda: log.read_text()[-2000:])
    finally:
        processes.stop(child, 10.0)
    return _told(log)


def _told(log: Path) -> float:
    """What it printed; Faust makes a line of its log of it."""
    told = log.read_text().partition(naive_app.TOOK)[2].split()
    return float(told[0]) if told else 0.0


async def _fill(running: Servers) -> None:
    admin = KafkaAdminClient(**kafka.connection(running.settings.kafka))
    admin.create_topics([NewTopic(naive_app.TOPIC, PARTITIONS, 1)])
    admin.close()
    producer = AIOKafkaProducer(acks="all", linger_ms=5, **kafka.connection(running.settings.kafka))
    await producer.start()
    try:
        for item in items(STATEMENTS):
            partition = partition_of(item.student_id, PARTITIONS)
            await producer.send(naive_app.TOPIC, item.statement, key=item.student_id.encode(), partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
