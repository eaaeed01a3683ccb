"""A student's record as it was kept, and what follows from it. Pure.

Everything that is said of a student follows from the set of statements that stand: those that were kept, each once,
without those that were taken out. The worker counts up as statements come, and comes here when something has to be
taken out or put back; a rebuild comes here for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from schemas.events import CREDIT
from streams.learner.fold import Attempt
from streams.rows.arrival import Arrival
from streams.rows.engagement import DayCount

VOIDED = "voided"
UNLINKED = "unlinked"
DUPLICATE = "duplicate"
CONFLICT = "conflict"
REASONS = frozenset({VOIDED, UNLINKED, DUPLICATE, CONFLICT})
"""Why statements are taken out of records, see schemas.events.Removal. Only what was unlinked can be put back."""

Key = tuple[int, str]
"""A statement within the record of a student: timestamp (µs), statement id."""


class Kept(NamedTuple):
    """A row of statements or of credits, read back; the position of the arrival is one of that generation."""

    generation: int
    arrival: Arrival


class Decision(NamedTuple):
    """What was said last about a statement that was taken out; ``offset`` is that of the event, -1 in an earlier
    generation."""

    reason: str
    cause: str
    restored: bool
    offset: int


Removed = Mapping[Key, Decision]
"""What was said about the statements of one student."""


def key_of(arrival: Arrival) -> Key:
    """Key of a statement within its student's record."""
    return arrival.item.timestamp, arrival.item.statement_id


def is_out(key: Key, removed: Removed) -> bool:
    """Whether a statement was taken out and not put back since."""
    decision = removed.get(key)
    return decision is not None and not decision.restored


def standing(arrivals: Iterable[Arrival], removed: Removed) -> list[Arrival]:
    """What stands of one student's statements: each once, the earliest of equal keys, without what was taken out.

    Offsets are of one generation, -1 for all that came before it.
    """
    found: dict[Key, Arrival] = {}
    for arrival in arrivals:
        key = key_of(arrival)
        known = found.get(key)
        if known is None or (arrival.offset, arrival.idx) < (known.offset, known.idx):
            found[key] = arrival
    return [arrival for key, arrival in found.items() if not is_out(key, removed)]


def attempt_of(arrival: Arrival) -> Attempt:
    """The attempt that a statement with an outcome is."""
    item, outcome = arrival.item, arrival.outcome
    assert outcome is not None, "only what has an outcome is an attempt"
    return Attempt(item.timestamp, item.statement_id, arrival.activity, item.skills, outcome, arrival.duration_ms)


def attempts(arrivals: Iterable[Arrival]) -> list[Attempt]:
    """Attempts among statements that stand, to be folded (streams.learner.fold)."""
    return [attempt_of(arrival) for arrival in arrivals if arrival.outcome is not None]


def count(arrivals: Iterable[Arrival]) -> DayCount:
    """Count of one day's statements that stand; its watermark is left to the caller."""
    counted = DayCount()
    counted.base = -2  # what came in an earlier generation, at offset -1, counts as well
    counted.add(arrivals)
    counted.base = counted.watermark = -1
    return counted


def days(arrivals: Iterable[Arrival], day_of: Callable[[int], int]) -> dict[int, DayCount]:
    """Counts of all days of one student's statements that stand, by day number (streams.rows.days.LocalDays)."""
    placed: dict[int, list[Arrival]] = {}
    for arrival in arrivals:
        placed.setdefault(day_of(arrival.item.timestamp), []).append(arrival)
    return {day: count(some) for day, some in placed.items()}


def is_credit(arrival: Arrival) -> bool:
    """Whether its row stands in credits."""
    return bool(arrival.item.flags & CREDIT)
