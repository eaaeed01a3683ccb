"""What a statement's result tells: an outcome between 0 and 1, and a duration."""

from __future__ import annotations

import math
import re

from streams.rows.document import Result, Score

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+(?:[.,]\d+)?)W"
    r"|(?:(?P<years>\d+(?:[.,]\d+)?)Y)?(?:(?P<months>\d+(?:[.,]\d+)?)M)?(?:(?P<days>\d+(?:[.,]\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:[.,]\d+)?)H)?(?:(?P<minutes>\d+(?:[.,]\d+)?)M)?(?:(?P<seconds>\d+(?:[.,]\d+)?)S)?)?)"
)
_SECONDS = re.compile(r"PT(\d+(?:\.\d+)?)S")
"""What nearly all providers send."""
_HOUR = 3_600_000.0
_UNITS_MS = {
    "weeks": 168 * _HOUR,
    "years": 8_766 * _HOUR,
    "months": 730.5 * _HOUR,
    "days": 24 * _HOUR,
    "hours": _HOUR,
    "minutes": 60_000.0,
    "seconds": 1_000.0,
}
UNKNOWN_MS = -1
LONGEST_MS = 10 * 8_766 * 3_600_000
"""Ten years: a longer duration is a fault of its provider, and would drown all others in a sum."""


def outcome(result: Result | None) -> float | None:
    """Outcome 0 … 1 of a result, None where it tells none.

    success decides; else score.scaled, with a negative score counted as 0 (xAPI 1.0.3 part 2, 2.4.5.1: -1 … 1);
    else raw between min and max.
    """
    if result is None:
        return None
    if result.success is not None:
        return 1.0 if result.success else 0.0
    return None if result.score is None else _of_score(result.score)


def _of_score(score: Score) -> float | None:
    if score.scaled is not None:
        share = score.scaled
    elif score.raw is not None and score.max is not None and score.max > (low := score.min or 0.0):
        share = (score.raw - low) / (score.max - low)
    else:
        return None
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else None


def duration_ms(duration: str | None) -> int:
    """Milliseconds of an ISO 8601 duration (years and months at their mean length); -1 where there is none.

    One that cannot be read counts as unknown: it is no reason to lose the statement.
    """
    if duration and (seconds := _SECONDS.fullmatch(duration)):
        only = float(seconds[1]) * 1_000.0
        return round(only) if only <= LONGEST_MS else UNKNOWN_MS
    if not duration or (found := _DURATION.fullmatch(duration)) is None or duration[-1] in "PT":
        return UNKNOWN_MS
    total = 0.0
    for unit, value in found.groupdict().items():
        if value is not None:  # added one by one: sum() of floats differs between versions of Python
            total += float(value.replace(",", ".")) * _UNITS_MS[unit]
    return round(total) if total <= LONGEST_MS else UNKNOWN_MS
