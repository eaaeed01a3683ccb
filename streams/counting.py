"""Engagement: days of students counted up as statements come, and counted again where something was taken out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from streams import history
from streams.batch import Batch
from streams.correcting import Change
from streams.kept import ALWAYS, own
from streams.rows import tables
from streams.rows.arrival import Arrival
from streams.rows.days import LocalDays
from streams.rows.engagement import DayCount, extension
from streams.state import Student
from streams.store import Store

_DAY_US = 86_400_000_000
_FARTHEST_US = 14 * 3_600_000_000
"""No time zone is farther from UTC than that."""


class Counting:
    """Days of one district, for one generation of the topic."""

    def __init__(self, store: Store, days: LocalDays, generation: int) -> None:
        self._store = store
        self._days = days
        self._day_of = days.day_of
        self._generation = generation

    def count(
        self,
        fresh: Mapping[str, Sequence[Arrival]],
        students: Mapping[str, Student],
        strangers: Collection[str],
        changes: Mapping[str, Change],
        batch: Batch,
    ) -> None:
        """Rows of the days on which statements came, went, or came back. Of strangers no day is stored."""
        day_of = self._day_of
        placed = {student_id: days_of(arrivals, self._days) for student_id, arrivals in fresh.items()}
        corrected = {student_id: {day_of(at) for at in change.moments} for student_id, change in changes.items()}
        self._fetch(placed, corrected, students, strangers)
        self._fetch_all(
            [student_id for student_id, change in changes.items() if change.everything], students, corrected
        )
        done = self._recount(fresh, students, changes, corrected) if changes else {}
        generation, rows = self._generation, batch.rows[tables.STUDENT_DAYS]
        for student_id, days in placed.items():
            student = students[student_id]
            counts = student.days
            recounted = done.get(student_id, ())
            for day, came in _by_day(fresh[student_id], days):
                if day in recounted:
                    continue
                count = counts[day]
                count.add(came)
                if count.watermark > count.base:
                    rows.append(count.row(student_id, day, generation, student.partition))
        for student_id, again in done.items():
            student = students[student_id]
            for day in sorted(again):
                row = student.days[day].row(student_id, day, generation, student.partition)
                if student.days[day].statements:
                    rows.append(row)
                else:
                    batch.rows[tables.STUDENT_DAY_REMOVALS].append((*row, 1))
        for student_id in placed.keys() | done.keys():
            students[student_id].settle_days()

    def _fetch(
        self,
        placed: Mapping[str, Sequence[int]],
        corrected: Mapping[str, set[int]],
        students: Mapping[str, Student],
        strangers: Collection[str],
    ) -> None:
        missing = {
            (student_id, day)
            for wanted in (placed, corrected)
            for student_id, days in wanted.items()
            for day in set(days) - students[student_id].days.keys()
        }
        if missing:
            asked = [one for one in missing if one[0] not in strangers]
            found = self._store.days(asked) if asked else {}
            for student_id, day in sorted(missing):
                students[student_id].days[day] = found.get((student_id, day)) or DayCount()

    def _fetch_all(
        self, student_ids: Sequence[str], students: Mapping[str, Student], corrected: Mapping[str, set[int]]
    ) -> None:
        """All days that stand of students who are counted again as a whole."""
        if student_ids:
            for (student_id, day), count in self._store.days_of(student_ids).items():
                students[student_id].days.setdefault(day, count)
            for student_id in student_ids:
                corrected[student_id].update(students[student_id].days)

    def _recount(
        self,
        fresh: Mapping[str, Sequence[Arrival]],
        students: Mapping[str, Student],
        changes: Mapping[str, Change],
        corrected: Mapping[str, set[int]],
    ) -> dict[str, set[int]]:
        """Count days from the statements that stand; which days, by student."""
        stale = {
            student_id: {day for day in corrected[student_id] if students[student_id].days[day].base < change.offset}
            for student_id, change in changes.items()
        }
        kept = {}
        if whole := [student_id for student_id, change in changes.items() if change.everything]:
            kept.update(self._store.kept(whole, ALWAYS))
        if some := [student_id for student_id, days in stale.items() if days and student_id not in kept]:
            days = [day for student_id in some for day in stale[student_id]]
            moments = min(days) * _DAY_US - _FARTHEST_US, (max(days) + 1) * _DAY_US + _FARTHEST_US
            kept.update(self._store.kept(some, moments))
        done: dict[str, set[int]] = {}
        for student_id, found in kept.items():
            student, change = students[student_id], changes[student_id]
            new = fresh.get(student_id, ())
            end = max(change.offset, new[-1].offset if new else -1)
            arrivals = (*own(found, self._generation, end), *change.restored, *new)
            counts = history.days(history.standing(arrivals, student.removed), self._day_of)
            wanted = stale[student_id]
            if change.everything:
                wanted |= {day for day in counts if day not in student.days}
            for day in wanted:
                count = counts.get(day) or DayCount()
                count.base = student.days[day].base if day in student.days else -1
                count.watermark = end
                student.days[day] = count
            done[student_id] = wanted
        return done


def days_of(arrivals: Sequence[Arrival], days: LocalDays) -> list[int]:
    """The day of each arrival."""
    if extension is not None:
        known: list[int] | None = extension.days(arrivals, days.known)
        if known is not None:
            return known
    return [days.day_of(arrival.item.timestamp) for arrival in arrivals]


def _by_day(arrivals: Sequence[Arrival], days: Sequence[int]) -> Iterable[tuple[int, Sequence[Arrival]]]:
    """Arrivals by day, the days in the order in which they come first; mostly there is one."""
    if len(set(days)) == 1:
        return [(days[0], arrivals)]
    placed: dict[int, list[Arrival]] = {}
    for arrival, day in zip(arrivals, days, strict=True):
        placed.setdefault(day, []).append(arrival)
    return placed.items()
