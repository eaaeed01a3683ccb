"""Envelopes to a batch of rows, without Kafka and without Faust: the worker, the tests and a rebuild run the same code.

A processor owns what is remembered of its partitions. Its results do not depend on how the log is cut into batches,
nor on how often a part of it is read again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from schemas.codec import CodecError
from schemas.events import CREDIT, DeadLetter, Envelope, Item
from streams.dedupe import PartitionMemory, Verdict, judge, unknown
from streams.learner.calibration import Calibration
from streams.learner.fold import Attempt, extend, fold
from streams.ledger import LATEST_STORED_US, MINUTE_US, Entry, Ledger, told_counts, told_replay
from streams.rows import tables
from streams.rows.arrival import NO_UUID, Arrival, Fault, attempt_row, credit_row, read, statement_row
from streams.rows.days import LocalDays
from streams.rows.engagement import DayCount
from streams.rows.tables import Columns, Row
from streams.state import Student, StudentCache
from streams.store import Store

REPEATED = Fault("duplicate", "the same statement was stored before")
CONFLICTING = Fault("conflict", "another statement was stored under this id before")


class Record(NamedTuple):
    """One record of the statements topic; ``timestamp_us`` is Kafka's time of the record, 0 when it is not known."""

    partition: int
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_us: int = 0


@dataclass
class PartitionPart:
    """What of a batch concerns one partition.

    Attributes:
        last_offset: of its last envelope.
        statements: primary items.
        stored: times at which they were stored, µs.
    """

    last_offset: int = -1
    statements: int = 0
    stored: list[int] = field(default_factory=list)


@dataclass
class Batch:
    """What becomes of some records: rows by table, dead letters, and how far each partition is."""

    rows: dict[Columns, list[Row]] = field(default_factory=lambda: {columns: [] for columns in tables.OF_STATEMENTS})
    dead: list[DeadLetter] = field(default_factory=list)
    parts: dict[int, PartitionPart] = field(default_factory=lambda: defaultdict(PartitionPart))
    students: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    duplicates: int = 0
    refolds: int = 0

    @property
    def statements(self) -> int:
        """Primary items in it."""
        return sum(part.statements for part in self.parts.values())


@dataclass(frozen=True)
class ProcessorOptions:
    """What a processor depends on; ``clock`` tells now in µs, for the times that rows tell of themselves."""

    topic: str
    generation: int
    timezone: str
    cached_students: int
    remembered_statements: int
    calibration: Calibration
    clock: Callable[[], int]


