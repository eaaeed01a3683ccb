"""What was answered, by provider and minute, and why requests were refused: counted here, published each second."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ingest.xapi.faults import Fault
from schemas.events import LATENCY_BOUNDS_MS, ProviderMinute, Rejection

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000
REJECTIONS_A_MINUTE: Final = 100
"""Faults kept for a provider's page; beyond that they are counted alone."""

_KEPT_US: Final = 15 * MINUTE_US
_TEXT: Final = 300
_ADDRESS = re.compile(r"[^\s'\"\[\]]*@[^\s'\"\[\]]*")


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    accepted: int = 0
    rejected: int = 0
    latency_us: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_MS) + 1))


class Minutes:
    """Counts of this process; pure but for its state, times are given in µs.

    One row stands for a provider and a minute: what was accepted by the minute of ``stored``, requests by that of the
    answer. Rows are cumulative, so the last one published counts.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._counts: dict[tuple[str, int], _Counts] = {}
        self._changed: set[tuple[str, int]] = set()
        self._rejections: list[Rejection] = []
        self._rejected_in: dict[tuple[str, int], int] = {}
        self._days: dict[tuple[str, int], int] = {}

    def accepted(self, provider_id: str, stored: int, statements: int) -> None:
        """Statements that Kafka has acknowledged."""
        self._row(provider_id, stored).accepted += statements
        day = (provider_id, stored - stored % DAY_US)
        self._days[day] = self._days.get(day, 0) + statements

    def accepted_on(self, provider_id: str, day: int) -> int:
        """Statements accepted on a day of UTC, by its first µs; days are known until the next one ends."""
        return self._days.get((provider_id, day), 0)

    def answered(self, provider_id: str, at: int, duration_us: int, rejected: int = 0) -> None:
        """A request was answered; ``rejected``: statements refused with it."""
        row = self._row(provider_id, at)
        row.requests += 1
        row.rejected += rejected
        row.latency_us += duration_us
        row.buckets[bisect_left(LATENCY_BOUNDS_MS, duration_us / 1000)] += 1

    def kept_aside(self, provider_id: str, at: int, statements: int) -> None:
        """Statements that went into quarantine: they count as rejected until they are replayed."""
        self._row(provider_id, at).rejected += statements

    def refused(self, provider_id: str, at: int, request_id: str, status: int, faults: Iterable[Fault]) -> None:
        """Faults of a refused request, as many as fit in this minute's share."""
        minute = (provider_id, at - at % MINUTE_US)
        for fault in faults:
            kept = self._rejected_in.get(minute, 0)
            if kept >= REJECTIONS_A_MINUTE:
                return
            self._rejected_in[minute] = kept + 1
            self._rejections.append(
                Rejection(
                    provider_id,
                    at,
                    request_id,
                    status,
                    fault.rule,
                    fault.section,
                    masked(fault.path),
                    masked(fault.message),
                    fault.fix,
                    masked(fault.value),
                )
            )

    def take(self, now: int) -> tuple[list[ProviderMinute], list[Rejection]]:
        """Rows that changed since they were last taken, and new rejections; forgets minutes long past."""
        rows = []
        for key in sorted(self._changed):
            provider_id, minute = key
            counts = self._counts[key]
            rows.append(
                ProviderMinute(
                    provider_id,
                    self._instance,
                    minute,
                    counts.requests,
                    counts.accepted,
                    counts.rejected,
                    counts.latency_us,
                    list(counts.buckets),
                )
            )
        rejections, self._rejections = self._rejections, []
        self._changed.clear()
        for table in (self._counts, self._rejected_in):
            for key in [key for key in table if key[1] < now - _KEPT_US]:
                del table[key]
        for key in [key for key in self._days if key[1] < now - 2 * DAY_US]:
            del self._days[key]
        return rows, rejections

    def give_back(self, rows: list[ProviderMinute], rejections: list[Rejection]) -> None:
        """What was taken could not be published: it is due again."""
        self._changed.update(
            (row.provider_id, row.minute) for row in rows if (row.provider_id, row.minute) in self._counts
        )
        self._rejections[:0] = rejections

    def _row(self, provider_id: str, at: int) -> _Counts:
        key = (provider_id, at - at % MINUTE_US)
        row = self._counts.get(key)
        if row is None:
            row = self._counts[key] = _Counts()
        self._changed.add(key)
        return row


def masked(text: str) -> str:
    """Text without anything that looks like an address, shortened: rejections go to the log and the store."""
    return _ADDRESS.sub("…", text)[:_TEXT]
