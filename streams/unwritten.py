"""The batch that is being written while the next one is processed, and a store that does not read past it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future, wait
from typing import Any

from streams.dedupe import First, Key, Recent, Seen
from streams.history import Decision, Kept
from streams.history import Key as StatementKey
from streams.kept import ALWAYS, StudentKey
from streams.learner.fold import Attempt
from streams.ledger import Place, Tally
from streams.rows.arrival import Arrival
from streams.rows.engagement import DayCount
from streams.store import Store, StoredLearner


class Unwritten:
    """What was processed and is not yet in the store: one batch at a time."""

    def __init__(self) -> None:
        self._students: frozenset[str] = frozenset()
        self._written: Future[Any] | None = None

    def begin(self, students: Collection[str], written: Future[Any]) -> None:
        """A batch about these students is being written; the batch before it is."""
        self._students, self._written = frozenset(students), written

    def settle(self, students: Collection[str]) -> None:
        """Return when nothing about these students is being written, be it done or failed."""
        if not self._students.isdisjoint(students):
            self.settle_all()

    def settle_all(self) -> None:
        """Return when nothing is being written."""
        if self._written is not None:
            wait([self._written])


class SettledStore:
    """A store whose reads see all that was processed before about what they ask for.

    A batch that could not be written is no exception: what is made of such a read is dropped with it by the pipeline.
    """

    def __init__(self, store: Store, unwritten: Unwritten) -> None:
        self._store = store
        self._unwritten = unwritten

    def latest(self, student_ids: Collection[str]) -> dict[str, int]:
        """See Store."""
        self._unwritten.settle(student_ids)
        return self._store.latest(student_ids)

    def positions(self, arrivals: Collection[Arrival]) -> dict[Key, Seen]:
        """See Store."""
        self._unwritten.settle([arrival.item.student_id for arrival in arrivals])
        return self._store.positions(arrivals)

    def recent(self, firsts: Mapping[int, First]) -> dict[int, list[Recent]]:
        """See Store."""
        self._unwritten.settle_all()
        return self._store.recent(firsts)

    def learners(self, student_ids: Collection[str]) -> dict[str, StoredLearner]:
        """See Store."""
        self._unwritten.settle(student_ids)
        return self._store.learners(student_ids)

    def days(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], DayCount]:
        """See Store."""
        self._unwritten.settle([student_id for student_id, _ in wanted])
        return self._store.days(wanted)

    def days_of(self, student_ids: Collection[str]) -> dict[tuple[str, int], DayCount]:
        """See Store."""
        self._unwritten.settle(student_ids)
        return self._store.days_of(student_ids)

    def attempts(self, until: Mapping[str, int]) -> dict[str, list[Attempt]]:
        """See Store."""
        self._unwritten.settle(until)
        return self._store.attempts(until)

    def kept(self, student_ids: Collection[str], moments: tuple[int, int] = ALWAYS) -> dict[str, list[Kept]]:
        """See KeptStore."""
        self._unwritten.settle(student_ids)
        return self._store.kept(student_ids, moments)

    def originals(self, keys: Collection[StudentKey], *, credited: bool) -> dict[StudentKey, Kept]:
        """See KeptStore."""
        self._unwritten.settle([student_id for student_id, _, _ in keys])
        return self._store.originals(keys, credited=credited)

    def any_removals(self) -> bool:
        """See KeptStore."""
        self._unwritten.settle_all()
        return self._store.any_removals()

    def removals(self, student_ids: Collection[str]) -> dict[str, dict[StatementKey, Decision]]:
        """See KeptStore."""
        self._unwritten.settle(student_ids)
        return self._store.removals(student_ids)

    def tallies(self, places: Collection[Place]) -> dict[Place, Tally]:
        """See LedgerStore."""
        self._unwritten.settle_all()
        return self._store.tallies(places)
