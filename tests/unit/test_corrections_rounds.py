"""When finders look, and how they remember how far they have looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from infra.runtime import registry
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.settings import Settings, StreamsSettings
from schemas.events import Item
from streams.corrections.marks import Mark
from streams.corrections.rounds import Rounds


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = registry.open_registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    registry.migrate(made)
    yield made
    made.dispose()


def test_a_mark_is_made_where_there_is_none_and_never_goes_back(engine: Engine) -> None:
    Mark(engine, "voids").advance(5_000_000)
    assert Mark(engine, "voids").until == 5_000_000
    behind = Mark(engine, "voids")
    Mark(engine, "voids").advance(9_000_000)
    behind.advance(7_000_000)
    assert Mark(engine, "voids").until == 9_000_000


async def test_a_store_that_was_away_does_not_make_the_next_looks_rare(engine: Engine) -> None:
    now, reads = 0.0, 0

    def read(sql: str) -> Sequence[Sequence[Any]]:
        nonlocal now, reads
        reads += 1
        if reads == 1:
            now += 600.0  # waits for the store
        return []

    async def publish(_items: Sequence[Item]) -> dict[int, int]:
        raise AssertionError("there is nothing to correct")

    streams = StreamsSettings(corrections_seconds=5.0, copies_seconds=5.0)
    rounds = Rounds(
        read, engine, Settings(streams=streams), publish, StreamsMetrics(CollectorRegistry()), lambda: 0, lambda: now
    )
    await rounds.once()
    assert now >= 600.0
    before = reads
    now += 30.0
    await rounds.once()
    assert reads > before
