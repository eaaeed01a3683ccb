"""Accepted = stored + duplicates + dead-lettered + in flight, judged for one provider and hour. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

COUNT_DELAY: Final = timedelta(minutes=2)
"""The count of accepted statements travels by a topic of its own, so it may come later than the statements."""


class Verdict(StrEnum):
    """What is to be thought of an hour."""

    BALANCED = "balanced"
    IN_FLIGHT = "in flight"
    MISSING = "missing"  # accepted, and neither stored nor explained, though the sinks have passed that hour
    COUNTING = "count on its way"  # more found than accepted, in an hour whose count is still coming
    SURPLUS = "surplus"  # more found than accepted


@dataclass(frozen=True)
class Balance:
    """One line. ``in_flight`` and ``difference`` never stand for the same statements."""

    accepted: int
    stored: int
    duplicates: int
    dead: int
    in_flight: int
    difference: int
    verdict: Verdict


def judge(row: Mapping[str, Any], through: datetime | None, now: datetime) -> Balance:
    """Judge one row of queries/reconciliation.sql.

    Args:
        row: accepted, stored, duplicates, dead, and ``hour``, the start of the hour.
        through: until when the sinks are complete; None when they never said so.
        now: the time of the question.
    """
    rest = row["accepted"] - row["stored"] - row["duplicates"] - row["dead"]
    end = row["hour"] + timedelta(hours=1)
    in_flight, difference = 0, rest
    if rest > 0 and (through is None or through < end):
        in_flight, difference, verdict = rest, 0, Verdict.IN_FLIGHT
    elif rest > 0:
        verdict = Verdict.MISSING
    elif rest < 0:
        verdict = Verdict.COUNTING if now < end + COUNT_DELAY else Verdict.SURPLUS
    else:
        verdict = Verdict.BALANCED
    return Balance(row["accepted"], row["stored"], row["duplicates"], row["dead"], in_flight, difference, verdict)
