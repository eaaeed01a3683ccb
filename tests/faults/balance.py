"""The log, the ledger, the outcomes and the dead letters of a schedule beside one another: nothing vanishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from infra.runtime.kafka import statements_topic
from infra.runtime.settings import KafkaSettings
from schemas import topics
from schemas.avro_registry import schema_registry
from schemas.codec import dead_letter_codec, envelope_codec
from tests.faults.compare import Case
from tests.fixtures.log_reader import log_ends, read_log

_MINE = "provider_id IN {providers:Array(String)}"
_ACCEPTED = f"SELECT sum(accepted) FROM provider_minutes FINAL WHERE {_MINE}"
_LEDGER = f"SELECT sum(statements) FROM ledger FINAL WHERE {_MINE}"
_OUTCOMES = f"SELECT outcome, reason, sum(statements) FROM outcomes FINAL WHERE {_MINE} GROUP BY outcome, reason"
_STORED = f"SELECT count() FROM statements FINAL WHERE {_MINE}"
_DEAD = f"SELECT partition, offset, idx, toString(statement_id) FROM outcomes FINAL WHERE {_MINE} AND outcome = 'dead'"

Place = tuple[int, int, int]
"""Partition, offset, index in the envelope."""


class Counted(NamedTuple):
    """``statements`` of some providers in the log, and the places that dead letters are about."""

    statements: int
    letters: set[Place]


class Log:
    """Reads topics from where they ended when it was made."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._statements, self._letters = statements_topic(settings), topics.DEAD_LETTERS.name
        self._since = log_ends(settings, [self._statements, self._letters])
        schemas = schema_registry("")
        self._envelope, self._letter = envelope_codec(schemas), dead_letter_codec(schemas)

    def read(self, providers: Sequence[str]) -> Counted:
        """What concerns these providers."""
        statements, letters = 0, set()
        for record in read_log(self._settings, [self._statements, self._letters], self._since):
            if record.topic == self._statements:
                items = self._envelope.decode(record.value).items
                statements += sum(item.primary and item.provider_id in providers for item in items)
            else:
                letter = self._letter.decode(record.value)
                if letter.provider_id in providers:
                    letters.add((letter.partition, letter.offset, letter.index))
        return Counted(statements, letters)


def imbalance(client: Client, log: Log, case: Case) -> list[str]:
    """Whether every statement of the log became a row or an outcome, and every dead one has its letter."""
    parameters = {"providers": case.providers}
    outcomes = {row[:2]: row[2] for row in client.query(_OUTCOMES, parameters=parameters).result_rows}
    dead = client.query(_DEAD, parameters=parameters).result_rows
    counted = client.query(_LEDGER, parameters=parameters).result_rows[0][0] or 0
    stored = client.query(_STORED, parameters=parameters).result_rows[0][0]
    answered = client.query(_ACCEPTED, parameters=parameters).result_rows[0][0] or 0
    in_log, letters = log.read(case.providers)
    most, told = case.accepted + case.unclear, f"{case.accepted} (+ {case.unclear} unclear) were accepted"
    said = []
    if in_log != stored + sum(outcomes.values()):
        said.append(f"balance: {in_log} in the log, {stored} stored, outcomes {outcomes}")
    if in_log != counted:
        said.append(f"ledger: {counted} statements, {in_log} are in the log")
    if not case.accepted <= in_log <= most:
        said.append(f"log: {in_log} statements, {told}")
    if not (0 if case.door_killed else case.accepted) <= answered <= most:
        said.append(f"provider_minutes: {answered} accepted, {told}")
    if set(outcomes) - {("duplicate", "duplicate"), ("dead", "conflict")}:
        said.append(f"outcomes: {outcomes}")
    if lost := {(partition, offset, idx) for partition, offset, idx, _ in dead} - letters:
        said.append(f"dead letters: none about {sorted(lost)}")
    if missed := case.plan.conflicts - {row[3] for row in dead} - case.refused:
        said.append(f"conflicts: sent and not told of {sorted(missed)}")
    return said
