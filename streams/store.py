"""What the core reads back: positions of statements, and states, days and attempts of the students of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any, Protocol, TypeVar

from schemas.events import CREDIT, TIMESTAMP_GENERATED
from streams.dedupe import Key, Seen
from streams.learner.fold import Attempt, LearnerState, SkillState
from streams.ledger import LedgerStore, Place, Tally
from streams.rows.arrival import Arrival
from streams.rows.days import as_date
from streams.rows.engagement import DayCount

T = TypeVar("T")

_CHUNK = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Ids are written into the queries as they are: an arrival is not read unless they are UUIDs.
_POSITIONS = Template("SELECT statement_id, student_id, generation, offset, idx, digest FROM $table WHERE $condition")
_STUDENT_STATES = Template(
    "SELECT student_id, rating, attempts, toUnixTimestamp64Micro(last_at), last_statement_id, calibration, generation,"
    " watermark FROM student_states FINAL WHERE student_id IN ($students)"
)
_SKILL_STATES = Template(
    "SELECT student_id, skill_id, calibration, generation, watermark, attempts, successes, rating, mastery, recent,"
    " toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)"
    " FROM skill_states FINAL WHERE student_id IN ($students)"
)
_DAYS = Template(
    "SELECT student_id, toUInt16(day), generation, watermark, statements, activity, attempts, successes, duration_ms,"
    " attended, absent, providers, toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)"
    " FROM student_days FINAL WHERE (student_id, day) IN ($pairs)"
)
_ATTEMPTS = Template(
    "SELECT student_id, generation, offset, toUnixTimestamp64Micro(timestamp), statement_id, item, skills, outcome"
    " FROM attempts WHERE student_id IN ($students)"
)
_TALLIES = Template(
    "SELECT partition, intDiv(toUnixTimestamp(minute), 60), provider_id, statements, watermark FROM ledger FINAL"
    " WHERE generation = $generation AND (partition, minute) IN ($places)"
)


class StoredLearner:
    """A learner as its rows stand: ``torn`` when a skill's row is ahead of the student's, or they disagree."""

    __slots__ = ("calibration", "state", "torn", "watermark")

    def __init__(self, state: LearnerState, watermark: int, calibration: int) -> None:
        self.state = state
        self.watermark = watermark
        self.calibration = calibration
        self.torn = False


class Store(LedgerStore, Protocol):
    """Reads of a worker. Offsets of an earlier generation count as -1."""

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        """Where the statements of these arrivals stand first, for those that are stored."""

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        """Skill states of the students that have any."""

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        """Counts of these students and days, for those that are stored."""

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        """Attempts of each student with an offset of at most ``until[student]``."""


class Reader(Protocol):
    """Runs one query and returns its columns; waits and tries again while the store is away."""

    def __call__(self, sql: str) -> Sequence[Sequence[Any]]:
        """Columns of the result: UUIDs as strings; none at all when it is empty."""


class ClickHouseStore:
    """The store, for one generation of the statements topic."""

    def __init__(self, read: Reader, generation: int) -> None:
        self._read = read
        self._generation = generation

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        """By primary key; by student and statement where the timestamp was generated, and differs from copy to copy."""
        found: dict[Key, Seen] = {}
        for table, credits in (("statements", 0), ("credits", CREDIT)):
            mine = [a.item for a in arrivals if a.item.flags & CREDIT == credits]
            keyed = [
                f"('{i.student_id}','{_moment(i.timestamp)}','{i.statement_id}')"
                for i in mine
                if not i.flags & TIMESTAMP_GENERATED
            ]
            for part in _parts(keyed):
                self._positions(table, f"(student_id, timestamp, statement_id) IN ({','.join(part)})", found)
            loose = [i for i in mine if i.flags & TIMESTAMP_GENERATED]
            for some in _parts(loose):
                students = _listed({i.student_id for i in some})
                statements = _listed({i.statement_id for i in some})
                self._positions(table, f"student_id IN ({students}) AND statement_id IN ({statements})", found)
        return found

    def _positions(self, table: str, condition: str, found: dict[Key, Seen]) -> None:
        rows = self._rows(_POSITIONS.substitute(table=table, condition=condition))
        for statement_id, student_id, generation, offset, idx, digest in rows:
            seen = Seen(offset if generation == self._generation else -1, idx, digest)
            known = found.get((statement_id, student_id))
            if known is None or seen < known:
                found[statement_id, student_id] = seen

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        """The rows with the highest watermark of each key."""
        found: dict[str, StoredLearner] = {}
        for part in _parts(list(student_ids)):
            for student, rating, n, last_at, last_id, calibration, generation, watermark in self._rows(
                _STUDENT_STATES.substitute(students=_listed(part))
            ):
                state = LearnerState(rating, n, (last_at, last_id))
                found[student] = StoredLearner(state, self._own(generation, watermark), calibration)
            for student, skill, calibration, generation, watermark, *values in self._rows(
                _SKILL_STATES.substitute(students=_listed(part))
            ):
                learner = found.get(student)
                if learner is None:
                    learner = found[student] = StoredLearner(LearnerState(), -1, calibration)
                    learner.torn = True
                learner.state.skills[skill] = SkillState(*values)
                if self._own(generation, watermark) > learner.watermark or calibration != learner.calibration:
                    learner.torn = True
        return found

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        """The rows with the highest watermark of each key."""
        found: dict[tuple[str, int], DayCount] = {}
        for part in _parts(list(wanted)):
            pairs = ",".join(f"('{student}','{as_date(day)}')" for student, day in part)
            for student, day, generation, watermark, *values in self._rows(_DAYS.substitute(pairs=pairs)):
                count = DayCount()
                (
                    count.statements, count.activity, count.attempts, count.successes, count.duration_ms,
                    count.attended, count.absent, count.providers, count.first_at, count.last_at,
                ) = values  # fmt: skip
                count.watermark = count.base = self._own(generation, watermark)
                found[student, day] = count
        return found

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        """Without FINAL: a row that stands twice has equal values."""
        found: dict[str, list[Attempt]] = {student: [] for student in until}
        for part in _parts(list(until)):
            for student, generation, offset, timestamp, statement_id, item, skills, outcome in self._rows(
                _ATTEMPTS.substitute(students=_listed(part))
            ):
                if self._own(generation, offset) <= until[student]:
                    found[student].append(Attempt(timestamp, statement_id, item, list(skills), outcome))
        return found

    def tallies(self, places: Collection[Place]) -> dict[Place, Tally]:
        """The rows with the highest watermark of each key."""
        found: dict[Place, Tally] = {}
        for part in _parts(sorted({(partition, minute) for partition, minute, _ in places})):
            listed = ",".join(f"({partition},toDateTime({minute * 60},'UTC'))" for partition, minute in part)
            for partition, minute, provider_id, *values in self._rows(
                _TALLIES.substitute(generation=self._generation, places=listed)
            ):
                found[partition, minute, provider_id] = Tally(*values)
        return found

    def _own(self, generation: int, offset: int) -> int:
        return offset if generation == self._generation else -1

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        columns = self._read(sql)
        return zip(*columns, strict=True)


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _listed(ids: Iterable[str]) -> str:
    return ",".join(f"'{one}'" for one in ids)


def _moment(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M:%S.%f")
