"""Calibrations in the registry: the one that streams run under, and a new one fitted on the attempts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, func, insert, select, update

from schemas.registry.tables import calibrations
from streams.learner.calibration import Calibration, Evidence, Fit, loads


def active_calibration(engine: Engine) -> Calibration:
    """The active version, else version 0, the prior."""
    with engine.connect() as connection:
        found = connection.execute(
            select(calibrations.c.version, calibrations.c.parameters).where(calibrations.c.active)
        ).first()
    return Calibration() if found is None else loads(found.version, found.parameters)


def calibrate(client: Client, engine: Engine, now_us: int) -> Calibration:
    """Fit a new version on all attempts, store it and make it the active one; workers take it up when they start.

    Raises ValueError when there are no attempts.
    """
    with engine.connect() as connection:
        version = (connection.execute(select(func.max(calibrations.c.version))).scalar() or 0) + 1
    fitted = Fit()
    for evidence in _attempts(client):
        fitted.add(evidence)
    if not fitted.attempts:
        raise ValueError("there are no attempts to fit a calibration on")
    calibration = fitted.calibration(version)
    with engine.begin() as connection:
        connection.execute(update(calibrations).values(active=False))
        connection.execute(
            insert(calibrations).values(
                version=version,
                active=True,
                created_at=now_us,
                attempts=fitted.attempts,
                parameters=calibration.dumps(),
            )
        )
    return calibration


def _attempts(client: Client) -> Iterator[Evidence]:
    query = (
        "SELECT student_id, item, skills, outcome FROM attempts FINAL"
        " ORDER BY timestamp, toString(statement_id), student_id"
    )
    stream: Any = client.query_rows_stream(query, query_formats={"UUID": "string"})
    with stream as rows:
        for student_id, item, skills, outcome in rows:
            yield Evidence(student_id, item, list(skills), outcome)
