"""The fold: what is kept of a student in a course, in constant time per event, and what it says at the end of a day.

Memory is bounded by the items of the course. Events of earlier days come first; those of one day in any order: counts
of a day are whole numbers until the day is over, and items are looked at only when somebody reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from streams.ranking.events import (
    ATTENDED,
    CLICKED,
    DUE,
    INCIDENT,
    MARKED,
    MISSED,
    REGISTERED,
    SUBMITTED,
    TYPES,
    Event,
)  # fmt: skip

HALF_LIVES: Final = (3.0, 7.0, 21.0)
"""Days after which a click counts half."""
RECENT: Final = 14
"""Days whose clicks are kept one by one: two weeks, to compare them."""
_BEFORE: Final = -(10**6)
_COUNTED: Final = frozenset({REGISTERED, ATTENDED, MISSED, INCIDENT})


@dataclass(slots=True)
class Item:
    """What is known of one piece of work; days from the start of the course, None: not (yet)."""

    due: int | None = None
    weight: float = 1.0
    submitted: int | None = None
    carried_over: bool = False
    mark: float | None = None
    marked: int = 0


@dataclass(slots=True)
class Clicks:
    """Decayed activity; whole numbers for the day that is not over."""

    day: int = _BEFORE
    today: list[int] = field(default_factory=lambda: [0] * len(TYPES))
    decayed: list[float] = field(default_factory=lambda: [0.0] * len(HALF_LIVES))
    types: list[int] = field(default_factory=lambda: [0] * len(TYPES))
    before_start: int = 0
    recent: list[int] = field(default_factory=lambda: [0] * RECENT)
    """Clicks of the last days that are over, the latest first."""
    active_on: int | None = None
    """Last day with clicks that is over."""

    def add(self, day: int, kind: str, count: int) -> None:
        """Count clicks of a day that is not before the last one."""
        self.advance(day)
        self.today[TYPES.index(kind)] += count

    def advance(self, day: int) -> None:
        """Close the days before ``day``."""
        if self.day == _BEFORE:
            self.day = day
        passed = day - self.day
        if passed <= 0:
            return
        total = sum(self.today)
        if total:
            self.active_on = self.day
            if self.day < 0:
                self.before_start += total
            for place, count in enumerate(self.today):
                self.types[place] += count
                self.today[place] = 0
        for place, half_life in enumerate(HALF_LIVES):
            self.decayed[place] = (self.decayed[place] + total) * 0.5 ** (passed / half_life)
        self.recent = [*[0] * min(passed - 1, RECENT), total, *self.recent][:RECENT]
        self.day = day


@dataclass(slots=True)
class Progress:
    """A student in a course; ``items`` by id; days attended and missed, and reports of behaviour, as counts."""

    registered: int = 0
    items: dict[str, Item] = field(default_factory=dict)
    clicks: Clicks = field(default_factory=Clicks)
    attended: int = 0
    missed: int = 0
    incidents: int = 0

    def extend(self, event: Event) -> None:
        """Take in an event; its day is not before that of the last one."""
        if event.kind == CLICKED:
            self.clicks.add(event.day, event.item, int(event.value))
            return
        if event.kind in _COUNTED:
            self._count(event)
            return
        item = self.items.get(event.item)
        if item is None:
            item = self.items[event.item] = Item()
        if event.kind == DUE:
            weight = event.value if event.value > 0.0 else 1.0
            item.weight = max(item.weight, weight) if item.due == event.day else weight
            item.due = event.day
        elif event.kind == SUBMITTED:
            if item.submitted is None:
                item.submitted = event.day
            item.carried_over |= event.value > 0.0
        elif event.kind == MARKED:
            # A mark that is given anew replaces the one before; of two of one day the better one counts.
            if item.mark is None or event.day > item.marked or event.value > item.mark:
                item.mark = event.value
            item.marked = event.day

    def _count(self, event: Event) -> None:
        if event.kind == REGISTERED:
            self.registered = event.day
        elif event.kind == ATTENDED:
            self.attended += 1
        elif event.kind == MISSED:
            self.missed += 1
        else:
            self.incidents += int(event.value)
