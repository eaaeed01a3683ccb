"""Names stay at the door: after a sample district has posted, log and store hold no name and no address of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition

from infra.dev.simulation.district import District
from infra.dev.simulation.people import identifier
from infra.dev.simulation.preparation import Options, prepare
from infra.dev.simulation.runner import run
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.kafka import connection, statements_topic
from infra.runtime.settings import Settings
from schemas import topics
from tests.fixtures.services import Services

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

_GONE_QUIET = 3.0


def told_apart(district: District) -> set[str]:
    """What would tell somebody apart, in lower case: names, addresses, account names and the like."""
    found = {name for student in district.students for name in (student.given_name, student.family_name)}
    found |= {part for member in district.staff for part in (*member.name.split(" "), member.email)}
    for student in district.students:
        for actor in student.actors.values():
            value = identifier(actor)[1]
            # A bare number of five digits stands in offsets and counts, too: with its home page it tells.
            found.add(value.removeprefix("mailto:"))
    return {one.lower() for one in found}


def log_of(settings: Settings) -> Iterator[bytes]:
    """Keys, values and headers of every record in every topic, as they are once decompressed."""
    consumer = KafkaConsumer(enable_auto_commit=False, consumer_timeout_ms=2000, **connection(settings.kafka))
    names = [statements_topic(settings.kafka), *(t.name for t in topics.ALL if t is not topics.STATEMENTS)]
    partitions = [TopicPartition(name, p) for name in names for p in consumer.partitions_for_topic(name) or ()]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    for record in consumer:
        yield b"\n".join([record.key or b"", record.value or b"", *(value for _, value in record.headers)])
    consumer.close()


def store_of(client: Client, database: str) -> Iterator[str]:
    """Every row of every table, as text."""
    for (table,) in client.query(
        "SELECT name FROM system.tables WHERE database = {database:String} AND engine != 'View'",
        parameters={"database": database},
    ).result_rows:
        for row in client.query(f"SELECT * FROM `{table}`").result_rows:
            yield repr(row)


def settled(client: Client) -> int:
    """Statements in the store, when their number no longer grows."""
    count, since, deadline = -1, time.monotonic(), time.monotonic() + 120
    while time.monotonic() - since < _GONE_QUIET and time.monotonic() < deadline:
        now = int(client.query("SELECT count() FROM statements FINAL").result_rows[0][0])
        if now != count or not now:
            count, since = now, time.monotonic()
        time.sleep(0.3)
    return count


def test_log_and_store_hold_no_name_and_no_address_of_the_sample_district(services_of: Callable[[int], Services]):
    services = services_of(72)
    settings = services.settings
    district = prepare(settings, Options(size=30, history_days=8))[0]
    services.start("ingest", "worker")
    assert run(settings, Options(once=True, patience=120)) == 0
    needles = told_apart(district)
    assert len(needles) > 250

    with open_clickhouse(settings.clickhouse) as client:
        assert settled(client) > 1500
        rows = list(store_of(client, settings.clickhouse.database))
    records = list(log_of(settings))
    assert len(rows) > 3000
    assert sum(map(len, records)) > 500_000

    text = "\n".join(rows).lower() + "\n" + b"\n".join(records).decode("utf-8", "replace").lower()
    assert "answered" in text, "the scan sees what is written"
    assert [one for one in sorted(needles) if one in text] == []
