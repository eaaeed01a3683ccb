"""All rules over one student."""

from __future__ import annotations

from collections.abc import Sequence

from streams.warning import falling_success, inactivity
from streams.warning.coverage import Coverage
from streams.warning.facts import DayFacts
from streams.warning.history import Episode, Thresholds


def episodes(days: Sequence[DayFacts], known: Coverage, today: int, thresholds: Thresholds) -> list[Episode]:
    """Every episode of every rule: a function of the student's days, what is known of the school's, and the date alone.

    Living through a term day by day, or looking at it once at its end, gives the same episodes on the same dates.
    """
    return [
        *inactivity.episodes(days, known, today, thresholds),
        *falling_success.episodes(days, today, thresholds),
    ]
