"""The parts around the core that need no server: progress, health, slices, the sink's patience."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from prometheus_client import CollectorRegistry

from schemas.avro_registry import FileSchemaRegistry
from schemas.codec import dead_letter_codec
from schemas.events import LATENCY_BOUNDS_MS, DeadLetter
from schemas.tables import migrations
from streams.dead_letters import CUT_BYTES, DeadLetters, key_of, of_refused
from streams.health import Health, HealthServer
from streams.learner.state import SkillState
from streams.processor import Record
from streams.progress import Progress, latency_buckets
from streams.rows import tables
from streams.rows.states import Stamp, skill_row
from streams.rows.tables import Row
from streams.sink import Refused, Sink, StoppedError
from streams.waiting import LARGEST_BATCH_BYTES, MOST_STUDENTS, SMALL_BATCH_BYTES, Waiting


def test_every_column_that_is_written_is_one_of_the_schema() -> None:
    ddl = "\n".join(statement for migration in migrations() for statement in migration.statements)
    for columns in tables.ALL:
        # A table that was made anew took the place of the one before it.
        begins = re.findall(
            rf"CREATE TABLE (?:IF NOT EXISTS )?{columns.table}(?:_before)?\n(.*?)ENGINE", ddl, re.DOTALL
        )
        body = begins[-1]
        known = {line.split()[0] for line in body.splitlines() if line.startswith("    ")}
        computed = {line.split()[0] for line in body.splitlines() if " MATERIALIZED " in line or " ALIAS " in line}
        defaulted = {line.split()[0] for line in body.splitlines() if " DEFAULT " in line}
        for altered in re.findall(rf"ALTER TABLE {columns.table}\b(?:.*\n?)(?: .*\n?)*", ddl):
            added = re.findall(r"ADD COLUMN (?:IF NOT EXISTS )?(\w+) (.*)", altered)
            defaulted |= {name for name, rest in added if " MATERIALIZED " not in rest}
        needed = known - computed - defaulted - {"INDEX", "PROJECTION"}
        assert needed <= set(columns.names) <= needed | defaulted, columns.table


def test_latencies_fall_into_the_buckets_of_their_bounds() -> None:
    written = 10_000_000
    buckets = latency_buckets([written - 1_000, written - 1_001, written - 11_000_000, written + 5_000], written)
    assert buckets[0] == 2
    assert buckets[1] == 1
    assert buckets[len(LATENCY_BOUNDS_MS)] == 1


def test_progress_never_goes_back_and_tells_the_lag() -> None:
    progress = Progress(generation=2)
    progress.flushed(1, 10, [500])
    progress.flushed(1, 8)
    progress.end(1, 12, seen_us=9)
    progress.end(1, 11, seen_us=8)
    assert progress.lags() == {1: 2}
    assert progress.rows([0, 1]) == [(2, 1, 10, 12, 500, 9)]
    progress.drop([1])
    assert progress.rows([0, 1]) == []


def test_health_answers_over_http_on_the_next_free_port() -> None:
    health = Health(30.0, lambda: 0.0)
    first = HealthServer("127.0.0.1", 47_067, health, CollectorRegistry())
    second = HealthServer("127.0.0.1", first.port, health, CollectorRegistry())
    first.start()
    second.start()
    try:
        assert second.port > first.port
        base = f"http://127.0.0.1:{second.port}"
        with urllib.request.urlopen(f"{base}/health/live") as answer:
            assert json.load(answer) == {"live": True, "ready": False, "lag": 0, "fault": ""}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{base}/health/ready")
        assert caught.value.code == 503
        caught.value.close()
        with urllib.request.urlopen(f"{base}/metrics") as answer:
            assert answer.status == 200
    finally:
        first.stop()
        second.stop()


def test_a_batch_is_cut_where_its_bytes_grow_too_many() -> None:
    large = Record(0, 0, b"x" * (LARGEST_BATCH_BYTES - 1))
    small = Record(0, 1, b"xx")
    waiting = Waiting()
    waiting.put([small, small, large, large, small])
    cut = []
    while waiting.arrived.is_set():
        cut.append(len(waiting.cut().records))
    assert cut == [2, 1, 1, 1]


def test_a_batch_of_many_students_makes_the_next_ones_smaller() -> None:
    waiting = Waiting()
    record = Record(0, 0, b"x" * SMALL_BATCH_BYTES)
    waiting.put([record] * 60)
    run = waiting.cut()
    assert len(run.records) == LARGEST_BATCH_BYTES // SMALL_BATCH_BYTES
    waiting.met(run, 2 * MOST_STUDENTS)
    run = waiting.cut()
    assert len(run.records) == LARGEST_BATCH_BYTES // SMALL_BATCH_BYTES // 2
    waiting.met(run, 1_000 * MOST_STUDENTS)
    assert len(waiting.cut().records) == 1
    waiting.met(run, 0)
    assert len(waiting.cut().records) == 20


def test_after_a_batch_of_nothing_there_is_room_still() -> None:
    waiting = Waiting()
    waiting.put([Record(0, 0, b"")])
    waiting.met(waiting.cut(), 1)
    assert waiting.room.is_set()
    assert not waiting.enough.is_set()


def test_there_is_room_while_less_than_a_batch_waits() -> None:
    waiting = Waiting()
    assert waiting.room.is_set()
    assert waiting.idle.is_set()
    waiting.put([Record(0, 0, b"x" * LARGEST_BATCH_BYTES), Record(1, 0, b"x")])
    assert not waiting.room.is_set()
    assert waiting.enough.is_set()
    run = waiting.cut()
    assert waiting.room.is_set()
    assert not waiting.enough.is_set()
    waiting.put_back(run.owned)
    waiting.drop([0])
    assert waiting.room.is_set()
    assert run.owned == []
    waiting.written()
    assert not waiting.idle.is_set()
    assert waiting.cut().records == [Record(1, 0, b"x")]
    waiting.written()
    assert waiting.idle.is_set()


class FakeClient:
    """Fails as told, then takes rows; a row whose first value is 'poison' is always refused."""

    def __init__(self, failures: list[Exception] | None = None) -> None:
        self.failures = failures or []
        self.taken: list[tuple[Any, ...]] = []

    def raw_insert(self, _table: str, names: Sequence[str], block: bytes, fmt: str, settings: object) -> None:
        assert fmt == "Native"
        if self.failures:
            raise self.failures.pop(0)
        rows = rows_of(bytes(block), names)
        if any(row[0] == "poison" for row in rows):
            raise DatabaseError("cannot parse", code=6)
        self.taken += rows

    def query(self, _sql: str, **_: Any) -> Any:
        names = tables.REJECTIONS.names
        return type("Result", (), {"result_columns": [["rejections"] * len(names), names, ["String"] * len(names)]})

    def close(self) -> None:
        """Nothing to close."""


def rows_of(block: bytes, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Rows of a Native block of short strings."""
    assert block[0] == len(names)
    many, place = block[1], 2
    strings = []
    while place < len(block):
        strings.append(block[place + 1 : place + 1 + block[place]].decode())
        place += 1 + block[place]
    columns = [strings[start : start + many + 2] for start in range(0, len(strings), many + 2)]
    assert [column[:2] for column in columns] == [[name, "String"] for name in names]
    return list(zip(*(column[2:] for column in columns), strict=True))


