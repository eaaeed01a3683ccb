"""Warnings on the clock: reads students' days and the calendar, runs the rules, writes what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from string import Template
from typing import Any, NamedTuple

from sqlalchemy import Engine, select

from infra.runtime.settings import DistrictSettings
from schemas.registry.tables import calendar, schools
from streams.facts import FactsReader
from streams.rows import tables
from streams.rows.days import LocalDays, as_date, as_number
from streams.rows.tables import Row
from streams.sink import Sink
from streams.warning.coverage import Coverage, SchoolDays, astray, coverage
from streams.warning.frame import Frame
from streams.warning.history import Episode, Thresholds
from streams.warning.rules import episodes

CHUNK = 500
REFRESH_SECONDS = 30.0
WHOLE_SECONDS = 600.0
"""Days older than RECENT_DAYS, the calendar's neighbours and the line items are read again at least so often, and each
day; more often where that is quick, so that history which comes in late is looked at soon."""
WHOLE_SHARE = 0.05
"""Share of the time that may go into it."""
RECENT_DAYS = 8

# Ids come from the tables themselves, or from arrivals that were checked to be UUIDs. PREWHERE: see streams.store.
_WARNINGS = Template(
    "SELECT student_id, rule, toUInt16(raised_on), status, toUInt16(cleared_on), reason, value, baseline, threshold,"
    " toUInt16(evidence_from), toUInt16(evidence_to), providers, coverage, partition FROM warnings FINAL"
    " PREWHERE student_id IN ($students)"
)
_STUDENTS = Template("SELECT DISTINCT student_id FROM student_days WHERE partition = $partition")
_SIZES = "SELECT school_id, count() FROM roster FINAL GROUP BY school_id"
_ACTIVE = Template(
    "SELECT r.school_id, provider, toUInt16(d.day), countIf(activity > 0), countIf(attended + absent > 0),"
    " countIf(absent > 0 AND absent >= attended) FROM"
    " (SELECT student_id, day, activity, attended, absent, arrayJoin(arrayPushBack(providers, '')) AS provider"
    " FROM student_days FINAL PREWHERE day >= toDate($since)) AS d"
    " INNER JOIN (SELECT student_id, school_id FROM roster FINAL) AS r ON r.student_id = d.student_id GROUP BY 1, 2, 3"
)
_ALL = ""
"""Stands for all providers together."""


class _Heard(NamedTuple):
    """Students of a school on a day: with activity, with a record of attendance, and who missed the day."""

    active: int
    recorded: int
    missed: int


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
        self._thresholds = Thresholds.of(district)
        self._days = LocalDays(district.timezone)
        self._reader = FactsReader(sink, registry, self._days)
        self._clock = clock
        self._seconds = seconds
        self._refreshed_at: float | None = None
        self._whole_at = 0.0
        self._whole_every = WHOLE_SECONDS
        self._school_days = SchoolDays(())
        self._sizes: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._heard: dict[tuple[str, str], dict[int, _Heard]] = {}
        self._coverage: dict[str, Coverage] = {}
        self._frames: dict[tuple[str, int | None], Frame] = {}
        self._today = 0

    def refresh(self) -> bool:
        """Read calendar, coverage and expected work when they are old; True when all students are to be evaluated.

        They are when a day has begun, or when the days that count, or what is expected, are others than before.
        """
        today = self._days.day_of(self._clock())
        now = self._seconds()
        fresh = self._refreshed_at is not None and now - self._refreshed_at < REFRESH_SECONDS
        if fresh and today == self._today:
            return False
        whole = self._refreshed_at is None or today != self._today or now - self._whole_at >= self._whole_every
        before = self._today, self._settled()
        self._today = today
        expected = False
        if whole:
            expected = self._reader.refresh(today)
            self._whole_at = now
        self._read_schools()
        self._listen(since=0 if whole else today - RECENT_DAYS)
        everywhere: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for (_, provider), by_day in self._heard.items():
            if provider != _ALL and provider not in self._reader.recorders:
                for day, heard in by_day.items():
                    everywhere[provider][day] += heard.active
        self._coverage = {school: self._coverage_of(school, everywhere) for school in {"", *self._sizes}}
        self._frames.clear()
        self._refreshed_at = now
        if whole:
            took = self._seconds() - now
            self._whole_every = min(WHOLE_SECONDS, max(REFRESH_SECONDS, took / WHOLE_SHARE))
        return expected or before != (self._today, self._settled())

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
        known: dict[str, dict[tuple[str, int], Row]] = defaultdict(dict)
        listed = ",".join(f"'{student}'" for student in students)
        for student, *known_values in self._rows(_WARNINGS.substitute(students=listed)):
            *plain, backing, coverage, partition = known_values
            known[student][plain[0], plain[1]] = (*plain, tuple(backing), coverage, partition)
        now = self._clock()
        for student, (facts, school, partition) in sorted(self._reader.of(students).items()):
            found = episodes(facts, self._frame(school, facts.grade))
            for values in changes(found, known[student], partition):
                yield (student, *values, now)

    def _frame(self, school: str, grade: int | None) -> Frame:
        """Of the students of a school and grade. Where a school teaches no kindergarten, grade 0 is no grade."""
        known = self._coverage.get(school) or self._coverage[""]
        told = grade if grade or not known.lowest_grade else None
        key = (school, told)
        if key not in self._frames:
            self._frames[key] = Frame(known, self._today, self._thresholds, told)
        return self._frames[key]

    def _read_schools(self) -> None:
        with self._registry.connect() as connection:
            rows = connection.execute(select(calendar.c.school_id, calendar.c.day, calendar.c.in_session)).all()
            found = connection.execute(select(schools.c.school_id, schools.c.lowest_grade))
            self._lowest = {row.school_id: row.lowest_grade for row in found}
        self._school_days = SchoolDays((school, as_number(day), held) for school, day, held in rows)
        self._sizes = dict(self._rows(_SIZES))

    def _listen(self, since: int) -> None:
        """Read who was heard of since a day, in place of what was known of these days."""
        for by_day in self._heard.values():
            for day in [day for day in by_day if day >= since]:
                del by_day[day]
        for school, provider, day, active, recorded, missed in self._rows(_ACTIVE.substitute(since=since)):
            self._heard.setdefault((school, provider), {})[day] = _Heard(active, recorded, missed)

    def _settled(self) -> dict[str, Coverage]:
        """Of the days that are over: today holds nothing against anyone."""
        return {school: known.before(self._today) for school, known in self._coverage.items()}

    def _coverage_of(self, school: str, everywhere: Mapping[str, Mapping[int, int]]) -> Coverage:
        days = [day for day in self._school_days.of(school) if day <= self._today]
        if not school:  # nobody is on its roster: nothing is known of it but the calendar
            return Coverage(days)
        everybody = self._heard.get((school, _ALL), {})
        here = {
            provider: by_day
            for (of, provider), by_day in self._heard.items()
            if of == school and provider != _ALL and provider not in self._reader.recorders
        }
        active = {provider: {day: heard.active for day, heard in by_day.items()} for provider, by_day in here.items()}
        told = coverage(
            days,
            {day: heard.active for day, heard in everybody.items()},
            self._sizes.get(school, 0),
            active,
            everywhere,
        )
        return replace(
            told,
            astray=astray({day: (heard.recorded, heard.missed) for day, heard in everybody.items()}),
            recorders=self._reader.recorders,
            lowest_grade=self._lowest.get(school, 0),
        )

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
            episode.coverage, partition,
        )  # fmt: skip
        if known.get(key) != values:
            yield values
    for key, standing in known.items():
        if key not in kept and standing[2] != "withdrawn":
            yield (*standing[:2], "withdrawn", *standing[3:])


def _chunks(students: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(students), CHUNK):
        yield students[start : start + CHUNK]
