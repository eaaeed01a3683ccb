"""The tables and the log beside the reference: every difference in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, select

from infra.runtime.kafka import statements_topic
from infra.runtime.settings import KafkaSettings
from schemas import topics
from schemas.avro_registry import schema_registry
from schemas.codec import dead_letter_codec, envelope_codec
from schemas.registry.tables import identities
from tests.faults.reference import Rows, credits, expected
from tests.faults.statements import HOME_PAGE, Plan
from tests.fixtures.log_reader import log_ends, read_log

SHOWN = 6

_BY_STATEMENT = "toString(student_id), toUnixTimestamp64Micro(timestamp), toString(statement_id)"
QUERIES = {
    "statements": (
        3,
        f"SELECT {_BY_STATEMENT}, provider_id, verb, activity, skills FROM statements FINAL"
        " WHERE student_id IN {students:Array(String)}",
    ),
    "credits": (
        3,
        f"SELECT {_BY_STATEMENT}, provider_id FROM credits FINAL WHERE student_id IN {{students:Array(String)}}",
    ),
    "attempts": (
        3,
        f"SELECT {_BY_STATEMENT}, item, skills, outcome, duration_ms, verb, provider_id FROM attempts FINAL"
        " WHERE student_id IN {students:Array(String)}",
    ),
    "student_days": (
        2,
        "SELECT toString(student_id), toString(day), statements, activity, attempts, successes, duration_ms, attended,"
        " absent, providers, toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)"
        " FROM student_days FINAL WHERE student_id IN {students:Array(String)}",
    ),
    "skill_states": (
        2,
        "SELECT toString(student_id), skill_id, attempts, successes, rating, mastery, recent,"
        " toUnixTimestamp64Micro(first_at), toUnixTimestamp64Micro(last_at)"
        " FROM skill_states FINAL WHERE student_id IN {students:Array(String)}",
    ),
    "student_states": (
        1,
        "SELECT toString(student_id), rating, attempts, toUnixTimestamp64Micro(last_at), toString(last_statement_id)"
        " FROM student_states FINAL WHERE student_id IN {students:Array(String)}",
    ),
}
"""Length of the key, and the query, by table."""

_ACCEPTED = "SELECT sum(accepted) FROM provider_minutes FINAL WHERE provider_id IN {providers:Array(String)}"
_LEDGER = "SELECT sum(statements) FROM ledger FINAL WHERE provider_id IN {providers:Array(String)}"
_OUTCOMES = (
    "SELECT outcome, reason, sum(statements) FROM outcomes FINAL WHERE provider_id IN {providers:Array(String)}"
    " GROUP BY outcome, reason"
)


@dataclass
class Case:
    """What was posted under a schedule, and what the providers were told.

    ``door_killed``: ingest was, and with it the counts of its last second.
    """

    plan: Plan
    providers: list[str]
    accepted: int = 0
    unclear: int = 0
    door_killed: bool = False


class Log:
    """Reads topics from where they ended when it was made."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._statements, self._letters = statements_topic(settings), topics.DEAD_LETTERS.name
        self._since = log_ends(settings, [self._statements, self._letters])
        schemas = schema_registry("")
        self._envelope, self._letter = envelope_codec(schemas), dead_letter_codec(schemas)

    def read(self, providers: Sequence[str]) -> tuple[int, int]:
        """Statements of these providers in the log, and distinct dead letters about them."""
        statements, letters = 0, set()
        for record in read_log(self._settings, [self._statements, self._letters], self._since):
            if record.topic == self._statements:
                items = self._envelope.decode(record.value).items
                statements += sum(item.primary and item.provider_id in providers for item in items)
            elif self._letter.decode(record.value).provider_id in providers:
                letters.add(record.key)
        return statements, len(letters)


def student_ids(engine: Engine) -> dict[str, str]:
    """Student by account name."""
    prefix = f"{HOME_PAGE} "
    own = identities.c
    query = select(own.value, own.student_id).where(own.kind == "account", own.value.startswith(prefix))
    with engine.connect() as found:
        return {value.removeprefix(prefix): student for value, student in found.execute(query)}


def differences(client: Client, engine: Engine, case: Case) -> list[str]:
    """Of the tables from the reference, and of the door's count from what the providers were told."""
    found = credits(case.plan.originals, student_ids(engine), case.providers)
    wanted = expected(found)
    parameters = {"students": sorted({one.student for one in found if not one.student.startswith("unknown")})}
    said: list[str] = []
    for table, (length, query) in QUERIES.items():
        rows: Rows = {}
        for row in client.query(query, parameters=parameters).result_rows:
            plain = tuple(tuple(value) if isinstance(value, list) else value for value in row)
            if plain[:length] in rows:
                said.append(f"{table}: {plain[:length]} stands twice")
            rows[plain[:length]] = plain[length:]
        said += _differing(table, wanted[table], rows)
    answered = client.query(_ACCEPTED, parameters={"providers": case.providers}).result_rows[0][0] or 0
    least = 0 if case.door_killed else case.accepted
    if not least <= answered <= case.accepted + case.unclear:
        said.append(f"provider_minutes: {answered} accepted, {case.accepted} (+ {case.unclear} unclear) were told so")
    return said


def balance(client: Client, log: Log, case: Case) -> list[str]:
    """Whether every statement of the log became a row or an outcome, and every conflict a dead letter."""
    parameters = {"providers": case.providers}
    outcomes = {row[:2]: row[2] for row in client.query(_OUTCOMES, parameters=parameters).result_rows}
    in_log, letters = log.read(case.providers)
    stored, told = len(case.plan.originals), sum(outcomes.values())
    counted = client.query(_LEDGER, parameters=parameters).result_rows[0][0] or 0
    conflicts = outcomes.get(("dead", "conflict"), 0)
    said = []
    if in_log != stored + told:
        said.append(f"balance: {in_log} statements in the log, {stored} to be stored, outcomes {outcomes}")
    if in_log != counted:
        said.append(f"ledger: {counted} statements, {in_log} are in the log")
    if not case.accepted <= in_log <= case.accepted + case.unclear:
        said.append(f"log: {in_log} statements, {case.accepted} (+ {case.unclear} unclear) were accepted")
    if set(outcomes) - {("duplicate", "duplicate"), ("dead", "conflict")}:
        said.append(f"outcomes: {outcomes}")
    # A group's conflict is told of each member.
    if letters < conflicts or (conflicts == 0) != (letters == 0):
        said.append(f"dead letters: {letters} in their topic, {conflicts} conflicts told")
    if conflicts < len(case.plan.altered):
        said.append(f"conflicts: {conflicts} told, {len(case.plan.altered)} statements were sent with other content")
    return said


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
