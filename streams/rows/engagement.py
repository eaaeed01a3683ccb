"""What a student did on a day, counted up item by item."""

from __future__ import annotations

from schemas import verbs
from streams.rows.arrival import Arrival
from streams.rows.tables import Row

_ADMINISTRATIVE = verbs.ADMINISTRATIVE


class DayCount:
    """Counts of one student and day; ``watermark`` is the offset of the last envelope counted in, -1 for none.

    ``base`` is the watermark before the batch that is being counted: what stands at or below it was counted before.
    """

    __slots__ = (
        "absent", "activity", "attempts", "attended", "base", "duration_ms", "first_at", "last_at", "providers",
        "statements", "successes", "watermark",
    )  # fmt: skip

    def __init__(self) -> None:
        self.statements = 0
        self.activity = 0
        self.attempts = 0
        self.successes = 0
        self.duration_ms = 0
        self.attended = 0
        self.absent = 0
        self.providers: list[str] = []
        self.first_at = 0
        self.last_at = 0
        self.watermark = -1
        self.base = -1

    def add(self, arrival: Arrival) -> None:
        """Count an item in; at or below ``base`` it is a no-op. Items come in the order of the log."""
        if arrival.offset <= self.base:
            return
        item, outcome = arrival.item, arrival.outcome
        moment = item.timestamp
        if not self.statements:
            self.first_at = self.last_at = moment
        elif moment < self.first_at:
            self.first_at = moment
        elif moment > self.last_at:
            self.last_at = moment
        self.statements += 1
        self.watermark = arrival.offset
        if item.verb not in _ADMINISTRATIVE:
            self.activity += 1
            if item.provider_id not in self.providers:
                self.providers = sorted([*self.providers, item.provider_id])
        elif item.verb == verbs.ATTENDED:
            self.attended += 1
        elif item.verb == verbs.ABSENT:
            self.absent += 1
        if outcome is not None:
            self.attempts += 1
            self.successes += outcome >= 0.5
        if arrival.duration_ms > 0:
            self.duration_ms += arrival.duration_ms

    def row(self, student_id: str, day: int, generation: int, partition: int) -> Row:
        """Row of the table student_days."""
        return (
            student_id, day, self.statements, self.activity, self.attempts, self.successes, self.duration_ms,
            min(self.attended, 65_535), min(self.absent, 65_535), self.providers, self.first_at, self.last_at,
            generation, partition, self.watermark,
        )  # fmt: skip