def a_row(name: str) -> Row:
    return (name, *["x"] * (len(tables.REJECTIONS.names) - 1))


class Patient(threading.Event):
    """A stop that is never told, and does not wait."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


def test_the_sink_waits_while_the_store_is_away() -> None:
    client = FakeClient([OperationalError("away"), ConnectionError("away"), DatabaseError("too many parts", code=252)])
    sink = Sink(lambda: client, Patient())  # type: ignore[arg-type, return-value]
    assert sink.insert(tables.REJECTIONS, [a_row("a")]) == []
    assert client.taken == [a_row("a")]
    assert sink.away == ""


def test_the_sink_stops_waiting_when_told() -> None:
    stop = threading.Event()
    stop.wait = lambda timeout=None: True  # type: ignore[method-assign]
    sink = Sink(lambda: FakeClient([OperationalError("away")]), stop)  # type: ignore[arg-type, return-value]
    with pytest.raises(StoppedError):
        sink.insert(tables.REJECTIONS, [a_row("a")])
    assert sink.away == "ClickHouse does not answer: away"


def test_a_row_that_the_store_refuses_does_not_block_the_others() -> None:
    client = FakeClient()
    sink = Sink(lambda: client, Patient())  # type: ignore[arg-type, return-value]
    rows = [a_row(name) for name in ("a", "b", "poison", "c", "d")]
    [refused] = sink.insert(tables.REJECTIONS, rows)
    assert refused.row == a_row("poison")
    assert sorted(client.taken) == [a_row(name) for name in "abcd"]


def test_most_rows_refused_is_no_fault_of_the_rows() -> None:
    client = FakeClient()
    paused = []

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            paused.append(timeout)
            return True

    sink = Sink(lambda: client, Once())  # type: ignore[arg-type, return-value]
    with pytest.raises(StoppedError):
        sink.insert(tables.REJECTIONS, [a_row("poison")] * 30)
    assert len(paused) == 1


def test_the_sink_says_why_it_waits_when_most_rows_are_refused() -> None:
    said: list[str] = []

    class Asked(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            said.append(sink.away)
            return True

    sink = Sink(lambda: FakeClient(), Asked())  # type: ignore[arg-type, return-value]
    with pytest.raises(StoppedError):
        sink.insert(tables.REJECTIONS, [a_row("poison")] * 30)
    assert said == ["ClickHouse refuses most rows of rejections: cannot parse"]


def test_how_long_a_request_is_under_way_is_seen_from_outside() -> None:
    seen: list[float] = []

    class Watched(FakeClient):
        def raw_insert(self, *arguments: Any, **more: Any) -> None:
            seen.append(sink.asking_seconds())
            super().raw_insert(*arguments, **more)

    sink = Sink(lambda: Watched(), Patient())  # type: ignore[arg-type, return-value]
    assert sink.asking_seconds() == 0.0
    sink.insert(tables.REJECTIONS, [a_row("a")])
    assert sink.asking_seconds() == 0.0
    assert seen[0] > 0.0


class FakeProducer:
    """Takes records of at most 300 kB, after it was away once."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, bytes]] = []
        self.failures: list[Exception] = [KafkaConnectionError("away")]

    async def send_and_wait(self, _topic: str, value: bytes, *, key: bytes) -> None:
        if self.failures:
            raise self.failures.pop()
        if len(value) > 300_000:
            raise MessageSizeTooLargeError
        self.kept.append((key, value))


