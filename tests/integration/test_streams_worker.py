"""Workers against real Kafka and the real ClickHouse engine: the tables end as if nothing had happened on the way."""

from __future__ import annotations

import random
import signal
import time
import urllib.request

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer

from infra.dev import processes
from infra.dev.front.process import Front
from infra.runtime import kafka
from schemas import topics
from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import dead_letter_codec, provider_minute_codec, rejection_codec
from schemas.events import DeadLetter, ProviderMinute, Rejection
from tests.fixtures.envelopes import DAY_US, FIRST_DAY_US, Mix, make_item, make_items, seeded_uuid
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MIX = Mix(students=40, skills=8, items=30, attempts=0.5, filler=50)


def assert_equals_the_reference(lab: Lab) -> None:
    found, expected = lab.tables(), lab.reference()
    for table, rows in expected.items():
        assert found[table] == rows, table


def test_all_rows_are_written_and_progress_says_so(lab: Lab) -> None:
    lab.publish(make_items(2_000, 1, MIX))
    worker = lab.start_worker()
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)
    ends = {p.partition: p.end - 1 for p in kafka.lag(lab.settings.kafka, lab.topic)}
    with lab.client() as client:
        query = "SELECT partition, max(offset), max(end_offset) FROM sink_progress GROUP BY partition"
        lab.wait_until(lambda: {p: o for p, o, _ in client.query(query).result_rows} == ends)
        assert client.query("SELECT sum(statements) FROM sink_flushes").result_rows == [(2_000,)]
    assert processes.stop(worker, 20)
    assert worker.returncode == 0


def test_a_worker_killed_in_the_middle_changes_nothing(lab: Lab) -> None:
    items = list(make_items(6_000, 2, MIX))
    rng = random.Random(5)
    late = [items.pop(rng.randrange(len(items))) for _ in range(400)]
    repeated = rng.sample(items, 300)
    lab.publish([*items[:4_000], *late, *items[4_000:], *repeated], size=5)
    for _ in range(3):
        worker = lab.start_worker()
        before = lab.count("statements")
        lab.wait_until(lambda before=before: lab.count("statements") > before or not lab_lag(lab))  # type: ignore[misc]
        processes.kill(worker)
    lab.start_worker()
    lab.wait_for_the_end()
    assert lab.count("outcomes") == 300
    assert_equals_the_reference(lab)


def lab_lag(lab: Lab) -> int:
    return sum(p.lag for p in kafka.lag(lab.settings.kafka, lab.topic))


def test_clickhouse_stopped_for_a_while_loses_nothing_and_nothing_is_acknowledged(
    lab_of_its_own_front: tuple[Lab, Front],
) -> None:
    lab, front = lab_of_its_own_front
    worker = lab.start_worker()
    lab.publish(make_items(500, 3, MIX))
    lab.wait_for_the_end()
    front.stop()
    lab.publish(make_items(1_500, 4, MIX))
    waiting = lab_lag(lab)
    time.sleep(20)
    assert lab_lag(lab) == waiting > 0
    assert worker.poll() is None
    front.start()
    lab.wait_for_the_end()
    assert worker.poll() is None
    assert lab.worker_log(0).count("partitions assigned") == 1, "the worker kept its place in the group"
    assert_equals_the_reference(lab)


def test_a_worker_that_waits_for_clickhouse_stops_when_told_and_the_next_one_goes_on(
    lab_of_its_own_front: tuple[Lab, Front],
) -> None:
    lab, front = lab_of_its_own_front
    worker = lab.start_worker()
    lab.publish(make_items(200, 12, MIX))
    lab.wait_for_the_end()
    front.kill()
    lab.publish(make_items(200, 13, MIX))
    lab.wait_until(lambda: "the store does not take it" in lab.worker_log(0))
    assert processes.stop(worker, 30)
    assert worker.returncode == 0
    front.start()
    lab.start_worker()
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)


def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(lab: Lab) -> None:
    good = list(make_items(100, 5, MIX))
    poison = msgspec.structs.replace(good[50], statement=b'{"actor": 1}')
    lab.start_worker()
    lab.publish([*good[:50], poison, *good[51:]])
    lab.publish_bytes(2, b"\x00\x00\x00\x00\x01garbage", {"provider-a": 7})
    lab.publish_bytes(3, b"no framing", {"provider-b": 2})
    lab.publish(make_items(50, 6, MIX))
    lab.wait_for_the_end()
    assert lab.count("statements") == 149
    assert_equals_the_reference(lab)
    letters = read_dead_letters(lab)
    assert sorted(letter.reason for letter in letters) == ["statement_invalid", "undecodable", "undecodable"]
    assert [letter.index for letter in letters if letter.reason == "undecodable"] == [-1, -1]


