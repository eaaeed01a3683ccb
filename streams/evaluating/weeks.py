"""Courses as rows: every active student at the end of a week, folded event by event as the stream does it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streams.evaluating.oulad import Course, Student
from streams.ranking.course import standings
from streams.ranking.features import ACTIVITY, LEFT, WORK
from streams.ranking.fit import Row
from streams.ranking.progress import Progress


class Seen(NamedTuple):
    """A row, and what is looked at beside it.

    Attributes:
        presentation, clicks: of the course; whether its clicks are known.
        left: day of withdrawal, for the lead time; None: none.
        groups: who the student is, for the audit alone.
        missed_last: whether the piece of work that fell due last was not handed in.
        mark: weighted mean of visible marks and missing work; None: nothing was marked or missed.
    """

    row: Row
    presentation: str
    clicks: bool
    left: int | None
    groups: Mapping[str, str]
    missed_last: bool
    mark: float | None


@dataclass
class Cost:
    """Processor time spent on folding events and on reading features."""

    events: int = 0
    fold_seconds: float = 0.0
    rows: int = 0
    read_seconds: float = 0.0


def rows_of(course: Course, weeks: Sequence[int], cost: Cost) -> Iterator[Seen]:
    """Rows of some weeks of a course, one an active student and week; adds to the cost."""
    progress = {student.name: Progress() for student in course.students}
    place = dict.fromkeys(progress, 0)
    names = (*WORK, *ACTIVITY, LEFT) if course.clicks else (*WORK, LEFT)
    for week in sorted(weeks):
        day = 7 * week
        if day >= course.length:
            return
        began = time.thread_time()
        for student in course.students:
            before = place[student.name]
            place[student.name] = _fold(student, progress[student.name], before, day)
            cost.events += place[student.name] - before
        folded = time.thread_time()
        active = {one.name: one for one in course.students if one.active(day)}
        left = sum(one.left is not None and 0 < one.left <= day for one in course.students)
        stands = standings({name: progress[name] for name in active}, day, left)
        cost.fold_seconds += folded - began
        cost.read_seconds += time.thread_time() - folded
        cost.rows += len(active)
        for name, one in active.items():
            stand = stands[name]
            row = Row(course.module, name, week, {key: stand.features[key] for key in names}, one.had)
            yield Seen(
                row, course.presentation, course.clicks, one.left, one.groups,
                missed_last=_missed_last(progress[name], day), mark=stand.own.score,
            )  # fmt: skip


def _fold(student: Student, progress: Progress, place: int, day: int) -> int:
    """Take in a student's events from a place up to a day; returns the place of the next one."""
    events = student.events
    while place < len(events) and events[place].day <= day:
        progress.extend(events[place])
        place += 1
    return place


def _missed_last(progress: Progress, day: int) -> bool:
    due = [(item.due, name) for name, item in progress.items.items() if item.due is not None and item.due <= day]
    return bool(due) and progress.items[max(due)[1]].submitted is None
