"""Envelopes to a batch of rows, without Kafka and without Faust: the worker, the tests and a rebuild run the same code.

A processor owns what is remembered of its partitions. Its results do not depend on how the log is cut into batches,
nor on how often a part of it is read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from schemas.events import CREDIT, Envelope
from streams.batch import Batch, PartitionPart, Record
from streams.correcting import Change, Correcting
from streams.counting import Counting
from streams.dedupe import NOTHING, Memories, Verdict, judge, remember_new, unknown
from streams.folding import Folding
from streams.learner.calibration import Calibration
from streams.ledger import Ledger
from streams.reading import Reading
from streams.rows import tables
from streams.rows.arrival import Arrival, Fault, rows_of
from streams.rows.days import LocalDays
from streams.running import Running
from streams.state import StudentCache
from streams.store import Store

__all__ = ["Batch", "PartitionPart", "Processor", "ProcessorOptions", "Record"]

REPEATED = Fault("duplicate", "the same statement was stored before")
CONFLICTING = Fault("conflict", "another statement was stored under this id before")
_NO_CHANGES: Mapping[str, Change] = {}


@dataclass(frozen=True)
class ProcessorOptions:
    """What a processor depends on; ``clock`` tells now in µs, for the times that rows tell of themselves.

    ``activation``, ``switching``: see streams.running.Running.
    """

    topic: str
    generation: int
    timezone: str
    cached_students: int
    remembered_statements: int
    calibration: Calibration
    clock: Callable[[], int]
    activation: int = 0
    switching: bool = False


class Processor:
    """Turns records into batches. Not shared between threads."""

    def __init__(self, decode: Callable[[bytes], Envelope], store: Store, options: ProcessorOptions) -> None:
        generation = options.generation
        self._store = store
        self._generation = generation
        self._reading = Reading(decode, options.topic, generation, options.clock)
        self._memories = Memories(options.remembered_statements, generation)
        self._ledger = Ledger(generation)
        self.students = StudentCache(options.cached_students)
        self._correcting = Correcting(store, self._reading, generation)
        self._counting = Counting(store, LocalDays(options.timezone), generation)
        self.running = Running(options.calibration, options.activation, options.switching)
        self._folding = Folding(store, self.students, self.running, generation)
        self._removing = False
        """Whether anything was ever taken out of any record: then each student met is asked for."""

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked."""
        gone = set(partitions)
        self._memories.drop(gone)
        self._ledger.drop(gone)
        self.students.drop(gone)

    def run_under(self, running: Running) -> None:
        """Between batches: fold under another calibration from here on."""
        self.running = running
        self._folding.run_under(running)

    def trim(self) -> None:
        """Between batches, when all is written: forget what has not been met for long."""
        self._ledger.trim()
        self.students.trim()

    def put_aside(self, record: Record, fault: Fault) -> Batch:
        """The batch of a record that cannot be processed: a dead letter, counted by its header."""
        batch = Batch(activation=self.running.activation)
        batch.parts[record.partition].last_offset = record.offset
        self._reading.bury_record(batch, record, fault)
        batch.rows[tables.LEDGER] += self._ledger.rows(batch.entries, self._store)
        return batch

    def process(self, records: Iterable[Record]) -> Batch:
        """The batch of records that come in offset order within a partition."""
        batch = Batch(activation=self.running.activation)
        self._memories.settle()
        arrivals, directives, firsts = self._reading.open(records, batch)
        batch.rows[tables.LEDGER] += self._ledger.rows(batch.entries, self._store)
        if self._memories.meet(firsts, self._store.recent) and not self._removing:
            self._removing = self._store.any_removals()
        if directives:
            self._removing = True
        fresh, repeated, strangers = self._judge(arrivals, batch)
        made = rows_of(fresh, self._generation)
        batch.rows[tables.STATEMENTS] += made.statements
        batch.rows[tables.CREDITS] += made.credits
        batch.rows[tables.ATTEMPTS] += made.attempts
        by_student: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in fresh:
            by_student[arrival.item.student_id].append(arrival)
        partitions = {student_id: some[0].partition for student_id, some in by_student.items()}
        partitions |= {directive.item.student_id: directive.partition for directive in directives}
        partitions |= {arrival.item.student_id: arrival.partition for arrival in repeated}
        students = self._folding.meet(partitions, strangers, removing=self._removing)
        changes = _NO_CHANGES
        if self._removing:
            changes = self._correcting.apply(directives, repeated, by_student, students, batch)
        self._counting.count(by_student, students, strangers, changes, batch)
        self._folding.fold(by_student, students, changes, batch)
        batch.students.update(students)
        return batch

    def _judge(self, arrivals: list[Arrival], batch: Batch) -> tuple[list[Arrival], list[Arrival], Collection[str]]:
        """The new statements, the credits of statements that their students had before, and students whom the store
        was asked for and does not know."""
        memories = self._memories.of
        left = remember_new(arrivals, memories)
        doubtful = [arrivals[place] for place in left]
        met, strangers = self._meet(unknown(doubtful, memories))
        if met:
            left = [left[place] for place in remember_new(doubtful, memories)]
            doubtful = [arrivals[place] for place in left]
        stored = self._store.positions(found) if (found := unknown(doubtful, memories)) else {}
        out: set[int] = set()
        repeated: list[Arrival] = []
        for number, arrival in zip(left, doubtful, strict=True):
            verdict = judge(arrival, memories[arrival.partition], stored)
            if verdict is Verdict.FRESH:
                continue
            out.add(number)
            if verdict is Verdict.CONFLICT:
                self._reading.bury(batch, arrival.place, arrival.item, CONFLICTING)
            elif arrival.item.primary:
                batch.duplicates += 1
                place = (self._generation, *arrival.place)
                self._reading.outcome(batch, place, arrival.item, "duplicate", REPEATED)
            elif arrival.item.flags & CREDIT:
                repeated.append(arrival)
        fresh = [arrival for number, arrival in enumerate(arrivals) if number not in out] if out else arrivals
        return fresh, repeated, strangers

    def _meet(self, arrivals: Iterable[Arrival]) -> tuple[Collection[str], Collection[str]]:
        """Of the students of these arrivals, which memory does not hold, those whom it did not know either, and those
        of whom nothing is stored."""
        memories = self._memories.of
        met = {a.item.student_id: a.partition for a in arrivals}
        met = {student_id: p for student_id, p in met.items() if student_id not in memories[p].latest}
        latest = self._store.latest(met) if met else {}
        for student_id, partition in met.items():
            memories[partition].meet(student_id, latest.get(student_id, NOTHING))
        return met.keys(), met.keys() - latest.keys()
