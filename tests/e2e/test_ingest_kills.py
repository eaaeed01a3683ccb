"""Ingest is killed while two of it are posted to: what was answered is kept, all else is there whole or not at all."""

from __future__ import annotations

import pytest

from tests.e2e.ingest_kills import run

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def test_every_acknowledged_batch_survives_kills_of_ingest_and_each_id_stands_for_one_content() -> None:
    made, said = run(kills=4, seed=1)
    assert made.kills == 4
    assert any(batch.accepted for fight in made.fights for batch in fight)
    assert not said, "\n".join(said[:5])
