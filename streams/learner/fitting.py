"""The fit of a calibration: passes over attempts that come student by student, in memory bounded by items and skills.

The source is read several times, so it is a callable that begins anew; it must give the same attempts each time. The
same attempts, seed and version give the same calibration, bit by bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from streams.learner.calibration import Calibration, Evidence, Fit
from streams.learner.state import Attempt

Source = Callable[[], Iterable[tuple[str, Attempt]]]
"""Begins anew: student id and attempt, all attempts of a student together and in the order of the fold."""
Progress = Callable[[str, int], None]
"""Told of a pass by its name, and how many attempts of it are done."""


class Fitted(NamedTuple):
    """A calibration, and what it was fitted on.

    ``fingerprint``: SHA-256 over all attempts as they came; ``metrics``: figures by name, JSON-able.
    """

    calibration: Calibration
    attempts: int
    students: int
    fingerprint: str
    metrics: Mapping[str, object]


def fit(source: Source, *, version: int, seed: int = 0, progress: Progress | None = None) -> Fitted:
    """Fit on all attempts; raises ValueError when there are none."""
    ratings = Fit()
    seen = hashlib.sha256(str(seed).encode())
    students, last = 0, None
    for student_id, attempt in source():
        students += student_id != last
        last = student_id
        seen.update(repr((student_id, *attempt)).encode())
        ratings.add(Evidence(student_id, attempt.item, attempt.skills, attempt.outcome))
        if progress is not None and ratings.attempts % 10_000 == 0:
            progress("difficulties", ratings.attempts)
    if not ratings.attempts:
        raise ValueError("there are no attempts to fit a calibration on")
    return Fitted(ratings.calibration(version), ratings.attempts, students, seen.hexdigest(), {})
