"""Which warnings are severe: they raise a case within its cool-down, and stand first in the queue. Pure.

A rule warns at a line; severe is twice as far. Chronic absence has a line of its own for it, with its own source: sixth
graders at or below 80 % attendance rarely graduate (Balfanz, Herzog & Mac Iver 2007).
"""

from __future__ import annotations

from typing import Final

COUNTS: Final = frozenset({"inactivity", "incidents"})
"""Rules that count days or things; the line is a number of them."""
FALLS: Final = frozenset({"falling_success", "falling_scores", "falling_marks"})
"""Rules about a share that fell below the student's own past by as much as the line."""
RISES: Final = frozenset({"rising_absence"})
"""Rules about a share that rose above the student's own past by as much as the line."""
CHRONIC: Final = "chronic_absence"
MISSING: Final = "missing_work"
MISSING_SHARE: Final = 2 / 3
"""Twice the share of the work that has to be missing for a warning."""


def severe(rule: str, value: float, baseline: float, threshold: float, severe_absence: float) -> bool:
    """Whether a warning lies twice as far beyond what is usual as its line.

    Args:
        rule: of the warning; of a rule that has no such measure nothing is severe.
        value: the indicator.
        baseline: the same indicator in the student's own past.
        threshold: the line.
        severe_absence: share of days missed from which chronic absence is severe.
    """
    if rule == CHRONIC:
        return value >= severe_absence
    if rule == MISSING:
        return value >= MISSING_SHARE
    if rule in COUNTS:
        return value >= 2 * threshold
    if rule in FALLS:
        return baseline - value >= 2 * threshold
    return rule in RISES and value - baseline >= 2 * threshold
