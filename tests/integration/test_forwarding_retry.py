"""Dead letters of a forward are sent once more, from the store and the registry, as they were."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from infra.dev.front.process import Front
from infra.runtime import clickhouse
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import ClickHouseSettings, Settings
from ingest.forwarding import retrying, store
from ingest.forwarding.rules import Filter, Forward
from schemas.registry import tables
from tests.fixtures.fake_lrs import FakeLrs

pytestmark = pytest.mark.clickhouse

KEPT, REFUSED, GONE = (str(UUID(int=number, version=4)) for number in (1, 2, 3))


def test_what_is_taken_now_leaves_the_dead_letters_and_the_rest_stays(
    tmp_path: Path, clickhouse_front: Front, fake_lrs: FakeLrs
) -> None:
    settings = Settings(
        data_dir=tmp_path,
        clickhouse=ClickHouseSettings(host="127.0.0.1", port=clickhouse_front.port, database="forward_retry"),
    )
    clickhouse.migrate(settings.clickhouse)
    engine = open_registry(settings.registry_url())
    migrate(engine)
    forward = Forward("other", fake_lrs.url, "key", "VARIABLE", "1.0.3", Filter())
    with engine.begin() as connection:
        connection.execute(
            insert(tables.identities).values(
                identity_id="i1", kind="mbox", value="mailto:one@x.example", created_at=1, updated_at=1
            )
        )
        agent = json.dumps({"mbox": "mailto:one@x.example", "name": "One"})
        connection.execute(
            insert(tables.agents).values(agent_key="i1.1", identity_id="i1", digest="0" * 32, json=agent)
        )
        store.add(connection, forward, 1)
        for one in (KEPT, REFUSED, GONE):
            store.fail(connection, "other", one, at=1, attempts=1, status=400, message="no")
    with clickhouse.open_clickhouse(settings.clickhouse) as client:
        for one in (KEPT, REFUSED):
            statement = {"id": one, "actor": "i1.1", "verb": {"id": "v:1"}, "object": {"id": "o:1"}, "version": "1.0.0"}
            client.insert(
                "statements", [[UUID(one), json.dumps(statement)]], column_names=["statement_id", "statement"]
            )
    fake_lrs.refuse = lambda statements: (400, {}) if statements[0]["id"] == REFUSED else None

    result = retrying.retry(settings, engine, forward, "secret", [KEPT, REFUSED, GONE])
    retrying.keep(engine, "other", result, 2)

    assert (result.delivered, [one.statement_id for one in result.failed], result.missing) == (
        [KEPT],
        [REFUSED],
        [GONE],
    )
    assert fake_lrs.statements[KEPT]["actor"] == {"mbox": "mailto:one@x.example", "name": "One"}
    with engine.connect() as connection:
        left = {one.statement_id: one.attempts for one in store.failures(connection, "other")}
    assert left == {REFUSED: 2, GONE: 1}
    engine.dispose()
