"""Ids that were accepted twice, under other students or timestamps, which one partition cannot see (decision 6).

The first that was stored stays. A later one with the same content is a duplicate, any other a conflict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from streams.corrections.facts import Facts
from streams.corrections.items import CONFLICT, DUPLICATE, VOIDED, Correction, Key, Removed, Standing, removal
from streams.corrections.voids import is_in


def decide(
    rows: Iterable[Standing], removed: Mapping[Key, Removed], generation: int, settled: int, now: int
) -> list[Correction]:
    """Pure: what has to be taken out of ``rows``, which stand under ids that were accepted more than once.

    The rows of one acceptance, those of a group's members among them, share their times, provider and content. The same
    content under two students is an identity that was moved in between: that is for streams.corrections.links to
    settle, and a copy only where one student has both, in two places. What was credited back beside the statement's own
    row stands in the same place: to take one out would take out both. Members' credits alone are judged when all that
    was stored with them is written (``settled``, µs): then the statement's own row is known, or was a copy. So they are
    not the first while there is an own row, whatever was stored first: clocks of ingest processes may differ.
    """
    by_id: dict[str, dict[tuple[object, ...], list[Standing]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_id[row.key.statement_id][row.stored, row.key.timestamp, row.provider_id, row.digest].append(row)
    found: list[Correction] = []
    for acceptances in by_id.values():
        known = [
            some for some in acceptances.values() if some[0].stored <= settled or not all(row.credited for row in some)
        ]
        if len(known) < 2:
            continue
        ordered = sorted((sorted(some, key=_order) for some in known), key=lambda some: _order(some[0]))
        owned = next((number for number, some in enumerate(ordered) if not all(row.credited for row in some)), 0)
        ordered.insert(0, ordered.pop(owned))
        first = ordered[0][0]
        cause = f"{first.generation}/{first.partition}/{first.offset}/{first.idx}"
        held, places = _students(ordered[0], removed), {row.key for row in ordered[0]}
        for later in ordered[1:]:
            same = later[0].digest == first.digest
            for row in later:
                # Positions of an earlier generation cannot be told: its log was settled when it ended.
                if _held(removed.get(row.key)) and row.generation == generation:
                    if not same:
                        found.append(removal(row, CONFLICT, cause, now))
                    elif row.key.student_id in held and row.key not in places:
                        found.append(removal(row, DUPLICATE, cause, now))
            if same:
                held |= _students(later, removed)
                places |= {row.key for row in later}
    return found


def _order(row: Standing) -> tuple[object, ...]:
    return row.stored, row.credited, row.place


def _students(rows: Iterable[Standing], removed: Mapping[Key, Removed]) -> set[str]:
    """Who has a statement, or had it before it was voided."""
    return {row.key.student_id for row in rows if _held(removed.get(row.key))}


def _held(removed: Removed | None) -> bool:
    """Whether a row is part of its student's record, or was until it was voided: what is voided is kept, a copy is
    not."""
    return is_in(removed) or (removed is not None and removed.reason == VOIDED)


class Copies:
    """Looks for copies among what arrived; one thread at a time. ``horizon_us``: how far back the first one may be."""

    name = "copies"

    def __init__(self, facts: Facts, generation: int, horizon_us: int) -> None:
        self._facts = facts
        self._generation = generation
        self._horizon = horizon_us

    def look(self, since: int, until: int, settled: int, now: int) -> list[Correction]:
        """What has to be taken out of what was stored in [since, until], when all is written up to ``settled``; µs."""
        ids = self._facts.repeated(since, until, since - self._horizon)
        rows = self._facts.standing(ids)
        return decide(rows, self._facts.removed(row.key for row in rows), self._generation, settled, now)
