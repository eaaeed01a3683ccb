"""Raises, tells, wakes and clears cases after an evaluation: warnings and calendar in, steps in the registry out."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from string import Template
from uuid import uuid4

from sqlalchemy import Connection, Engine, select

from infra.runtime.cases import ChangedError, last_closed, open_cases, store
from infra.runtime.logging import get_logger
from infra.runtime.settings import DistrictSettings
from schemas.cases import CLOSED, Case, Signal, Step
from schemas.cases_rules import Closed, follow
from schemas.partitioning import partition_of
from schemas.registry.insight import cases
from schemas.registry.tables import calendar, students
from streams.cases.severity import severe
from streams.rows.days import LocalDays, as_date, as_number
from streams.sink import Sink
from streams.warning.coverage import SchoolDays

log = get_logger(__name__)

CHUNK = 500
_TRIES = 3

_WARNINGS = Template(
    "SELECT student_id, rule, toUInt16(raised_on), status, value, baseline, threshold FROM warnings FINAL"
    " PREWHERE student_id IN ($students) ORDER BY raised_on, rule"
)
Signals = Mapping[str, Sequence[Signal]]


class CaseKeeper:
    """Brings cases in line with the warnings; one thread at a time. ``clock`` tells now in µs.

    All that it does follows from the registry, the warnings and the day, and is written only where the case is still
    what it was decided on: a restart, two workers on one partition or a replay do nothing twice.
    """

    def __init__(self, sink: Sink, registry: Engine, district: DistrictSettings, clock: Callable[[], int]) -> None:
        self._sink = sink
        self._registry = registry
        self._cooldown = district.case_cooldown_days
        self._severe_absence = district.severe_absence_share
        self._days = LocalDays(district.timezone)
        self._clock = clock

    def with_open_case(self, partitions: Collection[int], of: int) -> set[str]:
        """Students of some partitions, ``of`` so many, who have an open case: a new day is to be told to each."""
        with self._registry.connect() as connection:
            found = connection.scalars(select(cases.c.student_id).where(cases.c.state.not_in(CLOSED))).all()
        return {student for student in found if partition_of(student, of) in partitions}

    def follow(self, students_: Collection[str]) -> int:
        """Take the steps that are due for these students; returns how many."""
        listed = sorted(students_)
        taken = 0
        for start in range(0, len(listed), CHUNK):
            some = listed[start : start + CHUNK]
            taken += self._settle(some, self._signals(some), _TRIES)
        if taken:
            log.info("cases changed", steps=taken)
        return taken

    def _settle(self, some: Sequence[str], signals: Signals, tries: int) -> int:
        try:
            with self._registry.begin() as connection:
                steps = self._steps(connection, some, signals)
                store(connection, steps, "", self._clock())
                return len(steps)
        except ChangedError:
            if len(some) > 1:
                return sum(self._settle([student], signals, _TRIES) for student in some)
            if tries > 1:
                return self._settle(some, signals, tries - 1)
            log.warning("a case is being changed; left for the next time", student=some[0])
            return 0

    def _steps(self, connection: Connection, some: Sequence[str], signals: Signals) -> list[Step]:
        opened = open_cases(connection, some)
        concerned = [student for student in some if student in opened or signals.get(student)]
        new = [student for student in concerned if student not in opened]
        own = students.c
        schools = {
            row.student_id: row.school_id or ""
            for row in connection.execute(
                select(own.student_id, own.school_id).where(own.student_id.in_(concerned), own.linked)
            )
        }
        closed = self._closed(connection, last_closed(connection, new), schools)
        today = self._today()
        return [
            step
            for student in concerned
            if student in opened or student in schools  # nobody may see a student whom the roster does not know
            for step in follow(
                student, opened.get(student), closed.get(student), signals.get(student, ()), today, self._cooldown,
                str(uuid4()),
            )
        ]  # fmt: skip

    def _closed(
        self, connection: Connection, found: Mapping[str, Case], schools: Mapping[str, str]
    ) -> dict[str, Closed]:
        if not found:
            return {}
        rows = connection.execute(select(calendar.c.school_id, calendar.c.day, calendar.c.in_session)).all()
        held = SchoolDays((school, as_number(day), in_session) for school, day, in_session in rows)
        days: dict[str, list[int]] = defaultdict(list)
        days.update({school: held.of(school) for school in {schools.get(student, "") for student in found}})
        today = as_number(self._today())
        return {
            student: Closed(case, _between(days[schools.get(student, "")], case.closed_on, today))
            for student, case in found.items()
        }

    def _signals(self, some: Sequence[str]) -> Signals:
        found: dict[str, list[Signal]] = defaultdict(list)
        listed = ",".join(f"'{student}'" for student in some)  # ids come from tables or were checked to be UUIDs
        columns = self._sink.read(_WARNINGS.substitute(students=listed))
        for student, rule, day, status, value, baseline, threshold in zip(*columns, strict=True):
            beyond = severe(rule, value, baseline, threshold, self._severe_absence)
            found[student].append(Signal(rule, as_date(day), beyond, status))
        return found

    def _today(self) -> date:
        return as_date(self._days.day_of(self._clock()))


def _between(days: Sequence[int], closed_on: date | None, today: int) -> int:
    """School days after a closing up to today; every day counts where no calendar says more."""
    if closed_on is None:
        return 0
    first = as_number(closed_on)
    return bisect_right(days, today) - bisect_right(days, first) if days else max(today - first, 0)
