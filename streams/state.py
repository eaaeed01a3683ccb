"""States of the students a worker has met lately: a bounded cache, filled from the store, dropped at a revocation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from streams.history import Decision, Key
from streams.learner.fold import BEFORE_ALL, LearnerState
from streams.rows.engagement import DayCount

DAYS_KEPT = 7
_NOTHING: dict[Key, Decision] = {}
"""What was taken out of the records of nearly all students."""


class Student:
    """One student in memory.

    Attributes:
        partition: partition of the student.
        learner: the fold so far.
        watermark: offset of the last envelope with an attempt that is folded in, -1 for none.
        calibration: version that it was folded under.
        torn: a crash between two inserts left the rows of different folds behind: fold again.
        days: counts of the days touched lately, by day number.
        removed: what was said last about the statements that were ever taken out of the record.
    """

    __slots__ = ("calibration", "days", "learner", "partition", "removed", "torn", "watermark")

    def __init__(self, partition: int, calibration: int) -> None:
        self.partition = partition
        self.learner = LearnerState()
        self.watermark = -1
        self.calibration = calibration
        self.torn = False
        self.days: dict[int, DayCount] = {}
        self.removed = _NOTHING

    def decide(self, key: Key, decision: Decision) -> None:
        """Remember that a statement was taken out or put back."""
        if self.removed is _NOTHING:
            self.removed = {}
        self.removed[key] = decision

    @property
    def blank(self) -> bool:
        """Whether nothing was ever folded in."""
        return self.learner.last == BEFORE_ALL

    def settle_days(self) -> None:
        """After a batch: what was counted counts as written; only the days touched last stay."""
        for day in self.days.values():
            day.base = day.watermark
        if len(self.days) > DAYS_KEPT:
            for number in list(self.days)[:-DAYS_KEPT]:
                del self.days[number]


class StudentCache:
    """The students used last, at most ``limit`` beyond those of the batch in hand."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._students: OrderedDict[str, Student] = OrderedDict()

    def get(self, student_id: str) -> Student | None:
        """A student in memory, marked as used."""
        found = self._students.get(student_id)
        if found is not None:
            self._students.move_to_end(student_id)
        return found

    def put(self, student_id: str, student: Student) -> None:
        """Keep a student."""
        self._students[student_id] = student

    def trim(self) -> None:
        """Forget the students used longest ago, beyond the limit; between batches, when all is written."""
        while len(self._students) > self._limit:
            self._students.popitem(last=False)

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget the students of partitions that another worker owns from now on."""
        gone = set(partitions)
        for student_id in [s for s, student in self._students.items() if student.partition in gone]:
            del self._students[student_id]

    def __len__(self) -> int:
        return len(self._students)
