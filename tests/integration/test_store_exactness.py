"""Sink and store against the real engine: whatever fails on the way, what is read back is what was written.

A worker is driven step by step through a log with corrections. Inserts fail before and after they took effect, batches
are written again, the worker dies between two tables; what the store tells is compared with a model of it, and the
tables at the end with those of a worker that nothing ever happened to.
"""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.settings import ClickHouseSettings
from schemas.events import Envelope
from streams import sink as sinks
from streams.batch import Batch, Record
from streams.dedupe import First
from streams.history import attempt_of, key_of, standing
from streams.kept import own
from streams.processor import Processor, ProcessorOptions
from streams.rows import tables
from streams.rows.arrival import Arrival, read
from streams.sink import Sink
from streams.store import ClickHouseStore, Store
from tests.fixtures.calibrations import drawn
from tests.fixtures.envelopes import FIRST_DAY_US, seeded_uuid
from tests.fixtures.memory_store import KEYS, MemoryStore
from tests.fixtures.record_logs import STUDENTS, Pick, Writer, corrections, plain, templates
from tests.fixtures.torn import TORN, WHOLE

pytestmark = pytest.mark.clickhouse

GENERATION = 1
CALIBRATION = drawn(random.Random(1), ["https://items.example/0", "https://items.example/1"], ["s1", "s2", "s3"])
_partitions = itertools.count(1)


class Faulty:
    """A client whose inserts and queries fail as told, one after the other: before or after they take effect."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.faults: list[str] = []

    def _maybe(self, moment: str) -> None:
        if self.faults and self.faults[0] == moment:
            self.faults.pop(0)
            raise OperationalError(f"the network fails {moment}")

    def raw_insert(self, *args: Any, **kwargs: Any) -> None:
        self._maybe("before")
        self._client.raw_insert(*args, **kwargs)
        self._maybe("after")
        if self.faults and self.faults[0] == "never":
            self.faults.pop(0)

    def query(self, *args: Any, **kwargs: Any) -> Any:
        self._maybe("reading")
        return self._client.query(*args, **kwargs)

    def close(self) -> None:
        """The connection stays for the next call."""


class Engine:
    """A migrated database that all examples share, each with a partition and students of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.faulty = Faulty(client)
        self.sink = Sink(lambda: cast(Client, self.faulty), threading.Event())

    def rows(self, columns: tables.Columns, partition: int) -> list[tuple[Any, ...]]:
        """All rows of a partition as a reader with FINAL sees them, but for their watermarks."""
        kinds = self.client.query(f"SELECT name, type FROM system.columns WHERE table = '{columns.table}'").result_rows
        types = {str(name): str(kind) for name, kind in kinds}
        names = [name for name in columns.names if name != "watermark"]
        wanted = ", ".join(_plain(name, types[name]) for name in names)
        sql = f"SELECT {wanted} FROM {columns.table} FINAL WHERE partition = {partition}"
        found = self.client.query(sql, query_formats={"UUID": "string"}).result_rows
        return sorted(
            tuple(str(v.encode()) if name == "statement" else v for name, v in zip(names, row, strict=True))
            for row in found
        )


def _plain(name: str, kind: str) -> str:
    if kind.startswith("DateTime64"):
        return f"toUnixTimestamp64Micro({name})"
    if kind.startswith("DateTime"):
        return f"toUnixTimestamp({name})"
    return f"toUInt16({name})" if kind == "Date" else name


@pytest.fixture(scope="module")
def engine(clickhouse_front: Front) -> Iterator[Engine]:
    front = ClickHouseSettings(host=clickhouse_front.host, port=clickhouse_front.port, database="exactness")
    clickhouse.migrate(front)
    with clickhouse.open_clickhouse(front) as client:
        yield Engine(client)
        client.command("DROP DATABASE exactness")


