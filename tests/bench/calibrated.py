"""A calibration as a district has one: fitted on answers of the workload, so that nothing of the model is left out."""

from __future__ import annotations

import time
from functools import cache
from itertools import groupby

from sqlalchemy import Engine

from streams import calibrations
from streams.learner.fitting import Fitted, fit
from streams.learner.state import Attempt
from streams.rows.arrival import read
from tests.bench.workload import Mix, items

FITTED_ON = 8_000


def attempts(count: int) -> list[tuple[str, Attempt]]:
    """Answers of the workload as the worker reads them, with their students, in the order of their coming."""
    found = []
    for number, item in enumerate(items(count, Mix(attempts=1.0))):
        arrival = read(0, number, 0, item)
        assert arrival.outcome is not None
        told = item.timestamp, item.statement_id, arrival.activity, item.skills, arrival.outcome, arrival.duration_ms
        found.append((item.student_id, Attempt(*told)))
    return found


@cache
def fitted() -> Fitted:
    """The calibration, version 1."""
    rows = sorted(attempts(FITTED_ON), key=lambda row: (row[0], row[1].key))
    by_student = [(student, list(some)) for student, some in groupby(rows, key=lambda row: row[0])]
    return fit(lambda: (row for _, some in by_student for row in some), version=1, seed=1)


def take_into_use(engine: Engine) -> None:
    """Have the workers of an empty store run under it."""
    calibrations.keep(engine, fitted(), 1, {}, time.time_ns() // 1_000)
    calibrations.prepare(engine, 1)
    calibrations.activate(engine, 1)
    calibrations.settle(engine, 1)
