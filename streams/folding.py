"""Skill states: students met, their states extended or folded again, and the rows that tell of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from streams.batch import Batch
from streams.correcting import Change
from streams.history import attempt_of, is_out
from streams.learner.fold import extend, fold
from streams.learner.state import Attempt
from streams.rows import tables
from streams.rows.arrival import Arrival
from streams.rows.states import Stamp, no_skill_row, no_student_row, skill_row, student_row
from streams.running import Running
from streams.state import Student, StudentCache
from streams.store import Store


class Folding:
    """States of the students of a worker, under one calibration and for one generation of the topic."""

    def __init__(self, store: Store, students: StudentCache, running: Running, generation: int) -> None:
        self._store = store
        self._students = students
        self._generation = generation
        self.run_under(running)

    def run_under(self, running: Running) -> None:
        """Fold under this calibration; students in memory that were folded under another are folded again when met."""
        self._running = running
        self._calibration = running.calibration

    def meet(
        self, partitions: Mapping[str, int], strangers: Collection[str] = (), *, removing: bool
    ) -> dict[str, Student]:
        """The students of a batch, given with their partitions; what is not in memory comes from the store.

        ``strangers``: students of whom no statement is stored, so no state either, which is written after them.
        ``removing``: whether anything was ever taken out of any record.
        """
        students: dict[str, Student] = {}
        new = []
        for student_id, partition in partitions.items():
            student = self._students.get(student_id)
            if student is None:
                student = Student(partition, self._calibration.version)
                new.append(student_id)
                self._students.put(student_id, student)
            students[student_id] = student
        if new:
            stored_before = [student_id for student_id in new if student_id not in strangers]
            for student_id, stored in (self._store.learners(stored_before) if stored_before else {}).items():
                student = students[student_id]
                student.learner = stored.state
                student.watermark = stored.watermark
                student.calibration = stored.calibration
                student.torn = stored.torn or self._running.switching
            if removing:
                for student_id, removed in self._store.removals(new).items():
                    students[student_id].removed = removed
        return students

    def fold(
        self,
        fresh: Mapping[str, Sequence[Arrival]],
        students: Mapping[str, Student],
        changes: Mapping[str, Change],
        batch: Batch,
    ) -> None:
        """Fold new attempts in; all of a student's again where one came late, was taken out or put back."""
        news: dict[str, list[Attempt]] = {}
        again: dict[str, int] = {}
        changed: set[str] = set()
        for student_id, student in students.items():
            known = student.watermark
            new = [a for a in fresh.get(student_id, ()) if a.outcome is not None and a.offset > known]
            attempts = news[student_id] = sorted(map(attempt_of, new))
            if new:
                student.watermark = new[-1].offset
            change = changes.get(student_id)
            if change is not None and change.offset > known:
                changed.add(student_id)
                student.watermark = max(student.watermark, change.offset)
                attempts += [attempt_of(a) for a in change.restored if a.outcome is not None]
            stale = student.calibration != self._calibration.version and not student.blank
            late = bool(attempts) and attempts[0].key <= student.learner.last
            if student.torn or stale or late or student_id in changed:
                again[student_id] = student.watermark
        past = self._store.attempts(again) if again else {}
        whole = [s for s in changed if changes[s].everything]
        standing = {s: set(stored.state.skills) for s, stored in self._store.learners(whole).items()} if whole else {}
        batch.refolds += len(again)
        for student_id, attempts in news.items():
            student = students[student_id]
            gone: set[str] = set()
            if student_id in again:
                before = student.learner.skills.keys() | standing.get(student_id, set())
                # Of equal keys the earliest stands, which is that of the store: fold() takes the last.
                every = [*attempts, *past[student_id]]
                if student_id in changed:
                    # Of attempts that came with what takes them out, too: a former owner may still write their skills.
                    before = before.union(*(attempt.skills for attempt in every))
                if removed := student.removed:
                    every = [attempt for attempt in every if not is_out(attempt.key, removed)]
                student.learner = fold(every, self._calibration)
                touched: Iterable[str] = student.learner.skills
                if student_id in changed:
                    gone = before - student.learner.skills.keys()
            elif attempts:
                touched = extend(student.learner, attempts, self._calibration)
            else:
                continue
            student.calibration = self._calibration.version
            student.torn = False
            self._rows(batch, student_id, student, touched)
            if student_id in changed:
                self._rows_of_nothing(batch, student_id, student, gone)

    def _rows(self, batch: Batch, student_id: str, student: Student, touched: Iterable[str]) -> None:
        learner = student.learner
        if student.blank:  # a torn flush whose envelope is still to come again, or nothing is left
            return
        stamp = self._stamp(student)
        skills = batch.rows[tables.SKILL_STATES]
        for name in sorted(touched):
            skills.append(skill_row(student_id, name, learner.skills[name], stamp))
        batch.rows[tables.STUDENT_STATES].append(student_row(student_id, learner, stamp))

    def _rows_of_nothing(self, batch: Batch, student_id: str, student: Student, gone: Iterable[str]) -> None:
        """Rows of the skills of which nothing is left; and of the student, likewise."""
        stamp = self._stamp(student)
        for name in sorted(gone):
            batch.rows[tables.SKILL_STATE_REMOVALS].append(no_skill_row(student_id, name, stamp))
        if student.blank:
            batch.rows[tables.STUDENT_STATE_REMOVALS].append(no_student_row(student_id, stamp))

    def _stamp(self, student: Student) -> Stamp:
        running = self._running
        return Stamp(
            running.calibration.version, running.activation, self._generation, student.partition, student.watermark
        )
