"""Identities that were moved to another student: what they did before, or still under the old student, moves too.

Whom a statement is to be credited to is asked anew of the registry, and compared with whom it is credited to: so a
group's statement stays with a student who is a member of it in another way, and a link that was taken back moves all
that came meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Engine

from schemas import verbs
from streams.corrections import people
from streams.corrections.facts import Facts, Void
from streams.corrections.items import (
    CREDITED,
    UNLINKED,
    Acted,
    Body,
    Correction,
    Key,
    Name,
    Removed,
    Standing,
    credit,
    removal,
)
from streams.corrections.people import People
from streams.corrections.voids import is_in

WATCHED_US: Final = 24 * 3600 * 1_000_000
"""So long after a move, statements that come under the old student are moved on."""
MOST: Final = 5_000
"""Corrections of one look; the others are found at the next one."""
IDENTITIES: Final = 100
"""Identities of one look."""
BEHIND_US: Final = 5 * 60 * 1_000_000
"""Half of what voids looks back over (turns.OVERLAP_US), so that a voiding that comes to light later is in time."""


class Planned(NamedTuple):
    """One more student for a statement, whose row tells where its JSON stands."""

    row: Standing
    student_id: str
    cause: str

    @property
    def name(self) -> Name:
        """That of the correction that it becomes."""
        return self.row.key._replace(student_id=self.student_id), CREDITED, self.cause


def decide(
    acted: Iterable[Acted], credits: Iterable[Standing], removed: Mapping[Key, Removed], known: People, now: int
) -> tuple[list[Correction], list[Planned]]:
    """Pure: what is to be taken out, and what is to be credited.

    What was taken out as voided or as a copy is credited to nobody: whom it is moved to would get what is void, or what
    the first copy gives already. Copies of one content that came before and after a move are looked at together: of
    the second copy of a group's statement nothing may stand but the credit of the student who is its member by then.
    """
    acted = list(acted)
    beside: dict[tuple[object, ...], list[Standing]] = defaultdict(list)
    for row in (*(one.row for one in acted), *credits):
        beside[_content(row)].append(row)
    gone = {(key.timestamp, key.statement_id) for key, one in removed.items() if not _may_return(one)}
    removals: list[Correction] = []
    planned: dict[tuple[tuple[object, ...], str], Planned] = {}
    for row, actor in acted:
        wanted = known.credited(actor)
        if not wanted:
            continue
        rows = (row, *beside[_content(row)])
        holding = {one.key.student_id: one for one in reversed(rows) if is_in(removed.get(one.key))}
        for student, one in holding.items():
            if student not in wanted:
                removals.append(removal(one, UNLINKED, known.cause(actor, student, to=False), now))
        if (row.key.timestamp, row.key.statement_id) not in gone:
            for student in wanted:
                # Of several copies a student gets back the own one, which stands where it stood.
                if student not in holding and (
                    row.key.student_id == student or (_content(row), student) not in planned
                ):
                    planned[_content(row), student] = Planned(row, student, known.cause(actor, student, to=True))
    return removals, list(planned.values())


def without_voided(planned: Iterable[Planned], voids: Iterable[Void]) -> list[Planned]:
    """Pure: without what its provider voids. A voiding statement cannot be voided (xAPI 1.0.3 part 2, 2.3.2)."""
    voided = {(void.target, void.provider_id) for void in voids}
    return [
        one
        for one in planned
        if one.row.verb == verbs.VOIDED or (one.row.key.statement_id, one.row.provider_id) not in voided
    ]


def credits_of(planned: Iterable[Planned], bodies: Mapping[Key, Body]) -> list[Correction]:
    """The items of what was planned."""
    return [credit(row, bodies[row.key], student, cause) for row, student, cause in planned if row.key in bodies]


def _content(row: Standing) -> tuple[object, ...]:
    return row.key.statement_id, row.key.timestamp, row.digest, row.provider_id


def _may_return(removed: Removed) -> bool:
    return removed.restored or removed.reason == UNLINKED


class Links:
    """Looks at identities for a day after each move, often at first and then ever more seldom; one thread at a time.

    ``lately`` tells whether a correction went into the log lately.
    """

    name = "links"

    def __init__(self, facts: Facts, registry: Engine, lately: Callable[[Name], bool]) -> None:
        self._facts = facts
        self._registry = registry
        self._lately = lately
        self._looked: dict[str, int] = {}
        self._looking: dict[str, int] = {}

    def look(self, settled: int, now: int) -> list[Correction]:
        """What has to be moved. ``settled``: µs until which all that was stored can be read.

        While the sinks are behind nothing is moved: a statement might be credited whose voiding cannot be read yet.
        """
        self._looking = {}
        if now - settled > BEHIND_US:
            return []
        with self._registry.connect() as connection:
            moved = people.moved_since(connection, settled - WATCHED_US)
            self._looked = {name: at for name, at in self._looked.items() if name in moved}
            due = sorted(name for name, at in moved.items() if self._is_due(name, at, now))[:IDENTITIES]
            if not due:
                return []
            known = people.load(connection, due)
        removals, planned = self._compare(due, known, now)
        if len(removals) + len(planned) <= MOST:
            self._looking = dict.fromkeys(due, now)
        removals, planned = removals[:MOST], planned[: max(MOST - len(removals), 0)]
        return removals + credits_of(planned, self._facts.bodies({one.row.key for one in planned}))

    def settle(self) -> None:
        """What was found last is in the log."""
        self._looked |= self._looking

    def _compare(self, due: list[str], known: People, now: int) -> tuple[list[Correction], list[Planned]]:
        students = known.all_students()
        acted = self._facts.acted(students, [*(f"{one}." for one in due), *sorted(known.groups)])
        ids = {one.row.key.statement_id for one in acted}
        credits = self._facts.credits(students, ids)
        removals, planned = decide(acted, credits, self._facts.removed_of(students, ids), known, now)
        planned = [one for one in planned if not self._lately(one.name)]
        voids = self._facts.voids_of(one.row.key.statement_id for one in planned)
        return [one for one in removals if not self._lately(one.name)], without_voided(planned, voids)

    def _is_due(self, name: str, at: int, now: int) -> bool:
        looked = self._looked.get(name)
        return looked is None or looked < at or now - looked >= (now - at) // 10
