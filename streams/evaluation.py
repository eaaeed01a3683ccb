"""Warnings on the clock: reads students' days and the calendar, runs the rules, writes what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from string import Template
from typing import Any

from sqlalchemy import Engine, select

from infra.runtime.settings import DistrictSettings
from schemas.registry.tables import calendar
from streams.rows import tables
from streams.rows.days import LocalDays, as_date, as_number
from streams.rows.tables import Row
from streams.sink import Sink
from streams.warning.coverage import Coverage, SchoolDays, coverage
from streams.warning.facts import DayFacts
from streams.warning.history import Episode, Thresholds
from streams.warning.rules import episodes

CHUNK = 500
REFRESH_SECONDS = 30.0

# Ids come from the tables themselves, or from arrivals that were checked to be UUIDs. PREWHERE: see streams.store.
_DAYS = Template(
    "SELECT student_id, toUInt16(day), activity, attempts, successes, providers, partition FROM student_days FINAL"
    " PREWHERE student_id IN ($students)"
)
_SCHOOLS = Template("SELECT student_id, school_id FROM roster FINAL PREWHERE student_id IN ($students)")
_WARNINGS = Template(
    "SELECT student_id, rule, toUInt16(raised_on), status, toUInt16(cleared_on), reason, value, baseline, threshold,"
    " toUInt16(evidence_from), toUInt16(evidence_to), providers, partition FROM warnings FINAL"
    " PREWHERE student_id IN ($students)"
)
_STUDENTS = Template("SELECT DISTINCT student_id FROM student_days WHERE partition = $partition")
_SIZES = "SELECT school_id, count() FROM roster FINAL GROUP BY school_id"
_ACTIVE = (
    "SELECT r.school_id, provider, toUInt16(d.day), uniqExact(d.student_id) FROM"
    " (SELECT student_id, day, arrayJoin(arrayPushBack(providers, '')) AS provider FROM student_days FINAL"
    " WHERE activity > 0) AS d"
    " INNER JOIN (SELECT student_id, school_id FROM roster FINAL) AS r ON r.student_id = d.student_id GROUP BY 1, 2, 3"
)
_ALL = ""
"""Stands for all providers together."""


class Evaluator:
    """Evaluates the rules for students; one thread at a time. ``clock`` tells now in µs, ``seconds`` runs steadily."""

    def __init__(
        self,
        sink: Sink,
        registry: Engine,
        district: DistrictSettings,
        clock: Callable[[], int],
        seconds: Callable[[], float],
    ) -> None:
        self._sink = sink
        self._registry = registry
        self._thresholds = Thresholds(district.inactivity_days, district.success_drop)
        self._days = LocalDays(district.timezone)
        self._clock = clock
        self._seconds = seconds
        self._refreshed_at: float | None = None
        self._school_days = SchoolDays(())
        self._sizes: dict[str, int] = {}
        self._coverage: dict[str, Coverage] = {}
        self._today = 0

    def refresh(self) -> bool:
        """Read calendar and coverage when they are old; True when all students are to be evaluated again.

        They are when a day has begun, or when the days that count are others than before.
        """
        today = self._days.day_of(self._clock())
        fresh = self._refreshed_at is not None and self._seconds() - self._refreshed_at < REFRESH_SECONDS
        if fresh and today == self._today:
            return False
        self._refreshed_at = self._seconds()
        before = self._today, self._settled()
        with self._registry.connect() as connection:
            rows = connection.execute(select(calendar.c.school_id, calendar.c.day, calendar.c.in_session)).all()
        self._school_days = SchoolDays((school, as_number(day), held) for school, day, held in rows)
        self._sizes = dict(self._rows(_SIZES))
        active: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        everywhere: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for school, provider, day, students in self._rows(_ACTIVE):
            active[school][provider][day] = students
            if provider != _ALL:
                everywhere[provider][day] += students
        self._today = today
        self._coverage = {
            school: self._coverage_of(school, active.get(school, {}), everywhere) for school in {"", *self._sizes}
        }
        return before != (self._today, self._settled())

    def silences(self) -> dict[str, str]:
        """Schools, and providers at schools, that were not heard of on the last school day that is over: words by name.

        Their students are not judged by that day; somebody has to ask why nothing comes.
        """
        said = {}
        for school, known in self._settled().items():
            last = max([*known.days[-1:], *known.unheard[-1:]], default=None)
            if not school or last is None or not known.days:  # a school that never sent anything has not begun
                continue
            day = f"{as_date(last):%a} {as_date(last).day} {as_date(last):%b}"
            rest = "Its silence is held against no student. Ask whether it still sends, and see its page."
            if last in known.unheard:
                said[f"school {school}"] = f"Hardly anyone of it was heard of on {day}. {rest}"
                continue
            for provider in sorted(known.silent.get(last, ())):
                said[f"{provider} at school {school}"] = (
                    f"Hardly any of its usual students was heard of on {day}. {rest}"
                )
        return said

    def students_of(self, partition: int) -> list[str]:
        """All students of a partition that have days."""
        return [student for (student,) in self._rows(_STUDENTS.substitute(partition=partition))]

    def evaluate(self, students: Collection[str]) -> set[str]:
        """Run the rules for students; returns those whose warnings changed, when that is written."""
        changed: set[str] = set()
        for some in _chunks(sorted(students)):
            rows = list(self._changed(some))
            self._sink.insert(tables.WARNINGS, rows)
            changed.update(str(row[0]) for row in rows)
        return changed

    def _changed(self, students: Sequence[str]) -> Iterator[Row]:
        listed = ",".join(f"'{student}'" for student in students)
        days: dict[str, list[DayFacts]] = defaultdict(list)
        partitions: dict[str, int] = {}
        for student, day, activity, attempts, successes, providers, partition in self._rows(
            _DAYS.substitute(students=listed)
        ):
            days[student].append(DayFacts(day, activity, attempts, successes, tuple(providers)))
            partitions[student] = partition
        schools = dict(self._rows(_SCHOOLS.substitute(students=listed)))
        known: dict[str, dict[tuple[str, int], Row]] = defaultdict(dict)
        for student, *known_values in self._rows(_WARNINGS.substitute(students=listed)):
            *plain, backing, partition = known_values
            known[student][plain[0], plain[1]] = (*plain, tuple(backing), partition)
        now = self._clock()
        for student, facts in sorted(days.items()):
            covered_by = self._coverage.get(schools.get(student, "")) or self._coverage[""]
            found = episodes(facts, covered_by, self._today, self._thresholds)
            for values in changes(found, known[student], partitions[student]):
                yield (student, *values, now)

    def _settled(self) -> dict[str, Coverage]:
        """Of the days that are over: today holds nothing against anyone."""
        return {school: known.before(self._today) for school, known in self._coverage.items()}

    def _coverage_of(
        self, school: str, active: Mapping[str, Mapping[int, int]], everywhere: Mapping[str, Mapping[int, int]]
    ) -> Coverage:
        days = [day for day in self._school_days.of(school) if day <= self._today]
        if not school:  # nobody is on its roster: nothing is known of it but the calendar
            return Coverage(days)
        here = {provider: by_day for provider, by_day in active.items() if provider != _ALL}
        return coverage(days, active.get(_ALL, {}), self._sizes.get(school, 0), here, everywhere)

    def _rows(self, sql: str) -> Iterable[tuple[Any, ...]]:
        return zip(*self._sink.read(sql), strict=True)


def changes(found: Iterable[Episode], known: dict[tuple[str, int], Row], partition: int) -> Iterator[Row]:
    """Values of the rows to write, without student and time: new and changed episodes, and those withdrawn.

    ``known`` holds the values of the rows that stand, by rule and day of raising.
    """
    kept = set()
    for episode in found:
        key = episode.rule, episode.raised_on
        kept.add(key)
        values: Row = (
            episode.rule, episode.raised_on, episode.status, episode.cleared_on, episode.reason, episode.value,
            episode.baseline, episode.threshold, episode.evidence_from, episode.evidence_to, episode.providers,
            partition,
        )  # fmt: skip
        if known.get(key) != values:
            yield values
    for key, standing in known.items():
        if key not in kept and standing[2] != "withdrawn":
            yield (*standing[:2], "withdrawn", *standing[3:])


def _chunks(students: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(students), CHUNK):
        yield students[start : start + CHUNK]
