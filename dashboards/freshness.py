"""How fresh a page is, computed from the progress of the sinks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from infra.runtime.reconciliation import consistent_through

STALE_AFTER: Final = timedelta(seconds=60)
"""Behind by more than this, a page says so in its own line and not just in the header."""


class State(StrEnum):
    """What a reader has to know about the data on a page."""

    FRESH = "fresh"
    STALE = "stale"  # everything is late
    PARTIAL = "partial"  # some students' data are late, or nobody writes them
    NONE = "none"  # nothing was ever written


@dataclass(frozen=True)
class Freshness:
    """``as_of``: everything accepted until then is on the page; ``lag``: how long ago that is."""

    state: State
    as_of: datetime | None
    lag: timedelta
    late: int
    partitions: int
    waiting: int


def freshness(progress: Sequence[Mapping[str, Any]], partitions: int, now: datetime) -> Freshness:
    """Freshness of a page that reads all partitions.

    Args:
        progress: rows of queries/progress.sql: partition, offset, end_offset, stored_until, checked_at.
        partitions: how many the topic has; one without a row has had no worker yet.
        now: the time of the question.
    """
    through = [consistent_through(row) for row in progress]
    known = [moment for moment in through if moment is not None]
    waiting = sum(max(0, row["end_offset"] - row["offset"]) for row in progress)
    if not known:
        return Freshness(State.NONE, None, timedelta(0), partitions, partitions, waiting)
    as_of = min(known)
    late = partitions - sum(now - moment <= STALE_AFTER for moment in known)
    state = State.FRESH if late <= 0 else State.PARTIAL if late < partitions else State.STALE
    return Freshness(state, as_of, max(now - as_of, timedelta(0)), max(late, 0), partitions, waiting)
