"""Accepted = stored + duplicates + dead-lettered + in flight, judged for one provider and hour. Pure.

Accepted is the ledger: what the door counted into the header of each record of the log. What the door answered with a
2xx is counted apart, and is at most that (docs/decisions/0010). Both stand beside the rows that the sinks wrote in the
view ``reconciliation``; the pages show the balance, and a worker watches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MARGIN: Final = timedelta(seconds=60)
"""A statement is stamped before it reaches the log, and its rows are written table by table: what the sinks passed
only just now is not judged yet."""


class Verdict(StrEnum):
    """What is to be thought of an hour."""

    BALANCED = "balanced"
    IN_FLIGHT = "in flight"
    MISSING = "missing"  # in the log, and neither stored nor explained, though the sinks have passed that time
    LOST = "answered, not in the log"  # told to be kept, and not found, though the sinks have passed that time
    SURPLUS = "surplus"  # more found than the log holds


@dataclass(frozen=True)
class Balance:
    """One line; ``in_flight`` and ``difference`` never stand for the same statements.

    Attributes:
        accepted: statements in the log, or answered with a 2xx where workers have not read them yet.
        answered: statements answered with a 2xx; fewer than accepted where a process died, or Kafka was late.
    """

    accepted: int
    answered: int
    stored: int
    duplicates: int
    dead: int
    in_flight: int
    difference: int
    verdict: Verdict

    @property
    def off(self) -> bool:
        """Whether someone has to look."""
        return self.difference != 0


def judge(row: Mapping[str, Any]) -> Balance:
    """Judge one row of the view reconciliation.

    What lies in minutes that the sinks have passed must balance; of the others, what is accepted and not found is in
    flight: it may be counted at one end and not yet at the other.
    """
    answered, accounted = row["answered"], row["stored"] + row["duplicates"] + row["dead"]
    settled, found = row["settled_accepted"], row["settled_accounted"]
    open_accounted = accounted - found
    open_accepted = max(row["accepted"] - settled, answered - row["settled_answered"], open_accounted)
    in_flight = open_accepted - open_accounted
    verdict = Verdict.IN_FLIGHT if in_flight else Verdict.BALANCED
    if difference := settled - found:
        verdict = Verdict.MISSING if difference > 0 else Verdict.SURPLUS
    elif row["settled_answered"] > settled:
        difference, verdict = row["settled_answered"] - settled, Verdict.LOST
    accepted = settled + open_accepted
    return Balance(accepted, answered, row["stored"], row["duplicates"], row["dead"], in_flight, difference, verdict)


def consistent_through(row: Mapping[str, Any]) -> datetime | None:
    """Until when one partition is complete: a partition that has caught up is as fresh as its last check.

    Args:
        row: offset, end_offset, checked_at and stored_until of the table sink_progress.

    None where statements wait and none was ever written.
    """
    if row["offset"] >= row["end_offset"]:
        checked_at: datetime = row["checked_at"]
        return checked_at
    stored_until: datetime = row["stored_until"]
    return stored_until if stored_until > EPOCH else None


def settled_through(progress: Sequence[Mapping[str, Any]], partitions: int) -> datetime:
    """Until when all partitions are complete, with a margin; the epoch where one of them was never written."""
    known = [moment for row in progress if (moment := consistent_through(row)) is not None]
    return max(min(known) - MARGIN, EPOCH) if known and len(known) >= partitions else EPOCH
