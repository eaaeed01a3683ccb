"""Rule: fewer right answers than in the student's own past, by more than chance explains.

The last five days with attempts stand against the twenty before them. While a warning is open it is measured
against the past as it was when it was raised; else a lasting fall would soon become the new past.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from streams.warning.facts import DayFacts
from streams.warning.history import Episode, Thresholds, before, providers_of

RULE = "falling_success"
RECENT_DAYS = 5
PAST_DAYS = 20
LEAST_RECENT_ATTEMPTS = 20
LEAST_PAST_ATTEMPTS = 40
LEAST_Z = 2.33
"""One-sided 1 % of the normal distribution."""
CLEAR_DAYS = 3


class Rate(NamedTuple):
    """Right answers among all."""

    successes: int
    attempts: int

    @property
    def share(self) -> float:
        """Successes by attempts; 0 without attempts."""
        return self.successes / self.attempts if self.attempts else 0.0


class _Open(NamedTuple):
    """A warning that stands, with the figures of the last day on which the fall stood."""

    raised_on: int
    past: Rate
    recent: Rate
    evidence: tuple[DayFacts, ...]


def episodes(days: Sequence[DayFacts], today: int, thresholds: Thresholds) -> list[Episode]:
    """Episodes in order, by the days that are over."""
    practised = [day for day in before(days, today) if day.attempts]
    found: list[Episode] = []
    current: _Open | None = None
    better = 0
    for end in range(RECENT_DAYS, len(practised) + 1):
        recent_days = practised[end - RECENT_DAYS : end]
        recent, day = rate_of(recent_days), recent_days[-1].day
        if current is None:
            past = rate_of(practised[max(end - RECENT_DAYS - PAST_DAYS, 0) : end - RECENT_DAYS])
            if has_fallen(recent, past, thresholds.success_drop):
                current, better = _Open(day, past, recent, tuple(recent_days)), 0
            continue
        if current.past.share - recent.share >= thresholds.success_drop / 2:
            current, better = current._replace(recent=recent, evidence=tuple(recent_days)), 0
            continue
        better += 1
        if better == CLEAR_DAYS:
            found.append(_episode(current, day, thresholds.success_drop))
            current = None
    if current is not None:
        found.append(_episode(current, None, thresholds.success_drop))
    return found


def rate_of(days: Sequence[DayFacts]) -> Rate:
    """Rate over some days."""
    return Rate(sum(day.successes for day in days), sum(day.attempts for day in days))


def has_fallen(recent: Rate, past: Rate, drop: float) -> bool:
    """Whether the fall is large enough, and larger than chance (pooled two-proportion z-test)."""
    if recent.attempts < LEAST_RECENT_ATTEMPTS or past.attempts < LEAST_PAST_ATTEMPTS:
        return False
    fall = past.share - recent.share
    if fall < drop:
        return False
    pooled = (recent.successes + past.successes) / (recent.attempts + past.attempts)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / recent.attempts + 1.0 / past.attempts))
    return error == 0.0 or fall / error >= LEAST_Z


def _episode(opened: _Open, cleared_on: int | None, threshold: float) -> Episode:
    recent, past = opened.recent, opened.past
    return Episode(
        rule=RULE,
        raised_on=opened.raised_on,
        cleared_on=cleared_on,
        reason=(
            f"{recent.successes} of {recent.attempts} right in the last {RECENT_DAYS} active days"
            f" ({recent.share:.0%}); {past.share:.0%} of {past.attempts} before."
        ).replace("%", " %"),
        value=recent.share,
        baseline=past.share,
        threshold=threshold,
        evidence_from=opened.evidence[0].day,
        evidence_to=opened.evidence[-1].day,
        providers=providers_of(opened.evidence),
    )
