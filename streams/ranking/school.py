"""A district's facts of a student as the events that the score folds: the same fold as for a course elsewhere."""

from __future__ import annotations

from streams.ranking.events import (
    ATTENDED,
    CLICKED,
    CONTENT,
    DUE,
    INCIDENT,
    MARKED,
    MISSED,
    QUIZ,
    SUBMITTED,
    Event,
)
from streams.warning.facts import DayFacts, StudentFacts


def events(facts: StudentFacts, start: int) -> list[Event]:
    """What happened since ``start`` (days since 1970-01-01), sorted by day, days counted from it.

    Work counts from when it is known that it was collected at all; each piece of it weighs the same. Grade and school
    are no events.
    """
    found: list[Event] = []
    for day in facts.days:
        if day.day >= start:
            found.extend(_of_day(day, day.day - start))
    for work in facts.work:
        if work.due < start:
            continue
        if work.heard is not None:
            found.append(Event(max(work.due, work.heard) - start, DUE, work.item, 1.0))
        if work.submitted is not None:
            found.append(Event(work.submitted - start, SUBMITTED, work.item))
        if work.score is not None and work.scored is not None:
            found.append(Event(work.scored - start, MARKED, work.item, work.score))
    found.extend(Event(mark.day - start, MARKED, mark.item, mark.share) for mark in facts.marks if mark.day >= start)
    return sorted(found)


def _of_day(facts: DayFacts, day: int) -> list[Event]:
    found = []
    if facts.attempts:
        found.append(Event(day, CLICKED, QUIZ, facts.attempts))
    if facts.activity > facts.attempts:
        found.append(Event(day, CLICKED, CONTENT, facts.activity - facts.attempts))
    if facts.attended or facts.absent:
        found.append(Event(day, MISSED if facts.missed else ATTENDED))
    if facts.incidents:
        found.append(Event(day, INCIDENT, "", facts.incidents))
    return found
