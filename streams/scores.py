"""The score on the clock: once a school day each student is set beside the others of the own school and grade.

It orders lists and nothing else. It is computed of days that are over, so that it does not change during a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Engine

from streams.facts import FactsReader, Known
from streams.ranking.course import Standing, standings
from streams.ranking.progress import Progress
from streams.ranking.school import events
from streams.ranking.scoring import Ranking, chance, terms
from streams.ranking.words import reasons
from streams.rankings import active_ranking
from streams.rows import tables
from streams.rows.days import LocalDays
from streams.rows.tables import Row
from streams.sink import Sink
from streams.terms import read_terms

CHUNK: Final = 500
ASK_SECONDS: Final = 60.0
"""How often it is looked whether a day is over, or another version in use."""
LEAST_PEERS: Final = 10
"""Students of a school and grade below which "beside the others" means nothing."""

_ROSTER: Final = "SELECT student_id, school_id, toString(grade) FROM roster FINAL"
_PARTITIONS: Final = "SELECT student_id, any(partition) FROM student_days GROUP BY student_id"

Place = tuple[str, str]
"""School and grade."""


class Scorer:
    """Writes the table scores; one thread at a time. ``clock`` tells now in µs, ``seconds`` runs steadily."""

    def __init__(
        self, sink: Sink, registry: Engine, timezone: str, clock: Callable[[], int], seconds: Callable[[], float]
    ) -> None:
        self._sink = sink
        self._registry = registry
        self._days = LocalDays(timezone)
        self._reader = FactsReader(sink, registry, self._days)
        self._clock = clock
        self._seconds = seconds
        self._ask_at = 0.0
        self._asked: frozenset[int] = frozenset()
        self._ranking: Ranking | None = None
        self._done: dict[int, tuple[int, int]] = {}
        """Version and day that a partition was scored for."""

    def score(self, partitions: Collection[int]) -> int:
        """Score the students of partitions that were not yet scored for the last school day; returns rows written."""
        if self._seconds() < self._ask_at and self._asked.issuperset(partitions):
            return 0
        self._ask_at = self._seconds() + ASK_SECONDS
        self._asked = frozenset(partitions)
        self._ranking = active_ranking(self._registry, self._ranking)
        if self._ranking is None:
            return 0
        today = self._days.day_of(self._clock())
        calendar = read_terms(self._registry)
        day = calendar.last_before(today)
        start = None if day is None else calendar.start_of(day)
        if day is None or start is None:
            return 0
        due = {number for number in partitions if self._done.get(number) != (self._ranking.version, day)}
        if not due:
            return 0
        self._reader.refresh(today)
        written = 0
        for rows in self._schools(due, start, day, self._ranking):
            self._sink.insert(tables.SCORES, rows)
            written += len(rows)
        self._done |= dict.fromkeys(due, (self._ranking.version, day))
        return written

    def _schools(self, due: set[int], start: int, day: int, ranking: Ranking) -> Iterator[list[Row]]:
        """Rows of one school and grade after the other: so much is in memory at a time."""
        partitions = dict(self._rows(_PARTITIONS))
        places: dict[Place, list[str]] = defaultdict(list)
        for student, school, grade in self._rows(_ROSTER):
            if student in partitions:
                places[school, grade].append(student)
        now = self._clock()
        for _, students in sorted(places.items()):
            mine = {student: partitions[student] for student in students if partitions[student] in due}
            if not mine or len(students) < LEAST_PEERS:
                continue
            progress = {
                student: folded(known, start, day)
                for some in _chunks(sorted(students))
                for student, known in self._reader.of(some).items()
            }
            stands = standings(progress, day - start)
            yield [
                (student, day, ranking.version, *_said(ranking, stands[student], day - start), mine[student], now)
                for student in sorted(mine.keys() & stands.keys())
            ]

    def _rows(self, sql: str) -> Iterable[tuple[Any, ...]]:
        return zip(*self._sink.read(sql), strict=True)


def folded(known: Known, start: int, day: int) -> Progress:
    """A student's fold over what was known at the end of a day; days since 1970-01-01."""
    progress = Progress()
    for event in events(known.facts, start):
        if event.day > day - start:
            break
        progress.extend(event)
    return progress


def _said(ranking: Ranking, standing: Standing, day: int) -> tuple[float, list[str], list[str], list[float]]:
    """Chance, names, reasons in words, and contributions, largest first."""
    why = reasons(terms(ranking, standing.features, day), standing)
    value = chance(sum(reason.contribution for reason in why))
    return value, [one.name for one in why], [one.words for one in why], [one.contribution for one in why]


def _chunks(students: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(students), CHUNK):
        yield students[first : first + CHUNK]
