"""The history of the sample district: what its providers posted, in the order in which they posted it.

A pure function of the district and the day, made day by day: any stretch of it can be made again, and is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from infra.dev.simulation import mishaps
from infra.dev.simulation.chance import chance
from infra.dev.simulation.content import COURSE, PRACTICE, VIDEO, Provider
from infra.dev.simulation.district import District
from infra.dev.simulation.expected import period_length, work_of
from infra.dev.simulation.habits import attendance, course, lms, practice, records, video
from infra.dev.simulation.habits.telling import SECOND, Told, skill_for
from infra.dev.simulation.people import Student
from infra.dev.simulation.school_calendar import day_of
from infra.dev.simulation.skills import ENGLISH

_LOOK_BACK = timedelta(days=12)
"""A week's assignments are made on its Monday, and a batch may be 48 hours late."""
_HOUR = 3600 * SECOND
_DAY = 24 * _HOUR
_AT_THREE = 15 * _HOUR
_TEAM = 4
_OF = {practice: PRACTICE, video: VIDEO, course: COURSE}
"""Whose each habit is."""
encode = msgspec.json.Encoder().encode
"""A statement as JSON."""


class Post(NamedTuple):
    """One statement on its way: sorts in the order of posting."""

    at: int
    statement_id: str
    provider: Provider
    body: bytes


def history(district: District, zone: ZoneInfo, *, after: tuple[int, str], until: int) -> Iterator[Post]:
    """All posts in order, later than ``after`` (time in µs since the epoch, statement id) and before ``until``."""
    first = max(district.start, datetime.fromtimestamp(after[0] / SECOND, zone).date() - _LOOK_BACK)
    day = first - timedelta(days=first.weekday())
    number = school_days(district.start, day)
    waiting: list[Post] = []
    while midnight_of(day, zone) < until:
        if day >= district.start:
            waiting += _posts(district, zone, day, number)
            number += day_of(day).in_session
        waiting.sort()
        tonight = min(until, midnight_of(day + timedelta(days=1), zone))
        cut = next((n for n, post in enumerate(waiting) if post.at >= tonight), len(waiting))
        yield from (post for post in waiting[:cut] if post[:2] > after)
        del waiting[:cut]
        day += timedelta(days=1)


class Upcoming:
    """Takes posts off an ordered stream as their time comes."""

    def __init__(self, posts: Iterator[Post]) -> None:
        self._posts = posts
        self._next = next(posts, None)

    def before(self, now: int, most: int) -> list[Post]:
        """The next posts whose time is before ``now`` (µs since the epoch), ``most`` of them at most."""
        taken: list[Post] = []
        while self._next is not None and self._next.at < now and len(taken) < most:
            taken.append(self._next)
            self._next = next(self._posts, None)
        return taken


def school_days(start: date, end: date) -> int:
    """School days from ``start``, included, to ``end``, excluded."""
    return sum(day_of(start + timedelta(days=n)).in_session for n in range((end - start).days))


def midnight_of(day: date, zone: ZoneInfo) -> int:
    """When a day begins, µs since the epoch."""
    return int(datetime.combine(day, time(), zone).timestamp()) * SECOND


def _posts(district: District, zone: ZoneInfo, day: date, number: int) -> Iterator[Post]:
    midnight = midnight_of(day, zone)
    tablets = next(section.section_id for section in reversed(district.sections) if section.subject == ENGLISH)
    for student in district.students:
        slow = student.sections[ENGLISH] == tablets
        for told in _told(district, student, day, number, midnight):
            at = mishaps.posted_at(told.at, told.provider, midnight=midnight, day=number, tablet_class=slow)
            yield Post(at, told.statement["id"], told.provider, encode(told.statement))
    if day_of(day).in_session and day.weekday() == 4:
        for told in _teamwork(district, day, number, midnight):
            yield Post(told.at, told.statement["id"], told.provider, encode(told.statement))


def _told(district: District, student: Student, day: date, number: int, midnight: int) -> Iterator[Told]:
    """What providers tell about one student on one day, and on Mondays about the week's assignments."""
    if day.weekday() == 0:
        rng = chance(district.seed, student.student_id, day, "week")
        for section_id in student.sections.values():
            item = work_of(district.section(section_id), day, number, district.term_days)
            if item is not None:
                due = midnight + (item.due_on - day).days * _DAY + _AT_THREE
                yield from lms.assignment(rng, student, item, number, due)
    if not day_of(day).in_session:
        return
    rng = chance(district.seed, student.student_id, day)
    present = rng.random() >= student.traits.absence_on(number)
    yield attendance.mark(rng, student, midnight + int((8.5 + rng.random() / 4) * _HOUR), present=present)
    engagement = student.traits.engagement_on(number) * (1.0 if present else 0.25)
    for habit, often in ((practice, 0.9), (video, 0.45), (course, 0.26)):
        provider = _OF[habit]
        if rng.random() < often * engagement and not mishaps.silent(provider, student.school_id, district, number):
            skill = skill_for(rng, student, number, district.term_days)
            yield from habit.session(rng, student, skill, number, midnight + _start(rng, present))
    silent = mishaps.silent(PRACTICE, student.school_id, district, number)
    if rng.random() < 0.3 * (engagement - 0.9) and not silent:
        skill = skill_for(rng, student, number, district.term_days)
        yield from practice.session(rng, student, skill, number, midnight + _start(rng, present=False))
    if rng.random() < student.traits.incident_on(number) and present:
        yield records.incident(rng, student, midnight + int(rng.uniform(9, 15) * _HOUR))
    length = period_length(district.term_days)
    if number and number % length == 0:
        days = range(number - length, number)
        yield from records.marks(rng, student, number // length, days, midnight + 16 * _HOUR)


def _start(rng: Random, present: bool) -> int:
    """When a session starts, µs since midnight: mostly in class, else in the evening."""
    if present and rng.random() < 0.7:
        return int(rng.uniform(8.8, 14.5) * _HOUR)
    return int(rng.triangular(15.5, 20.5, 17) * _HOUR)


def _teamwork(district: District, day: date, number: int, midnight: int) -> Iterator[Told]:
    """One project a class and week, turned in by a team of those who still take part."""
    classes: dict[str, list[Student]] = {}
    for student in district.students:
        if student.traits.engagement_on(number) > 0.3:
            classes.setdefault(student.sections[ENGLISH], []).append(student)
    for section_id, students in classes.items():
        rng = chance(district.seed, section_id, day)
        team = rng.sample(students, min(_TEAM, len(students)))
        skill = skill_for(rng, team[0], number, district.term_days)
        yield lms.teamwork(rng, team, skill, midnight + int(rng.uniform(13, 14) * _HOUR))
