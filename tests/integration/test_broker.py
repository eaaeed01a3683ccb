"""The broker as a process: it starts, keeps what it acknowledged, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from infra.dev.broker import Broker, metadata_brokers
from infra.dev.errors import LocalStackError

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "kafka") as broker:
        yield broker


def create(broker: Broker, topic: str, partitions: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        admin.close()


async def read_all(broker: Broker, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[bytes] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def test_no_acknowledged_record_is_lost_when_the_broker_is_killed_in_the_middle_of_sends(broker: Broker) -> None:
    create(broker, "kept")
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True, retry_backoff_ms=50
    )
    await producer.start()
    acknowledged: list[bytes] = []
    enough, killed = asyncio.Event(), asyncio.Event()

    async def send(first: int) -> None:
        number = first
        while not killed.is_set():
            value = str(number).encode()
            try:
                await producer.send_and_wait("kept", value)
            except KafkaError:
                return
            acknowledged.append(value)
            if len(acknowledged) >= 500:
                enough.set()
            number += 8

    senders = [asyncio.create_task(send(first)) for first in range(8)]
    await enough.wait()
    broker.kill()
    killed.set()
    broker.start()
    await asyncio.gather(*senders)
    await producer.stop()
    assert set(acknowledged) <= set(await read_all(broker, "kept"))


async def test_a_transaction_over_two_partitions_is_seen_whole(broker: Broker) -> None:
    create(broker, "pairs", partitions=2)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id="door-1")
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait("pairs", b"left", partition=0)
        await producer.send_and_wait("pairs", b"right", partition=1)
    await producer.begin_transaction()
    await producer.send_and_wait("pairs", b"half", partition=0)
    await producer.abort_transaction()
    await producer.stop()
    assert sorted(await read_all(broker, "pairs")) == [b"left", b"right"]


def test_a_stopped_broker_goes_on_with_its_topics_on_the_same_port(broker: Broker) -> None:
    create(broker, "stays")
    address = broker.bootstrap_servers
    broker.restart()
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        assert "stays" in admin.list_topics()
    finally:
        admin.close()


def test_a_topic_nobody_created_does_not_come_into_being(broker: Broker) -> None:
    consumer_sees = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        [described] = consumer_sees.describe_topics(["typo"])
        assert described["error_code"] != 0
        assert "typo" not in consumer_sees.list_topics()
    finally:
        consumer_sees.close()


def test_the_broker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux kills a child with its parent")
    program = (
        "import sys, time; from pathlib import Path; from infra.dev.broker import Broker\n"
        "broker = Broker(Path(sys.argv[1])).start(); print(broker.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_broker_that_cannot_start_is_named_with_the_end_of_its_log(broker: Broker, tmp_path: Path) -> None:
    second = Broker(broker.data_dir, log=tmp_path / "second.log")
    with pytest.raises(LocalStackError, match=r"(?s)ended with code 1.*Failed to acquire lock"):
        second.start()


def test_nobody_answers_on_a_port_where_no_broker_is(tmp_path: Path) -> None:
    assert metadata_brokers("127.0.0.1", Broker(tmp_path).port) == 0
