"""The tables beside the reference: every difference in words, what is lost and what is doubled counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from schemas.registry.tables import identities
from tests.faults.calibrated import in_use
from tests.faults.plan import Plan
from tests.faults.reference import MOVED, Rows, credits, expected
from tests.faults.statements import HOME_PAGE

SHOWN = 4

_KEY = "toString(student_id), toUnixTimestamp64Micro(timestamp), toString(statement_id)"
_MINE = "student_id IN {students:Array(String)}"
QUERIES = {
    "statements": (
        1,
        "SELECT toString(statement_id), toString(student_id), toUnixTimestamp64Micro(timestamp), provider_id, verb,"
        f" activity, skills FROM statements FINAL WHERE {_MINE}",
    ),
    "record": (
        3,
        f"SELECT DISTINCT {_KEY}, provider_id FROM ("
        f"SELECT student_id, timestamp, statement_id, provider_id FROM statements FINAL WHERE {_MINE} UNION ALL "
        f"SELECT student_id, timestamp, statement_id, provider_id FROM credits FINAL WHERE {_MINE})"
        " WHERE (student_id, timestamp, statement_id) NOT IN"
        f" (SELECT student_id, timestamp, statement_id FROM removals FINAL WHERE {_MINE} AND NOT restored)",
    ),
    "attempts": (
        3,
        f"SELECT {_KEY}, item, skills, outcome, duration_ms, verb, provider_id FROM attempts FINAL WHERE {_MINE}",
    ),
    "student_days": (
        2,
        "SELECT toString(student_id), toString(day), statements, activity, attempts, successes, duration_ms, attended,"
        " absent, incidents, providers, toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)"
        f" FROM student_days FINAL WHERE {_MINE}",
    ),
    "skill_states": (
        2,
        "SELECT toString(student_id), skill_id, calibration, attempts, successes, rating, mastery, recent,"
        " toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at), low, high, memory"
        f" FROM skill_states FINAL WHERE {_MINE}",
    ),
    "student_states": (
        1,
        "SELECT toString(student_id), calibration, rating, attempts, toUnixTimestamp64Micro(last_at),"
        " toString(last_statement_id), memory"
        f" FROM student_states FINAL WHERE {_MINE}",
    ),
}
"""Length of the key, and the query, by table; ``record``: what counts for a student, whichever table it stands in."""

OF_STATEMENTS = ("statements", "record", "attempts")
"""Where a row more or less is a statement doubled or lost; elsewhere it is a state that differs."""


@dataclass
class Findings:
    """``said``: the differences in words; ``lost`` and ``doubled`` count statements, by the table that has most."""

    lost: int = 0
    doubled: int = 0
    said: list[str] = field(default_factory=list)


@dataclass
class Case:
    """What was posted under a schedule, and what the providers were told.

    ``door_killed``: ingest was, and with it the counts of its last second. ``former``: the first students of the
    accounts that were moved.
    """

    plan: Plan
    providers: list[str]
    accepted: int = 0
    unclear: int = 0
    refused: set[str] = field(default_factory=set)
    door_killed: bool = False
    former: dict[str, str] = field(default_factory=dict)


def student_ids(engine: Engine) -> dict[str, str]:
    """Student by account name."""
    prefix = f"{HOME_PAGE} "
    own = identities.c
    query = select(own.value, own.student_id).where(own.kind == "account", own.value.startswith(prefix))
    with engine.connect() as found:
        return {value.removeprefix(prefix): student for value, student in found.execute(query)}


def differences(client: Client, engine: Engine, case: Case) -> Findings:
    """Of the tables from the reference."""
    known = student_ids(engine)
    found = credits(case.plan, known, case.providers)
    wanted = expected(case.plan, found, in_use(engine))
    moved = {one.id for one in found if one.placed == MOVED}
    students = {known[name] for name in case.plan.names if name in known} | set(case.former.values())
    findings = Findings()
    for table, (length, query) in QUERIES.items():
        rows: Rows = {}
        twice = 0
        for row in client.query(query, parameters={"students": sorted(students)}).result_rows:
            plain = tuple(tuple(value) if isinstance(value, list) else value for value in row)
            if table == "statements" and plain[0] in moved:
                plain = (plain[0], MOVED, *plain[2:])
                if wanted[table][plain[:1]] == rows.get(plain[:1], plain[1:]):
                    # Copies before and after a move are kept, each under its student. The record says which one counts.
                    rows.setdefault(plain[:1], plain[1:])
                    continue
            elif plain[:length] in rows:
                twice += 1
                findings.said.append(f"{table}: {plain[:length]} stands twice")
            rows[plain[:length]] = plain[length:]
        findings.said += _differing(table, wanted[table], rows)
        if table in OF_STATEMENTS:
            findings.lost = max(findings.lost, len(wanted[table].keys() - rows.keys()))
            findings.doubled = max(findings.doubled, twice + len(rows.keys() - wanted[table].keys()))
    return findings


def _differing(table: str, wanted: Rows, rows: Rows) -> Iterator[str]:
    shown = 0
    for key in sorted(wanted.keys() | rows.keys()):
        if wanted.get(key) != rows.get(key):
            shown += 1
            if shown <= SHOWN:
                yield f"{table} {key}: {_told(rows.get(key))}, expected {_told(wanted.get(key))}"
    if shown > SHOWN:
        yield f"{table}: {shown - SHOWN} more"


def _told(row: tuple[Any, ...] | None) -> str:
    return "nothing" if row is None else repr(row)
