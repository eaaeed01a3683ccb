"""Reads what the rules know of students: their days, expected work with what became of it, marks, grade.

Few queries for a chunk of students. What the whole district shares is read apart, and less often: the line items, and
since when a piece of work is heard of, which is when enough of its section have handed it in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from string import Template
from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select

from schemas import verbs
from schemas.extensions import BEHAVIOR, SUSPENSION
from schemas.registry.insight import line_items
from schemas.registry.tables import enrollments, sections
from streams.kept import moment
from streams.rows.days import LocalDays, as_number
from streams.sink import Sink
from streams.warning.coverage import QUIET_SHARE
from streams.warning.facts import DayFacts, Mark, StudentFacts, Work, is_core

LONGEST_DAYS = 400
"""Expected work and marks from before that tell nothing any more."""
_DAY_US = 86_400_000_000

# Ids come from the tables themselves, or from arrivals that were checked to be UUIDs. PREWHERE: see streams.store.
_DAYS = Template(
    "SELECT student_id, toUInt16(day), activity, attempts, successes, providers, attended, absent, incidents,"
    " duration_ms, partition FROM student_days FINAL PREWHERE student_id IN ($students)"
)
_ROSTER = Template("SELECT student_id, school_id, grade, sections FROM roster FINAL PREWHERE student_id IN ($students)")
_HANDED_IN = (verbs.SUBMITTED, verbs.COMPLETED, verbs.ANSWERED, verbs.PASSED, verbs.FAILED)
_WORDS = {
    "handed_in": str(_HANDED_IN),
    "handed_in_or_waived": str((*_HANDED_IN, verbs.WAIVED)),
    "waived": f"'{verbs.WAIVED}'",
    "recorded": str((verbs.ATTENDED, verbs.ABSENT, verbs.REPORTED)),
    "reported": f"'{verbs.REPORTED}'",
    "behavior": f"'{BEHAVIOR}'",
    "suspension": f"'{SUSPENSION}'",
    "standing": "(student_id, timestamp, statement_id) NOT IN (SELECT student_id, timestamp, statement_id"
    " FROM removals FINAL WHERE NOT restored AND student_id IN ($students))",
}


def _with_words(text: str) -> Template:
    return Template(Template(text).safe_substitute(_WORDS))


_SUSPENDED = _with_words(
    "SELECT student_id, toUnixTimestamp64Micro(timestamp) FROM statements FINAL"
    " PREWHERE student_id IN ($students) AND verb = $reported"
    " WHERE JSONExtractString(json, 'context', 'extensions', $behavior) = $suspension AND $standing"
)
_HAND_INS = _with_words(
    "SELECT student_id, activity, min(toUnixTimestamp64Micro(timestamp)), groupUniqArray(provider_id),"
    " max(verb = $waived) FROM ("
    "SELECT student_id, activity, timestamp, provider_id, verb FROM statements FINAL PREWHERE student_id IN ($students)"
    " WHERE verb IN $handed_in_or_waived AND activity IN ($activities) AND $standing"
    " UNION ALL "
    "SELECT student_id, activity, timestamp, provider_id, verb FROM credits FINAL PREWHERE student_id IN ($students)"
    " WHERE verb IN $handed_in_or_waived AND activity IN ($activities) AND $standing"
    ") GROUP BY 1, 2"
)
_SCORES = Template(
    "SELECT student_id, item, toUnixTimestamp64Micro(timestamp) AS at, outcome, provider_id FROM attempts FINAL"
    " PREWHERE student_id IN ($students) WHERE item IN ($activities) ORDER BY student_id, at, statement_id"
)
_RECORDERS = _with_words("SELECT DISTINCT provider_id FROM statements WHERE verb IN $recorded AND stored >= '$since'")
_HEARD = _with_words(
    "SELECT activity, groupArray(at) FROM (SELECT activity, student_id, min(toUnixTimestamp64Micro(timestamp)) AS at"
    " FROM statements WHERE verb IN $handed_in AND activity IN ($activities) GROUP BY 1, 2) GROUP BY 1"
)


class Expected(NamedTuple):
    """A line item with its section; ``work`` is false for a mark."""

    item: str
    activity: str
    work: bool
    section: str
    course: str
    core: bool
    due: int
    term: str
    credits: float


class HandIn(NamedTuple):
    """The first time a student handed a piece of work in; ``waived``: it is not expected of this student."""

    day: int
    providers: list[str]
    waived: bool


class Known(NamedTuple):
    """A student's facts, and where the student belongs."""

    facts: StudentFacts
    school: str
    partition: int


