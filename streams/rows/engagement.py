"""What a student did on a day, counted up item by item."""

from __future__ import annotations

from collections.abc import Iterable

from infra.runtime.compiled import compiled
from schemas import verbs
from schemas.events import Item
from streams.rows.arrival import Arrival
from streams.rows.tables import Row

_ADMINISTRATIVE = verbs.ADMINISTRATIVE


class DayCount:
    """Counts of one student and day; ``watermark`` is the offset of the last envelope counted in, -1 for none.

    ``base`` is the watermark before the batch that is being counted: what stands at or below it was counted before.
    """

    __slots__ = (
        "absent", "activity", "attempts", "attended", "base", "duration_ms", "first_at", "incidents", "last_at",
        "providers", "statements", "successes", "watermark",
    )  # fmt: skip

    def __init__(self) -> None:
        self.statements = 0
        self.activity = 0
        self.attempts = 0
        self.successes = 0
        self.duration_ms = 0
        self.attended = 0
        self.absent = 0
        self.incidents = 0
        self.providers: list[str] = []
        self.first_at = 0
        self.last_at = 0
        self.watermark = -1
        self.base = -1

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Count items in, in the order of the log; at or below ``base`` an item is a no-op."""
        if extension is None or not extension.add(self, arrivals):
            self.in_python(arrivals)

    def in_python(self, arrivals: Iterable[Arrival]) -> None:
        """The same, without the extension; what is unusual is done here."""
        base, providers = self.base, self.providers
        statements, activity, attempts, successes = self.statements, self.activity, self.attempts, self.successes
        first, last, duration_ms, watermark = self.first_at, self.last_at, self.duration_ms, self.watermark
        for arrival in arrivals:
            offset = arrival.offset
            if offset <= base:
                continue
            item = arrival.item
            moment = item.timestamp
            if not statements:
                first = last = moment
            elif moment < first:
                first = moment
            elif moment > last:
                last = moment
            statements += 1
            watermark = offset
            if item.verb not in _ADMINISTRATIVE:
                activity += 1
                if item.provider_id not in providers:
                    providers = sorted([*providers, item.provider_id])
            elif item.verb == verbs.ATTENDED:
                self.attended += 1
            elif item.verb == verbs.ABSENT:
                self.absent += 1
            elif item.verb == verbs.REPORTED:
                self.incidents += 1
            outcome = arrival.outcome
            if outcome is not None:
                attempts += 1
                if outcome >= 0.5:
                    successes += 1
            if arrival.duration_ms > 0:
                duration_ms += arrival.duration_ms
        self.providers = providers
        self.statements, self.activity, self.attempts, self.successes = statements, activity, attempts, successes
        self.first_at, self.last_at, self.duration_ms, self.watermark = first, last, duration_ms, watermark

    def row(self, student_id: str, day: int, generation: int, partition: int) -> Row:
        """Row of the table student_days."""
        return (
            student_id, day, self.statements, self.activity, self.attempts, self.successes, self.duration_ms,
            min(self.attended, 65_535), min(self.absent, 65_535), min(self.incidents, 65_535), self.providers,
            self.first_at, self.last_at, generation, partition, self.watermark,
        )  # fmt: skip


extension = compiled("streams._counts")
"""Counts arrivals of the usual kind, and tells their days; see streams/_counts.c."""
if extension is not None:
    extension.configure(DayCount, Arrival, Item, _ADMINISTRATIVE, verbs.ATTENDED, verbs.ABSENT, verbs.REPORTED)
