"""Accepted = stored + duplicates + dead-lettered + in flight, judged for one provider and hour. Pure.

Accepted is the ledger: what the door counted into the header of each record of the log. What the door answered with a
2xx is counted apart, and is at most that (docs/decisions/0010).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What is to be thought of an hour."""

    BALANCED = "balanced"
    IN_FLIGHT = "in flight"
    MISSING = "missing"  # in the log, and neither stored nor explained, though the sinks have passed that hour
    LOST = "answered, not in the log"  # told to be kept, and not found, though the sinks have passed that hour
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


def judge(row: Mapping[str, Any], through: datetime | None) -> Balance:
    """Judge one row of queries/reconciliation.sql.

    Args:
        row: accepted, answered, stored, duplicates, dead, and ``hour``, the start of the hour.
        through: until when the sinks are complete; None when they never said so.
    """
    accepted, answered = row["accepted"], row["answered"]
    accounted = row["stored"] + row["duplicates"] + row["dead"]
    in_flight = difference = 0
    verdict = Verdict.BALANCED
    if through is None or through < row["hour"] + timedelta(hours=1):
        # What is being written may be counted at one end and not yet at the other.
        accepted = max(accepted, answered, accounted)
        if in_flight := accepted - accounted:
            verdict = Verdict.IN_FLIGHT
    elif difference := accepted - accounted:
        verdict = Verdict.MISSING if difference > 0 else Verdict.SURPLUS
    elif answered > accepted:
        difference, verdict = answered - accepted, Verdict.LOST
    return Balance(accepted, answered, row["stored"], row["duplicates"], row["dead"], in_flight, difference, verdict)
