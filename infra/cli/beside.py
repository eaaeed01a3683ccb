"""What rebuild and replay start from: the store, the log and the calibration of the workers that they run beside."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.cli.context import UsageFault
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.rebuild.comparing import Options
    from streams.rebuild.store import CommandStore


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One rebuild or replay at a time on a data directory; raises UsageFault beside another one."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "rebuild.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageFault("another rebuild or replay is running: one at a time") from None
        yield


@contextmanager
def open_store(settings: Settings) -> Iterator[CommandStore]:
    """The store; what goes wrong with it is told in words."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from infra.runtime.clickhouse import open_clickhouse
    from streams.rebuild.store import CommandStore

    place = f"ClickHouse at {settings.clickhouse.host}:{settings.clickhouse.port}"
    try:
        client = open_clickhouse(settings.clickhouse)
    except ClickHouseError as error:
        raise UsageFault(f"{place} does not answer: {first_line(error)}") from None
    try:
        yield CommandStore(client)
    except ClickHouseError as error:
        raise UsageFault(
            f"{place}: {first_line(error)}. What was done stays done: the same command goes on from there"
        ) from None
    finally:
        client.close()


def first_line(error: Exception) -> str:
    """The beginning of an error's message."""
    return str(error).strip().split("\n", 1)[0][:300]


def options(settings: Settings, store: CommandStore, *, check: bool) -> Options:
    """A rebuild as the workers would compute it; raises UsageFault where the log does not answer or is another one."""
    from kafka.errors import KafkaError

    from infra.runtime import kafka
    from infra.runtime.registry import open_registry
    from schemas.partitioning import partition_of
    from streams.calibrations import running_calibration
    from streams.rebuild.comparing import Options
    from streams.rebuild.reading import newest_generation

    own, topic = settings.kafka, kafka.statements_topic(settings.kafka)
    try:
        known = kafka.lag(own, topic)
    except KafkaError as error:
        raise UsageFault(f"Kafka at {own.bootstrap_servers} does not answer: {first_line(error)}") from None
    if len(known) != own.partitions:
        raise UsageFault(
            f"topic {topic} has {len(known)} partitions, the settings say {own.partitions}: "
            "set ROUNDTRIP_KAFKA__PARTITIONS and ROUNDTRIP_KAFKA__GENERATION as the workers have them"
        )
    if (newest := newest_generation(store.read)) > own.generation:
        raise UsageFault(
            f"the workers are at generation {newest} of the log, the settings say {own.generation}: "
            f"set ROUNDTRIP_KAFKA__GENERATION={newest}"
        )
    engine = open_registry(settings.registry_url())
    try:
        running = running_calibration(engine)
    finally:
        engine.dispose()
    return Options(
        check=check,
        generation=own.generation,
        partitions=own.partitions,
        committed={place.partition: place.committed - 1 for place in known},
        calibration=running.calibration,
        activation=running.activation,
        timezone=settings.district.timezone,
        clock=now_us,
        fold_again=lambda students: _fold_again(settings, topic, students),
        partition_of=lambda student: partition_of(student, own.partitions),
    )


def _fold_again(settings: Settings, topic: str, students: Sequence[str]) -> None:
    from aiokafka.errors import KafkaError

    from schemas.avro_registry import schema_registry
    from schemas.codec import envelope_codec
    from streams.corrections.publisher import fold_again, publish_once

    now = now_us()
    codec = envelope_codec(schema_registry(settings.kafka.schema_registry_url))
    try:
        publish_once(settings.kafka, codec, topic, "rebuild", [fold_again(student, now) for student in students])
    except KafkaError as error:
        raise UsageFault(
            f"Kafka does not take that {len(students)} students are to be folded again: {first_line(error)}. "
            "The same command goes on from there"
        ) from None


def now_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000
