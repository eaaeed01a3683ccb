"""Growth by week against a student's own past, strengths first. Nothing here compares one student with another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from streams.learner.words import Lines, Word, level, settle


class Point(NamedTuple):
    """Mastery of one skill after one answer: ``at`` in µs since the epoch, the interval from ``low`` to ``high``.

    ``number`` counts the answers: one that is evidence of two skills makes two points of one number.
    """

    number: int
    at: int
    skill: str
    chance: float
    low: float
    high: float


class Week(NamedTuple):
    """A week with answers.

    Attributes:
        start: its Monday.
        answers: answers in all skills.
        mastery: mastery of each skill tried so far, as of the last answer before the end of the week.
        gains: change of mastery against the student's own last week with answers, by skill that was practised and
            was known before; in the order of the gain, the largest first.
        mastered: skills that are mastered at its end and were not at the end of the week before, sorted.
        held: how many are mastered at its end.
    """

    start: date
    answers: int
    mastery: dict[str, float]
    gains: dict[str, float]
    mastered: tuple[str, ...]
    held: int


class Strengths(NamedTuple):
    """What went well in some weeks: newly mastered with the week, and the largest gains (skill, before, after)."""

    mastered: tuple[tuple[str, date], ...]
    gains: tuple[tuple[str, float, float], ...]


def by_week(points: Iterable[Point], day_of: Callable[[int], date], lines: Lines) -> list[Week]:
    """The weeks with answers, oldest first.

    Args:
        points: in the order of the fold.
        day_of: the school's day of a time in µs.
        lines: where words begin.
    """
    weeks: list[Week] = []
    now: dict[str, float] = {}
    held: dict[str, float] = {}
    tried: Counter[str] = Counter()
    start: date | None = None
    practised: set[str] = set()
    was: frozenset[str] = frozenset()
    answers: set[int] = set()

    def close(monday: date) -> None:
        nonlocal was
        before = weeks[-1].mastery if weeks else {}
        moved = {skill: now[skill] - before[skill] for skill in practised if skill in before}
        mastered = frozenset(
            skill for skill, value in held.items() if level(value, tried[skill], lines) is Word.MASTERED
        )
        gains = dict(sorted(moved.items(), key=lambda item: (-item[1], item[0])))
        weeks.append(Week(monday, len(answers), dict(now), gains, tuple(sorted(mastered - was)), len(mastered)))
        was = mastered

    for point in points:
        day = day_of(point.at)
        monday = day - timedelta(days=day.weekday())
        if monday != start:
            if start is not None:
                close(start)
            start, answers, practised = monday, set(), set()
        now[point.skill] = point.chance
        held[point.skill] = settle(held.get(point.skill), point.low, point.high)
        practised.add(point.skill)
        tried[point.skill] += 1
        answers.add(point.number)
    if start is not None:
        close(start)
    return weeks


def strengths(weeks: list[Week], since: date, least: float = 0.02) -> Strengths:
    """What went well from a day on: mastered since, and gains of at least ``least`` against the mastery before."""
    late = [week for week in weeks if week.start >= since]
    if not late:
        return Strengths((), ())
    before: Mapping[str, float] = next((week.mastery for week in reversed(weeks) if week.start < since), {})
    after = late[-1].mastery
    mastered = [(skill, week.start) for week in late for skill in week.mastered]
    gains = [
        (skill, before[skill], after[skill])
        for skill in sorted(after.keys() & before.keys(), key=lambda skill: (before[skill] - after[skill], skill))
        if after[skill] - before[skill] >= least
    ]
    return Strengths(tuple(reversed(mastered)), tuple(gains))
