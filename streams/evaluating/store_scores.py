"""The score's rows from a district's own records and labels: each student at the end of each week of past terms."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from streams.evaluating.asking import DataFaultError, Tell
from streams.evaluating.roster import Labels, Roster
from streams.facts import FactsReader, Known
from streams.ranking.course import standings
from streams.ranking.events import Event
from streams.ranking.features import NAMES
from streams.ranking.fit import Row
from streams.ranking.progress import Progress
from streams.ranking.school import events
from streams.rows.days import as_number
from streams.scores import CHUNK, LEAST_PEERS
from streams.terms import Terms

WEEKS: Final = tuple(range(2, 41, 2))


def store_rows(
    reader: FactsReader, roster: Roster, labels: Labels, terms: Terms, today: int, within_days: int, tell: Tell
) -> list[Row]:
    """A row a student and week whose time within which the outcome may come is over; course: the grade.

    Who had the outcome already is left out from then on. Raises DataFaultError: there is no such week.
    """
    happened = {student: as_number(day) for student, day in labels.happened.items()}
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for student, school in roster.school.items():
        places[school, roster.grade[student]].append(student)
    reader.refresh(today)
    rows: list[Row] = []
    for number, ((_, grade), students) in enumerate(sorted(places.items()), start=1):
        known: dict[str, Known] = {}
        for first in range(0, len(students), CHUNK):
            known |= reader.of(sorted(students)[first : first + CHUNK])
        if len(known) >= LEAST_PEERS:
            for start in terms.starts:
                rows += _term(known, grade, start, terms, happened, today - within_days, within_days)
        tell("read students", number, len(places))
    if not rows:
        raise DataFaultError(
            f"no week of any term is {within_days} days past: shorten --within-days, or wait for more history"
        )
    return rows


def fingerprint(rows: Sequence[Row]) -> str:
    """SHA-256 of what was fitted on, as hex."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda one: (one.course, one.student, one.week)):
        digest.update(repr((row.course, row.student, row.week, row.had, sorted(row.features.items()))).encode())
    return digest.hexdigest()


def _term(
    known: Mapping[str, Known],
    grade: str,
    start: int,
    terms: Terms,
    happened: Mapping[str, int],
    last: int,
    within: int,
) -> list[Row]:
    """Rows of one term of a school and grade, up to the day ``last``."""
    waiting: dict[str, list[Event]] = {name: events(one.facts, start)[::-1] for name, one in known.items()}
    progress = {name: Progress() for name in known}
    rows = []
    for week in WEEKS:
        day = start + 7 * week
        if day > last or terms.start_of(day) != start:
            break
        active = [name for name in known if happened.get(name, day + 1) > day]
        for name, events_left in waiting.items():
            while events_left and events_left[-1].day <= 7 * week:
                progress[name].extend(events_left.pop())
        stands = standings({name: progress[name] for name in active}, 7 * week)
        for name in active:
            features = {key: stands[name].features[key] for key in NAMES}
            rows.append(Row(grade, name, week, features, day < happened.get(name, day) <= day + within))
    return rows
