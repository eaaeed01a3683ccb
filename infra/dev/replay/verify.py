"""Compares the store with the file it was replayed from: attempts to the row, states to the last digit."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from infra.dev.replay import assistments
from infra.dev.replay.dataset import Response, SkillMatrix
from infra.runtime import kafka
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings
from schemas.registry import tables
from streams.learner.calibration import Calibration, loads
from streams.learner.fold import Attempt, LearnerState, fold

_POLL: Final = 1.0
_ATTEMPTS: Final = """
SELECT toString(student_id), toUnixTimestamp64Micro(timestamp), toString(statement_id), item, skills, outcome
FROM attempts FINAL WHERE provider_id = {provider:String}
"""
_SKILL_STATES: Final = """
SELECT toString(student_id), skill_id, attempts, successes, rating, mastery, recent,
       toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)
FROM skill_states FINAL
"""
_STUDENT_STATES: Final = "SELECT toString(student_id), attempts, rating FROM student_states FINAL"
_COUNTS: Final = """
SELECT (SELECT sum(statements) FROM ledger FINAL WHERE provider_id = {provider:String}),
       (SELECT sum(accepted) FROM provider_minutes FINAL WHERE provider_id = {provider:String}),
       (SELECT count() FROM statements FINAL WHERE provider_id = {provider:String}),
       (SELECT sumIf(statements, outcome = 'duplicate') FROM outcomes FINAL WHERE provider_id = {provider:String}),
       (SELECT sumIf(statements, outcome = 'dead') FROM outcomes FINAL WHERE provider_id = {provider:String})
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was compared, in numbers of rows; ``*_differing`` are absent, different or too many.

    ``accepted`` is what the log holds; ``answered`` what was answered with a 2xx; ``records_behind`` how many records
    the workers have not acknowledged.
    """

    responses: int
    attempts: int
    attempts_differing: int
    students: int
    skill_states: int
    skill_states_differing: int
    student_states_differing: int
    accepted: int
    answered: int
    stored: int
    duplicates: int
    dead_lettered: int
    records_behind: int

    @property
    def unaccounted(self) -> int:
        """Accepted, and neither stored nor a duplicate nor dead-lettered."""
        return self.accepted - self.stored - self.duplicates - self.dead_lettered

    @property
    def holds(self) -> bool:
        """Whether the store is what the file says."""
        differing = self.attempts_differing + self.skill_states_differing + self.student_states_differing
        balanced = self.unaccounted == 0 and self.records_behind == 0 and self.answered <= self.accepted
        return differing == 0 and balanced and self.attempts == self.stored == self.responses

    def __str__(self) -> str:
        lines = [f"  {field.name.replace('_', ' ')}: {getattr(self, field.name):,}" for field in fields(self)]
        verdict = "the store agrees with the file" if self.holds else "THE STORE DISAGREES WITH THE FILE"
        return "\n".join(["verify:", *lines, f"  unaccounted: {self.unaccounted:,}", verdict])


def verify(settings: Settings, split: str, told: Sequence[Response], matrix: SkillMatrix, *, settle: float) -> Figures:
    """Compare until all agrees, for ``settle`` s at most; returns the last comparison."""
    engine = open_registry(settings.registry_url())
    deadline = time.monotonic() + settle
    try:
        with open_clickhouse(settings.clickhouse) as client:
            while True:
                behind = sum(p.lag for p in kafka.lag(settings.kafka, kafka.statements_topic(settings.kafka)))
                figures = compare(client, engine, split, told, matrix, behind)
                if figures.holds or time.monotonic() > deadline:
                    return figures
                time.sleep(_POLL)
    finally:
        engine.dispose()


def compare(
    client: Client, engine: Engine, split: str, told: Sequence[Response], matrix: SkillMatrix, records_behind: int
) -> Figures:
    """One comparison; a user whom ingest does not know yet counts as differing."""
    provider = {"provider": assistments.PROVIDER_ID}
    students, calibration = _students(engine), _calibration(engine)
    expected: dict[str, list[Attempt]] = defaultdict(list)
    for response in told:
        student = students.get(str(response.user), f"unknown user {response.user}")
        expected[student].append(assistments.attempt(split, response, matrix.skills_of(response.item)))
    found: dict[str, set[tuple[int, str, str, tuple[str, ...], float]]] = defaultdict(set)
    rows = client.query(_ATTEMPTS, parameters=provider).result_rows
    for student, timestamp, statement_id, item, skills, outcome in rows:
        found[student].add((timestamp, statement_id, item, tuple(skills), outcome))
    attempts_differing = sum(
        len(found[student] ^ {(a.timestamp, a.statement_id, a.item, tuple(a.skills), a.outcome) for a in attempts})
        for student, attempts in expected.items()
    ) + sum(len(rows) for student, rows in found.items() if student not in expected)
    folded = {student: fold(attempts, calibration) for student, attempts in expected.items()}
    skill_states, skill_states_differing = _skill_states(client, folded)
    accepted, answered, stored, duplicates, dead = client.query(_COUNTS, parameters=provider).result_rows[0]
    return Figures(
        responses=len(told),
        attempts=len(rows),
        attempts_differing=attempts_differing,
        students=len(expected),
        skill_states=skill_states,
        skill_states_differing=skill_states_differing,
        student_states_differing=_student_states_differing(client, folded),
        accepted=accepted or 0,
        answered=answered or 0,
        stored=stored,
        duplicates=duplicates or 0,
        dead_lettered=dead or 0,
        records_behind=records_behind,
    )


def _skill_states(client: Client, folded: dict[str, LearnerState]) -> tuple[int, int]:
    """Rows of these students, and how many differ from the fold in any digit of any field."""
    expected = {
        (student, name): skill.values() for student, state in folded.items() for name, skill in state.skills.items()
    }
    found = {(row[0], row[1]): tuple(row[2:]) for row in client.query(_SKILL_STATES).result_rows if row[0] in folded}
    return len(found), sum(found.get(key) != expected.get(key) for key in found.keys() | expected.keys())


def _student_states_differing(client: Client, folded: dict[str, LearnerState]) -> int:
    expected = {student: (state.attempts, state.rating) for student, state in folded.items()}
    found = {row[0]: tuple(row[1:]) for row in client.query(_STUDENT_STATES).result_rows if row[0] in folded}
    return sum(found.get(key) != value for key, value in expected.items())


def _students(engine: Engine) -> dict[str, str]:
    """Student id by user, of the users that ingest has met."""
    prefix = f"{assistments.HOME_PAGE} "
    identities = tables.identities.c
    query = select(identities.value, identities.student_id).where(
        identities.kind == "account", identities.value.startswith(prefix, autoescape=True)
    )
    with engine.connect() as connection:
        return {value.removeprefix(prefix): student_id for value, student_id in connection.execute(query)}


def _calibration(engine: Engine) -> Calibration:
    """The active one, else the built-in prior."""
    calibrations = tables.calibrations.c
    query = select(calibrations.version, calibrations.parameters).where(calibrations.active)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return loads(*row) if row else Calibration()