def read_dead_letters(lab: Lab) -> list[DeadLetter]:
    codec = dead_letter_codec(FileSchemaRegistry())
    consumer = KafkaConsumer(
        topics.DEAD_LETTERS.name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=f"reader-{lab.topic}",
        consumer_timeout_ms=4_000,
        **kafka.connection(lab.settings.kafka),
    )
    try:
        letters = [codec.decode(record.value) for record in consumer]
    finally:
        consumer.close()
    return [letter for letter in letters if letter.topic == lab.topic]


def test_a_second_worker_takes_over_partitions_and_gives_them_back(lab: Lab) -> None:
    items = list(make_items(6_000, 7, MIX))
    lab.start_worker()
    lab.wait_until(lambda: "partitions=[0, 1, 2, 3]" in lab.worker_log(0))
    lab.publish(items[:2_000], size=5)
    second = lab.start_worker()
    lab.wait_until(lambda: "partitions assigned" in lab.worker_log(1))
    lab.publish(items[2_000:4_000], size=5)
    lab.wait_for_the_end()
    assert processes.stop(second, 20)
    lab.wait_until(lambda: lab.worker_log(0).count("partitions=[0, 1, 2, 3]") >= 2)
    lab.publish(items[4_000:], size=5)
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)


def test_a_worker_that_sleeps_past_its_session_changes_nothing_when_it_wakes(lab: Lab) -> None:
    items = list(make_items(5_000, 8, MIX))
    zombie = lab.start_worker()
    lab.publish(items[:3_000], size=3)
    lab.wait_until(lambda: lab.count("statements") > 0)
    processes.signal_group(zombie, signal.SIGSTOP)
    lab.start_worker()
    lab.publish(items[3_000:], size=3)
    lab.wait_for_the_end()
    processes.signal_group(zombie, signal.SIGCONT)
    time.sleep(5)
    lab.publish(make_items(200, 9, MIX))
    lab.wait_for_the_end()
    assert_equals_the_reference(lab)


def test_duplicates_that_come_days_later_are_counted_and_change_nothing(lab: Lab) -> None:
    items = list(make_items(600, 10, MIX))
    first = lab.start_worker()
    lab.publish(items)
    lab.wait_for_the_end()
    states = lab.tables()["skill_states"]
    processes.stop(first, 20)
    lab.start_worker()
    again = [msgspec.structs.replace(item, stored=item.stored + 5 * DAY_US) for item in items[:250]]
    changed = msgspec.structs.replace(again[0], digest=again[0].digest ^ 1)
    lab.publish([*again, changed])
    lab.wait_for_the_end()
    with lab.client() as client:
        found = client.query("SELECT reason, sum(statements) FROM outcomes FINAL GROUP BY 1 ORDER BY 1").result_rows
    assert found == [("conflict", 1), ("duplicate", 250)]
    assert lab.tables()["skill_states"] == states
    assert_equals_the_reference(lab)


def test_counts_and_rejections_of_the_door_reach_their_tables(lab: Lab) -> None:
    schemas = FileSchemaRegistry()
    minutes, rejections = provider_minute_codec(schemas), rejection_codec(schemas)
    producer = KafkaProducer(**kafka.connection(lab.settings.kafka), acks="all")
    name = f"provider-{lab.settings.kafka.generation}"
    minute = FIRST_DAY_US
    for accepted in (1, 5):
        count = ProviderMinute(name, "ingest-1", minute, 2, accepted, 0, 900, [2, *[0] * 13])
        producer.send(topics.PROVIDER_MINUTES.name, minutes.encode(count), key=name.encode()).get(20)
    refused = Rejection(
        name, minute, "request-1", 400, "timestamp", "4.2.7", "$.timestamp", "not a time", "send one", "x"
    )
    producer.send(topics.REJECTIONS.name, rejections.encode(refused), key=name.encode()).get(20)
    producer.close()
    lab.start_worker()
    with lab.client() as client:
        accepted_of = f"SELECT sum(accepted) FROM provider_minutes FINAL WHERE provider_id = '{name}'"
        lab.wait_until(lambda: client.query(accepted_of).result_rows == [(5,)])
        rules = f"SELECT rule, path FROM rejections FINAL WHERE provider_id = '{name}'"
        lab.wait_until(lambda: client.query(rules).result_rows == [("timestamp", "$.timestamp")])


def test_health_tells_what_waits(lab: Lab) -> None:
    lab.start_worker()
    lab.wait_until(lambda: "partitions assigned" in lab.worker_log(0))
    rng = random.Random(1)
    lab.publish([make_item(seeded_uuid(rng), seeded_uuid(rng), FIRST_DAY_US)])
    lab.wait_for_the_end()

    def live() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{lab.settings.streams.port}/health/live") as answer:
            report = msgspec.json.decode(answer.read())
        return bool(report["live"] and report["ready"] and report["lag"] == 0)

    lab.wait_until(live)