class Worker(RuleBasedStateMachine):
    """One worker and one partition."""

    engine: Engine

    @initialize(made=st.lists(templates, min_size=12, max_size=12))
    def begin(self, made: list[Any]) -> None:
        self.partition = next(_partitions)
        rng = random.Random(self.partition)
        self.students = {student: seeded_uuid(rng) for student in STUDENTS}
        self.writer = Writer(made)
        self.envelopes: list[Envelope] = []
        self.written: list[Batch] = []
        self.model = MemoryStore()
        self.committed = 0
        self.start()

    def start(self) -> None:
        self.read_until = self.committed
        self.store = ClickHouseStore(self.engine.sink.read, GENERATION)
        self.processor = self.a_processor(self.store)

    def a_processor(self, store: Store) -> Processor:
        options = ProcessorOptions(
            topic="statements", generation=GENERATION, timezone="America/Chicago", cached_students=2,
            remembered_statements=3, calibration=CALIBRATION, clock=lambda: FIRST_DAY_US,
        )  # fmt: skip
        return Processor(lambda value: self.envelopes[int(value)], store, options)

    def records(self, first: int, end: int) -> list[Record]:
        return [Record(self.partition, offset, str(offset).encode()) for offset in range(first, end)]

    def flush(self, batch: Batch, only: frozenset[tables.Columns] = WHOLE) -> None:
        for columns in tables.OF_STATEMENTS:
            if columns in only:
                assert not self.engine.sink.insert(columns, batch.rows[columns])
                self.model.write(columns, batch.rows[columns])

    @rule(some=st.lists(st.lists(st.one_of(plain, plain, corrections), min_size=1, max_size=4), min_size=1, max_size=4))
    def records_come(self, some: list[list[Pick]]) -> None:
        for picks in some:
            offset = len(self.envelopes)
            items = [self.writer.item(pick, offset, idx) for idx, pick in enumerate(picks)]
            moved = [msgspec.structs.replace(i, student_id=self.students[i.student_id]) for i in items]
            self.envelopes.append(Envelope("i", 0, moved))

    @precondition(lambda self: self.read_until < len(self.envelopes))
    @rule(
        share=st.floats(0.0, 1.0),
        faults=st.lists(st.sampled_from(["before", "after", "reading", "never"]), max_size=4),
        written=st.just(WHOLE) | st.sampled_from(TORN),
        commit=st.booleans(),
    )
    def a_batch_is_written(
        self, share: float, faults: list[str], written: frozenset[tables.Columns], commit: bool
    ) -> None:
        end = self.read_until + max(1, round(share * (len(self.envelopes) - self.read_until)))
        self.engine.faulty.faults = list(faults)
        batch = self.processor.process(self.records(self.read_until, end))
        self.flush(batch, written)
        self.engine.faulty.faults = []
        self.written.append(batch)
        self.read_until = end
        if written != WHOLE:
            self.start()
        elif commit:
            self.committed = end

    @rule()
    def the_worker_is_killed(self) -> None:
        self.start()

    @precondition(lambda self: self.written)
    @rule(data=st.data(), written=st.just(WHOLE) | st.sampled_from(TORN))
    def an_old_batch_is_written_again(self, data: st.DataObject, written: frozenset[tables.Columns]) -> None:
        self.flush(data.draw(st.sampled_from(self.written), label="batch"), written)

    @precondition(lambda self: self.envelopes)
    @rule(until=st.integers(0, 40))
    def the_store_tells_what_was_written(self, until: int) -> None:
        students, model, store = list(self.students.values()), self.model, self.store
        arrivals = list(self.arrivals())
        assert store.latest([*students, str(uuid.uuid4())]) == model.latest(students)
        assert store.positions(arrivals) == model.positions(arrivals)
        assert _learners(store, students) == _learners(model, students)
        assert _days(store, students) == _days(model, students)
        day = FIRST_DAY_US // 86_400_000_000
        wanted = [(student, day + n) for student in students for n in range(3)]
        assert store.days(wanted).keys() == model.days(wanted).keys()
        last = dict.fromkeys(students, until)
        assert {s: {a.key: a for a in found} for s, found in store.attempts(last).items()} == {
            s: {a.key: a for a in found} for s, found in model.attempts(last).items()
        }
        assert store.removals(students) == model.removals(students)
        for moments in ((-(2**62), 2**62), (FIRST_DAY_US, FIRST_DAY_US + 20 * 3_600_000_000)):
            assert _standing(store, students, moments, until) == _standing(model, students, moments, until)
        firsts = {self.partition: First(until, FIRST_DAY_US + until * 3_600_000_000)}
        assert set(store.recent(firsts).get(self.partition, ())) == set(model.recent(firsts)[self.partition])
        minutes = [(self.partition, arrival.item.stored // 60_000_000, "a") for arrival in arrivals]
        assert {p: t.statements for p, t in store.tallies(minutes).items()} == {
            p: t.statements for p, t in model.tallies(minutes).items()
        }

    def arrivals(self) -> Iterator[Arrival]:
        for offset, envelope in enumerate(self.envelopes):
            for idx, item in enumerate(envelope.items):
                if item.flags < 8:
                    yield read(self.partition, offset, idx, item)

    def teardown(self) -> None:
        if not hasattr(self, "envelopes"):
            return
        self.start()
        for record in self.records(self.read_until, len(self.envelopes)):
            self.flush(self.processor.process([record]))
        straight = MemoryStore()
        processor = self.a_processor(straight)
        for record in self.records(0, len(self.envelopes)):
            straight.flush(processor.process([record]))
        expected = straight.contents("watermark")
        for columns in KEYS:
            assert self.engine.rows(columns, self.partition) == expected[columns.table], columns.table


def _learners(store: Store, students: list[str]) -> dict[str, Any]:
    return {
        student: (found.watermark, found.torn, found.state.rating, found.state.last,
                  {name: skill.values() for name, skill in found.state.skills.items()})
        for student, found in store.learners(students).items()
    }  # fmt: skip


def _days(store: Store, students: list[str]) -> dict[tuple[str, int], Any]:
    return {key: count.row(*key, GENERATION, 0) for key, count in store.days_of(students).items()}


def _standing(store: Store, students: list[str], moments: tuple[int, int], until: int) -> dict[str, Any]:
    """But for what was taken out after ``until``: its row is there or not, as ClickHouse has merged parts or not."""
    removed = store.removals(students)
    later = {(who, *key) for who, own_ones in removed.items() for key, one in own_ones.items() if one.offset > until}
    return {
        student: sorted(
            (a.place, a.item.verb, a.duration_ms, attempt_of(a) if a.outcome is not None else None)
            for a in standing(own(kept, GENERATION, until), removed.get(student, {}))
            if (student, *key_of(a)) not in later
        )
        for student, kept in store.kept(students, moments).items()
    }


def test_what_is_read_back_is_what_was_written(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "FIRST_PAUSE_SECONDS", 0.0)
    Worker.engine = engine
    run_state_machine_as_test(
        Worker,
        settings=settings(
            deadline=None, max_examples=6, stateful_step_count=10, suppress_health_check=list(HealthCheck)
        ),
    )