async def test_a_dead_letter_is_kept_whatever_its_size_and_though_kafka_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.dead_letters._PAUSE_SECONDS", 0.0)
    producer, codec = FakeProducer(), dead_letter_codec(FileSchemaRegistry())
    letter = DeadLetter("statements", 1, 2, 30, -1, "", "", 0, "undecodable", "broken", b"x" * 1_000_000, 5)
    await DeadLetters(producer, codec).publish([letter])
    [(key, value)] = producer.kept
    assert key == b"statements/2/30/-1"
    kept = codec.decode(value)
    assert kept.payload == b"x" * CUT_BYTES
    assert kept.message == f"broken (the first {CUT_BYTES} of 1000000 bytes)"


def test_a_refused_row_becomes_a_dead_letter_at_its_position() -> None:
    row = tuple(0 if name in ("partition", "idx") else 7 if name == "offset" else "x" for name in tables.ATTEMPTS.names)
    letter = of_refused(Refused(tables.ATTEMPTS, row, "no"), "statements", 1, at=5)
    assert key_of(letter) == b"statements/0/7/0"
    assert letter.reason == "refused_by_attempts"
    assert json.loads(letter.payload)["item"] == "x"
    state = skill_row("student", "a", SkillState(1, memory=[0.5, 1.0]), Stamp(0, 0, 1, 2, 30))
    letter = of_refused(Refused(tables.SKILL_STATES, state, "no"), "statements", 1, at=5)
    assert json.loads(letter.payload)["memory"] == [0.5, 1.0]


def test_a_partition_is_told_once_what_it_runs_under_and_claims_nothing_else() -> None:
    progress = Progress(1)
    assert progress.activations([0, 1]) == [], "the prior is not told of"
    progress.activation = 2
    progress.flushed(1, 7)
    assert progress.activations([0, 1]) == [(1, 0, -1, -1, 2), (1, 1, 7, 7, 2)]
    assert progress.activations([0, 1]) == []
    progress.drop([1])
    assert progress.activations([0, 1]) == [(1, 1, -1, -1, 2)], "it was somebody else's meanwhile"