class FactsReader:
    """One thread at a time.

    ``recorders`` are the providers that tell of attendance and incidents, sorted: what they tell is no activity of a
    student's own, and neither is their silence.
    """

    recorders: tuple[str, ...] = ()

    def __init__(self, sink: Sink, registry: Engine, days: LocalDays) -> None:
        self._sink = sink
        self._registry = registry
        self._days = days
        self._items: list[Expected] = []
        self._by_section: dict[str, list[Expected]] = {}
        self._heard: dict[str, int] = {}
        self._heard_on = 0

    def refresh(self, today: int) -> bool:
        """Read what the district shares; True when other work or marks are expected than before."""
        self._find_recorders(today)
        items, sizes = self._expected(today)
        changed = items != self._items
        self._items = items
        self._by_section = defaultdict(list)
        for one in items:
            self._by_section[one.section].append(one)
        if today != self._heard_on:
            self._heard.clear()
            self._heard_on = today
        self._listen([one for one in items if one.work and one.due < today and one.activity not in self._heard], sizes)
        return changed

    def of(self, students: Collection[str]) -> dict[str, Known]:
        """What is known of students; those without any day are left out."""
        listed = _listed(students)
        days: dict[str, list[DayFacts]] = defaultdict(list)
        partitions: dict[str, int] = {}
        for student, day, *counts, partition in self._rows(_DAYS.substitute(students=listed)):
            activity, attempts, successes, providers, attended, absent, incidents, lasted = counts
            own = tuple(provider for provider in providers if provider not in self.recorders)
            if not own:
                activity = attempts = successes = 0
            days[student].append(DayFacts(day, activity, attempts, successes, own, attended, absent, incidents, lasted))
            partitions[student] = partition
        self._suspend(days)
        placed = {student: rest for student, *rest in self._rows(_ROSTER.substitute(students=listed))}
        items = {
            student: [one for section in found for one in self._by_section.get(section, ())]
            for student, (_, _, found) in placed.items()
        }
        hand_ins, scores = self._told(listed, {one.activity for some in items.values() for one in some})
        return {
            student: Known(
                StudentFacts(
                    placed[student][1] if student in placed else None,
                    tuple(facts),
                    tuple(self._work(student, items.get(student, ()), hand_ins, scores)),
                    tuple(self._marks(student, items.get(student, ()), scores)),
                ),
                placed[student][0] if student in placed else "",
                partitions[student],
            )
            for student, facts in days.items()
        }

    def _find_recorders(self, today: int) -> None:
        """In all statements once a day; else in those since yesterday, since a whole look grows with the store."""
        known = self.recorders if today == self._heard_on else ()
        since = moment((today - 1) * _DAY_US if known else 0)
        found = {provider for (provider,) in self._rows(_RECORDERS.substitute(since=since))}
        self.recorders = tuple(sorted(found.union(known)))

    def _expected(self, today: int) -> tuple[list[Expected], dict[str, int]]:
        """Line items with a due day, in order, and how many sit in each section."""
        query = select(
            line_items.c.line_item_id, line_items.c.activity_id, line_items.c.kind, line_items.c.section_id,
            sections.c.name, sections.c.subject, line_items.c.due_on, line_items.c.term, line_items.c.credits,
        ).join(sections).where(line_items.c.due_on.is_not(None)).order_by(line_items.c.line_item_id)  # fmt: skip
        seats = select(enrollments.c.section_id, func.count()).group_by(enrollments.c.section_id)
        with self._registry.connect() as connection:
            rows = connection.execute(query).all()
            sizes = {row[0]: row[1] for row in connection.execute(seats)}
        items = [
            Expected(item, activity, kind == "work", section, name, is_core(subject), due, term, credit or 0.0)
            for item, activity, kind, section, name, subject, due_on, term, credit in rows
            if (due := as_number(due_on)) > today - LONGEST_DAYS
        ]
        return items, sizes

    def _listen(self, items: Sequence[Expected], sizes: dict[str, int]) -> None:
        """Find the day on which a fifth of a section, and at least one student, had handed a piece of work in."""
        if not items:
            return
        told = dict(self._rows(_HEARD.substitute(activities=_listed(one.activity for one in items))))
        for one in items:
            enough = max(1, round(QUIET_SHARE * sizes.get(one.section, 0)))
            moments = sorted(told.get(one.activity, ()))
            if len(moments) >= enough:
                self._heard[one.activity] = self._days.day_of(moments[enough - 1])

    def _suspend(self, days: dict[str, list[DayFacts]]) -> None:
        """Count the suspensions among the incidents, of those few who have any."""
        some = [student for student, facts in days.items() if any(day.incidents for day in facts)]
        if not some:
            return
        counted: dict[tuple[str, int], int] = defaultdict(int)
        for student, at in self._rows(_SUSPENDED.substitute(students=_listed(some))):
            counted[student, self._days.day_of(at)] += 1
        for student in some:
            days[student] = [day._replace(suspensions=counted.get((student, day.day), 0)) for day in days[student]]

    def _told(
        self, students: str, activities: Collection[str]
    ) -> tuple[dict[tuple[str, str], HandIn], dict[tuple[str, str], list[tuple[int, float, str]]]]:
        """First hand-ins and all scores (day, score, provider) by student and activity."""
        scores: dict[tuple[str, str], list[tuple[int, float, str]]] = defaultdict(list)
        if not activities:
            return {}, scores
        named = {"students": students, "activities": _listed(activities)}
        hand_ins = {
            (student, activity): HandIn(self._days.day_of(at), providers, bool(waived))
            for student, activity, at, providers, waived in self._rows(_HAND_INS.substitute(named))
        }
        for student, activity, at, outcome, provider in self._rows(_SCORES.substitute(named)):
            scores[student, activity].append((self._days.day_of(at), outcome, provider))
        return hand_ins, scores

    def _work(
        self,
        student: str,
        items: Iterable[Expected],
        hand_ins: dict[tuple[str, str], HandIn],
        scores: dict[tuple[str, str], list[tuple[int, float, str]]],
    ) -> Iterable[Work]:
        for one in items:
            hand_in = hand_ins.get((student, one.activity))
            if not one.work or (hand_in is not None and hand_in.waived):
                continue
            day, providers = (hand_in.day, hand_in.providers) if hand_in is not None else (None, [])
            told = scores.get((student, one.activity), [])
            yield Work(
                one.item, one.section, one.core, one.due, day,
                told[-1][1] if told else None, told[0][0] if told else None, self._heard.get(one.activity),
                tuple(sorted({*providers, *(provider for _, _, provider in told)})),
            )  # fmt: skip

    def _marks(
        self, student: str, items: Iterable[Expected], scores: dict[tuple[str, str], list[tuple[int, float, str]]]
    ) -> Iterable[Mark]:
        for one in items:
            if not one.work:
                for day, share, provider in scores.get((student, one.activity), ()):
                    yield Mark(
                        one.item,
                        one.section,
                        one.core,
                        one.term,
                        one.due,
                        day,
                        share,
                        one.credits,
                        one.course,
                        provider,
                    )

    def _rows(self, sql: str) -> Iterable[tuple[Any, ...]]:
        return zip(*self._sink.read(sql), strict=True)


def _listed(texts: Iterable[str]) -> str:
    """A list of SQL strings."""
    return ",".join("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in sorted(texts))
