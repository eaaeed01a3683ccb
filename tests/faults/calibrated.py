"""The calibrations that the workers run under: fitted, so that nothing of the model is left out. Versions 1 and 2.

They are fitted on answers of students of their own, once in a process; the same numbers each time.
"""

from __future__ import annotations

import random
import time
from functools import cache
from typing import Final

from sqlalchemy import Engine, select

from schemas.registry.tables import calibrations as table
from streams import calibrations
from streams.learner.calibration import Calibration, loads
from streams.learner.fitting import Fitted, fit
from streams.learner.state import Attempt
from tests.faults.reference import Credit, attempt_of
from tests.faults.statements import agent, made, moment

VERSIONS: Final = (1, 2)
FITTED_STUDENTS, FITTED_STATEMENTS = 40, 30


@cache
def fitted(version: int) -> Fitted:
    """One of the two: fitted on other answers each, so that every number differs."""
    rng = random.Random(f"calibration {version}")
    rows: list[tuple[str, Attempt]] = []
    for number in range(FITTED_STUDENTS):
        name = f"fitted-{number}"
        some = [made(rng, agent(name), moment(rng)) for _ in range(FITTED_STATEMENTS)]
        credits = [Credit.of(statement, name, "fitted", primary=True) for statement in some]
        rows += [(name, attempt) for attempt in sorted(attempt_of(one) for one in credits if one.outcome is not None)]
    return fit(lambda: rows, version=version, seed=version)


def keep(engine: Engine) -> None:
    """Both into the registry, the first one in use; the store is empty."""
    now = time.time_ns() // 1_000
    for version in VERSIONS:
        calibrations.keep(engine, fitted(version), version, {}, now)
    calibrations.prepare(engine, VERSIONS[0])
    calibrations.activate(engine, VERSIONS[0])
    calibrations.settle(engine, VERSIONS[0])


def in_use(engine: Engine) -> Calibration:
    """The active one, of its stored form."""
    with engine.connect() as connection:
        version, parameters = connection.execute(
            select(table.c.version, table.c.parameters).where(table.c.active)
        ).one()
    return loads(version, parameters)
