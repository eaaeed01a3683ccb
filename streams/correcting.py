"""Directives to rows, and to what has to be folded and counted again (docs/decisions/0012)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from schemas.events import CREDIT, Removal
from streams.batch import Batch
from streams.directives import Directive
from streams.history import CONFLICT, DUPLICATE, UNLINKED, VOIDED, Decision, Kept, key_of
from streams.kept import KeptStore, StudentKey
from streams.reading import Reading
from streams.rows import tables
from streams.rows.arrival import Arrival, Fault, attempt_row, credit_row, statement_row
from streams.rows.result import UNKNOWN_MS
from streams.state import Student

_COPIES = {
    DUPLICATE: ("duplicate", "the same statement was stored before, for another student or moment"),
    CONFLICT: ("dead", "another statement was stored under this id before, for another student or moment"),
}
"""Outcomes of statements that turn out to be copies, by the reason for which they are taken out."""
_RANKS = {UNLINKED: 0, VOIDED: 1, DUPLICATE: 2, CONFLICT: 2}
"""What was taken out for several reasons stays out for the last one of the highest rank: only what was unlinked may
come back, and a copy has an outcome of its own."""


Event = Directive | Arrival


class Change:
    """What a batch corrects in the record of one student.

    Attributes:
        offset: of the last correction; what stands at or below a row's watermark changes nothing in that row.
        moments: timestamps of the statements that were taken out or put back, µs.
        everything: whether all is to be folded and counted again.
        restored: statements that were put back.
    """

    __slots__ = ("everything", "moments", "offset", "restored")

    def __init__(self) -> None:
        self.offset = -1
        self.moments: set[int] = set()
        self.everything = False
        self.restored: list[Arrival] = []


class Correcting:
    """Takes statements out of records and puts them back, for one generation of the topic."""

    def __init__(self, store: KeptStore, reading: Reading, generation: int) -> None:
        self._store = store
        self._reading = reading
        self._generation = generation

    def apply(
        self,
        directives: Sequence[Directive],
        repeated: Iterable[Arrival],
        fresh: dict[str, list[Arrival]],
        students: Mapping[str, Student],
        batch: Batch,
    ) -> dict[str, Change]:
        """Do what a batch says, in the order of the log; what has to be folded and counted again, by student.

        ``repeated`` are credits of statements that the student had before: they may put one back. ``fresh`` are the new
        statements by student: those that were taken out before they came are dropped from them.
        """
        events: dict[str, list[Event]] = defaultdict(list)
        for directive in directives:
            events[directive.item.student_id].append(directive)
        for arrival in repeated:
            events[arrival.item.student_id].append(arrival)
        for student_id, arrivals in fresh.items():
            if student_id in events or students[student_id].removed:
                events[student_id] += arrivals
        originals = self._originals(directives, fresh)
        changes: dict[str, Change] = defaultdict(Change)
        for student_id, some in events.items():
            student, out, decided = students[student_id], set(), set()
            for event in sorted(some, key=lambda event: (event.offset, event.idx)):
                if isinstance(event, Arrival):
                    if self._is_out(event, student, key_of(event) in decided, changes, batch):
                        out.add(event.place)
                    continue
                change = changes[student_id]
                change.offset = event.offset
                if event.removal is None:
                    change.everything = True
                else:
                    self._remove(event, event.removal, student, originals, batch)
                    change.moments.add(event.item.timestamp)
                    decided.add((event.item.timestamp, event.item.statement_id))
            if out and student_id in fresh:
                fresh[student_id] = [arrival for arrival in fresh[student_id] if arrival.place not in out]
        return dict(changes)

    def _is_out(
        self, arrival: Arrival, student: Student, decided: bool, changes: dict[str, Change], batch: Batch
    ) -> bool:
        """Whether a statement is not to be counted as new: it was taken out before it came, or is put back.

        ``decided``: whether something was said about it earlier in this batch.
        """
        decision = student.removed.get(key_of(arrival))
        if decision is None:
            return False
        credit = bool(arrival.item.flags & CREDIT)
        # What stands at its own offset is from an earlier delivery of this envelope: a credit puts back again what it
        # put back then; else it was said further on in the envelope, and will be said again.
        put_back = credit and decision.restored and decision.offset == arrival.offset
        if not (decided or put_back or decision.offset < arrival.offset):
            return False
        if put_back or (credit and not decision.restored and decision.reason == UNLINKED):
            self._restore(arrival, decision, student, batch)
            change = changes[arrival.item.student_id]
            change.offset = arrival.offset
            change.moments.add(arrival.item.timestamp)
            change.restored.append(arrival)
            return True
        if decision.restored:
            return False
        if credit:
            batch.rows[tables.CREDIT_REVISIONS].append((*credit_row(arrival, self._generation), arrival.offset, 1))
        elif decision.reason in _COPIES:
            copy = Kept(self._generation, arrival)
            self._tell_copy(copy, decision.reason, decision.cause, arrival.offset, arrival.item.stored, batch)
        return True

    def _remove(
        self,
        directive: Directive,
        removal: Removal,
        student: Student,
        originals: Mapping[tuple[StudentKey, bool], Kept],
        batch: Batch,
    ) -> None:
        item, offset, generation = directive.item, directive.offset, self._generation
        key = item.student_id, item.timestamp, item.statement_id
        reason, cause = removal.reason, removal.cause
        before = student.removed.get(key[1:])
        if before is not None and before.offset <= offset and not before.restored and _outranks(before.reason, reason):
            reason, cause = before.reason, before.cause
        student.decide(key[1:], Decision(reason, cause, False, offset))
        place = generation, directive.partition, offset
        batch.rows[tables.REMOVALS].append((*key, reason, cause, 0, *place, item.stored))
        origin = generation, removal.partition, removal.offset, removal.idx
        batch.rows[tables.ATTEMPT_REVISIONS].append(
            (*key, "", [], 0.0, UNKNOWN_MS, item.verb, item.provider_id, removal.stored, *origin, offset, 1)
        )
        original = originals.get((key, removal.credited))
        if original is None:  # what never came is told by removals alone, and met when it comes
            return
        if removal.credited:
            batch.rows[tables.CREDIT_REVISIONS].append((*credit_row(original.arrival, original.generation), offset, 1))
        elif removal.reason in _COPIES:
            self._tell_copy(original, removal.reason, removal.cause, offset, item.stored, batch)

    def _tell_copy(self, kept: Kept, reason: str, cause: str, revision: int, at: int, batch: Batch) -> None:
        """A statement turns out to be a copy: it goes from statements, and is a duplicate or a dead letter.

        ``revision``, ``at``: offset and time (µs) of the event that says so.
        """
        arrival, (outcome, message) = kept.arrival, _COPIES[reason]
        place, fault = (kept.generation, *arrival.place), Fault(reason, f"{message} ({cause})")
        # With all of the statement: it may be asked for again, after the store has merged the rows.
        batch.rows[tables.STATEMENT_REVISIONS].append((*statement_row(arrival, kept.generation), revision, 1))
        self._reading.outcome(batch, place, arrival.item, outcome, fault, at)
        if outcome == "dead":
            self._reading.letter(batch, place, arrival.item, fault)

    def _restore(self, arrival: Arrival, decision: Decision, student: Student, batch: Batch) -> None:
        item, offset = arrival.item, arrival.offset
        key = item.timestamp, item.statement_id
        student.decide(key, Decision(decision.reason, decision.cause, True, offset))
        place = self._generation, arrival.partition, offset
        batch.rows[tables.REMOVALS].append(
            (item.student_id, *key, decision.reason, decision.cause, 1, *place, item.stored)
        )
        batch.rows[tables.CREDIT_REVISIONS].append((*credit_row(arrival, self._generation), offset, 0))
        if arrival.outcome is not None:
            batch.rows[tables.ATTEMPT_REVISIONS].append((*attempt_row(arrival, self._generation), offset, 0))

    def _originals(
        self, directives: Iterable[Directive], fresh: Mapping[str, Sequence[Arrival]]
    ) -> dict[tuple[StudentKey, bool], Kept]:
        """Credits that are taken out, and statements that turn out to be copies, as they were kept."""
        wanted: dict[bool, set[StudentKey]] = {True: set(), False: set()}
        for directive in directives:
            item, removal = directive.item, directive.removal
            if removal is not None and (removal.credited or removal.reason in _COPIES):
                wanted[removal.credited].add((item.student_id, item.timestamp, item.statement_id))
        found: dict[tuple[StudentKey, bool], Kept] = {}
        for credited, keys in wanted.items():
            if not keys:
                continue
            for key, kept in self._store.originals(keys, credited=credited).items():
                found[key, credited] = kept
            for student_id in {student_id for student_id, _, _ in keys}:
                for arrival in fresh.get(student_id, ()):
                    key = student_id, *key_of(arrival)
                    if key in keys and bool(arrival.item.flags & CREDIT) == credited:
                        found.setdefault((key, credited), Kept(self._generation, arrival))
        return found


def _outranks(reason: str, other: str) -> bool:
    return _RANKS[reason] > _RANKS[other]