class Processor:
    """Turns records into batches. Not shared between threads."""

    def __init__(self, decode: Callable[[bytes], Envelope], store: Store, options: ProcessorOptions) -> None:
        self._decode = decode
        self._store = store
        self._options = options
        self._calibration = options.calibration
        self._days = LocalDays(options.timezone)
        self._memories: dict[int, PartitionMemory] = {}
        self._ledger = Ledger(options.generation)
        self.students = StudentCache(options.cached_students)

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked."""
        gone = set(partitions)
        for partition in gone:
            self._memories.pop(partition, None)
        self._ledger.drop(gone)
        self.students.drop(gone)

    def trim(self) -> None:
        """Between batches, when all is written: forget what has not been met for long."""
        self._ledger.trim()
        self.students.trim()

    def put_aside(self, record: Record, fault: Fault) -> Batch:
        """The batch of a record that cannot be processed: a dead letter, counted by its header."""
        batch = Batch()
        batch.parts[record.partition].last_offset = record.offset
        self._bury_envelope(batch, record, fault)
        batch.rows[tables.LEDGER] += self._ledger.rows(batch.entries, self._store)
        return batch

    def process(self, records: Iterable[Record]) -> Batch:
        """The batch of records that come in offset order within a partition."""
        batch = Batch()
        for memory in self._memories.values():
            memory.settle()
        arrivals = self._read(records, batch)
        batch.rows[tables.LEDGER] += self._ledger.rows(batch.entries, self._store)
        stored = self._store.positions(found) if (found := unknown(arrivals, self._memories)) else {}
        fresh = []
        for arrival in arrivals:
            verdict = judge(arrival, self._memories[arrival.partition], stored)
            if verdict is Verdict.FRESH:
                fresh.append(arrival)
            elif verdict is Verdict.DUPLICATE:
                if arrival.item.primary:
                    batch.duplicates += 1
                    self._outcome(batch, arrival.place, arrival.item, "duplicate", REPEATED)
            else:
                self._bury(batch, *arrival.place, arrival.item, CONFLICTING)
        self._statement_rows(fresh, batch)
        by_student: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in fresh:
            by_student[arrival.item.student_id].append(arrival)
        students = self._meet(by_student)
        self._count_days(by_student, students, batch)
        self._fold(by_student, students, batch)
        batch.students.update(students)
        return batch

    # Reading

    def _read(self, records: Iterable[Record], batch: Batch) -> list[Arrival]:
        arrivals = []
        for record in records:
            partition, offset = record.partition, record.offset
            part = batch.parts[partition]
            part.last_offset = offset
            try:
                envelope = self._decode(record.value)
            except CodecError as error:
                self._bury_envelope(batch, record, Fault("undecodable", str(error)))
                continue
            if envelope.items:
                told = told_counts(record.headers)
                if told is None:
                    told = Counter(i.provider_id for i in envelope.items if i.primary)
                self._enter(batch, record, envelope.items[0].stored, told)
            memory = self._memories.get(partition)
            if memory is None:
                memory = self._memories[partition] = PartitionMemory(self._options.remembered_statements)
            if memory.complete_from is None and envelope.items:
                first_stored = max(item.stored for item in envelope.items)
                memory.begin(first_stored, whole_log=offset == 0 and self._options.generation == 1)
            for idx, item in enumerate(envelope.items):
                primary = not item.flags & CREDIT
                part.statements += primary
                try:
                    arrivals.append(read(partition, offset, idx, item))
                except Fault as fault:
                    self._bury(batch, partition, offset, idx, item, fault)
                    continue
                if primary:
                    part.stored.append(item.stored)
        return arrivals

    def _bury(self, batch: Batch, partition: int, offset: int, idx: int, item: Item, fault: Fault) -> None:
        options, at = self._options, self._options.clock()
        batch.dead.append(
            DeadLetter(
                topic=options.topic,
                generation=options.generation,
                partition=partition,
                offset=offset,
                index=idx,
                provider_id=item.provider_id,
                statement_id=item.statement_id,
                stored=item.stored,
                reason=fault.reason,
                message=fault.message,
                payload=msgspec.json.encode(item),
                at=at,
            )
        )
        if item.primary:
            self._outcome(batch, (partition, offset, idx), item, "dead", fault)

    def _bury_envelope(self, batch: Batch, record: Record, fault: Fault) -> None:
        options, at = self._options, self._options.clock()
        batch.dead.append(
            DeadLetter(
                topic=options.topic,
                generation=options.generation,
                partition=record.partition,
                offset=record.offset,
                index=-1,
                provider_id="",
                statement_id="",
                stored=0,
                reason=fault.reason,
                message=fault.message,
                payload=record.value,
                at=at,
            )
        )
        told, stored = told_counts(record.headers), record.timestamp_us or at
        self._enter(batch, record, stored, {"": 0} if told is None else told)
        counts = Counter(told or {})
        if replay := told_replay(record.headers):
            counts.update(replay.counts)
            stored = replay.stored
        for provider, count in (counts or {"": 0}).items():
            batch.parts[record.partition].statements += count
            place = (options.generation, record.partition, record.offset, -1, provider, NO_UUID)
            batch.rows[tables.OUTCOMES].append((*place, stored, count, "dead", fault.reason, fault.message, at))

    def _enter(self, batch: Batch, record: Record, stored: int, told: Mapping[str, int]) -> None:
        """Count a record for the ledger; the door puts statements of one minute into an envelope."""
        minute = (stored if 0 <= stored < LATEST_STORED_US else self._options.clock()) // MINUTE_US
        batch.entries += [Entry((record.partition, minute, p), record.offset, count) for p, count in told.items()]

    def _outcome(self, batch: Batch, place: tuple[int, int, int], item: Item, outcome: str, fault: Fault) -> None:
        at = self._options.clock()
        statement_id = NO_UUID if fault.reason == "id_invalid" else item.statement_id
        stored = at if fault.reason == "stored_out_of_range" else item.stored
        batch.rows[tables.OUTCOMES].append(
            (
                *(self._options.generation, *place, item.provider_id, statement_id, stored, 1),
                *(outcome, fault.reason, fault.message, at),
            )
        )

    # Rows

    def _statement_rows(self, fresh: Iterable[Arrival], batch: Batch) -> None:
        generation = self._options.generation
        statements, credits = batch.rows[tables.STATEMENTS], batch.rows[tables.CREDITS]
        attempts = batch.rows[tables.ATTEMPTS]
        for arrival in fresh:
            if arrival.item.primary:
                statements.append(statement_row(arrival, generation))
            else:
                credits.append(credit_row(arrival, generation))
            if arrival.outcome is not None:
                attempts.append(attempt_row(arrival, generation))

    # States

    def _meet(self, by_student: Mapping[str, Sequence[Arrival]]) -> dict[str, Student]:
        students: dict[str, Student] = {}
        new = []
        for student_id, arrivals in by_student.items():
            student = self.students.get(student_id)
            if student is None:
                student = Student(arrivals[0].partition, self._calibration.version)
                new.append(student_id)
                self.students.put(student_id, student)
            students[student_id] = student
        if new:
            for student_id, stored in self._store.learners(new).items():
                student = students[student_id]
                student.learner = stored.state
                student.watermark = stored.watermark
                student.calibration = stored.calibration
                student.torn = stored.torn
        return students

    def _count_days(
        self, by_student: Mapping[str, Sequence[Arrival]], students: Mapping[str, Student], batch: Batch
    ) -> None:
        day_of = self._days.day_of
        placed = {
            student_id: [day_of(arrival.item.timestamp) for arrival in arrivals]
            for student_id, arrivals in by_student.items()
        }
        missing = [
            (student_id, day)
            for student_id, days in placed.items()
            for day in set(days) - students[student_id].days.keys()
        ]
        if missing:
            found = self._store.days(missing)
            for student_id, day in sorted(missing):
                students[student_id].days[day] = found.get((student_id, day)) or DayCount()
        generation, rows = self._options.generation, batch.rows[tables.STUDENT_DAYS]
        for student_id, days in placed.items():
            student = students[student_id]
            counts = student.days
            for arrival, day in zip(by_student[student_id], days, strict=True):
                counts[day].add(arrival)
            for day in dict.fromkeys(days):
                count = counts[day]
                if count.watermark > count.base:
                    rows.append(count.row(student_id, day, generation, student.partition))
            student.settle_days()

    def _fold(self, by_student: Mapping[str, Sequence[Arrival]], students: Mapping[str, Student], batch: Batch) -> None:
        news: dict[str, list[Attempt]] = {}
        again: dict[str, int] = {}
        for student_id, student in students.items():
            known = student.watermark
            new = [
                arrival for arrival in by_student[student_id] if arrival.outcome is not None and arrival.offset > known
            ]
            attempts = news[student_id] = sorted(map(_attempt, new))
            if new:
                student.watermark = new[-1].offset
            stale = student.calibration != self._calibration.version and not student.blank
            if student.torn or stale or (attempts and attempts[0].key <= student.learner.last):
                again[student_id] = student.watermark
        past = self._store.attempts(again) if again else {}
        batch.refolds += len(again)
        for student_id, attempts in news.items():
            student = students[student_id]
            if student_id in again:
                student.learner = fold([*past[student_id], *attempts], self._calibration)
                touched: Iterable[str] = student.learner.skills
            elif attempts:
                touched = extend(student.learner, attempts, self._calibration)
            else:
                continue
            student.calibration = self._calibration.version
            student.torn = False
            self._state_rows(batch, student_id, student, touched)

    def _state_rows(self, batch: Batch, student_id: str, student: Student, touched: Iterable[str]) -> None:
        learner = student.learner
        if student.blank:  # a torn flush whose envelope is still to come again
            return
        version, generation = self._calibration.version, self._options.generation
        end = (version, generation, student.partition, student.watermark)
        skills = batch.rows[tables.SKILL_STATES]
        for name in sorted(touched):
            skills.append((student_id, name, *learner.skills[name].values(), *end))
        timestamp, statement_id = learner.last
        batch.rows[tables.STUDENT_STATES].append(
            (student_id, learner.rating, learner.attempts, timestamp, statement_id, *end)
        )


def _attempt(arrival: Arrival) -> Attempt:
    item, outcome = arrival.item, arrival.outcome
    assert outcome is not None, "only what has an outcome is an attempt"
    return Attempt(item.timestamp, item.statement_id, arrival.activity, item.skills, outcome)
