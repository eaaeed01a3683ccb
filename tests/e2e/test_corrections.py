"""A provider voids a statement and an operator moves an actor: typed and posted, seen in the store."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from infra.runtime.registry import open_registry
from schemas.registry.tables import identities
from tests.e2e.platform import Platform, wait
from tests.e2e.test_round_trip import STATEMENT, a_new_provider, call

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def student_of(platform: Platform, address: str) -> str:
    engine = open_registry(platform.settings().registry_url())
    try:
        with engine.connect() as connection:
            query = select(identities.c.student_id).where(identities.c.value == f"mailto:{address}")
            return str(connection.scalar(query))
    finally:
        engine.dispose()


def test_a_record_follows_its_actor_and_what_was_voided_is_gone(platform: Platform) -> None:
    endpoint, credential = a_new_provider(platform, f"lab-{uuid.uuid4().hex[:8]}")
    ada, tablet = f"ada-{uuid.uuid4()}@example.org", f"tablet-{uuid.uuid4()}@example.org"

    def post(address: str, **more: object) -> str:
        actor = {"mbox": f"mailto:{address}"}
        [made] = call(
            f"{endpoint}/statements", credential, STATEMENT | {"actor": actor, "id": str(uuid.uuid4())} | more
        )
        return str(made)

    def attempts(student: str) -> int:
        query = "SELECT sum(attempts) FROM student_days FINAL WHERE student_id = {student:UUID}"
        counted = int(platform.ask(query, student=student) or 0)
        state = "SELECT sum(attempts) FROM student_states FINAL WHERE student_id = {student:UUID}"
        return counted if counted == int(platform.ask(state, student=student) or 0) else -1

    post(ada)
    wrong, *_ = [post(tablet) for _ in range(3)]
    hers, its = student_of(platform, ada), student_of(platform, tablet)
    wait(lambda: (attempts(hers), attempts(its)) == (1, 3), platform.said, 180)

    platform.type("admin", "identity", "link", tablet, hers, "--why", "the tablet that she was given")
    post(tablet)  # the door may not have read of the link yet
    post(ada, verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": wrong}, result={})
    wait(lambda: (attempts(hers), attempts(its)) == (4, 0), platform.said, 180)

    platform.type("admin", "identity", "unlink", tablet, "--why", "it was her brother's")
    wait(lambda: (attempts(hers), attempts(its)) == (1, 3), platform.said, 180)
    assert "taken back" in platform.type("admin", "identity", "show", tablet)
