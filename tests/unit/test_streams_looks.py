"""What was folded under a calibration that is not in use any more is not acknowledged, however long a worker slept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from streams import waiting
from streams.learner.calibration import Calibration
from streams.looks import RELIED_UPON_SECONDS, Looks
from streams.rows import tables
from streams.rows.tables import Columns, Row
from streams.running import Running
from tests.unit.test_streams_pipeline import RECORDS, Bench

LONG = RELIED_UPON_SECONDS + 0.1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_until_the_first_look_everything_is_confirmed() -> None:
    assert await Looks().confirm(0)


async def test_a_look_is_relied_upon_for_a_while() -> None:
    clock = Clock()
    looks = Looks(clock)
    looks.saw(1, clock.now)
    clock.now += RELIED_UPON_SECONDS
    assert await looks.confirm(1)
    looks.saw(2, clock.now)
    assert await looks.confirm(1), "it was in use a moment ago: the switch waits for so long"
    assert await looks.confirm(2)
    clock.now += 0.1
    assert not await looks.confirm(1)


@pytest.mark.parametrize(("then", "confirmed"), [(1, True), (2, False)])
async def test_after_a_pause_the_next_look_decides(then: int, confirmed: bool) -> None:
    clock = Clock()
    looks = Looks(clock)
    looks.saw(1, clock.now)
    clock.now += LONG
    waits = asyncio.create_task(looks.confirm(1))
    await asyncio.sleep(0)
    looks.saw(1, clock.now - LONG)  # one that began before the pause tells nothing
    await asyncio.sleep(0)
    assert not waits.done()
    looks.saw(then, clock.now)
    assert await waits is confirmed


async def test_while_the_registry_is_away_nothing_is_held_up() -> None:
    clock = Clock()
    looks = Looks(clock)
    looks.saw(1, clock.now)
    clock.now += LONG
    waits = asyncio.create_task(looks.confirm(1))
    await asyncio.sleep(0)
    looks.failed()
    assert await waits


@pytest.mark.parametrize("slept_at", [tables.STATEMENTS, tables.STUDENT_STATES], ids=lambda columns: columns.table)
async def test_a_worker_that_slept_through_a_switch_folds_again_what_it_had_in_hand(
    slept_at: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LARGEST_BATCH_BYTES", 1)
    clock, slept = Clock(), threading.Event()
    former, new = Running(Calibration(1, items={}), 1), Running(Calibration(2, skills={"skill-1": 1.0}), 2)

    def sleep(columns: Columns, rows: Sequence[Row]) -> None:
        if columns is slept_at and not slept.is_set():
            clock.now += LONG
            slept.set()

    bench, whole = Bench(sleep), Bench()
    bench.pipeline.looks, whole.pipeline.looks = Looks(clock), Looks(clock)
    async with bench, whole:
        await bench.pipeline.run_under(former, clock.now)
        taken = asyncio.create_task(bench.pipeline.take(RECORDS[:6]))
        assert await asyncio.to_thread(slept.wait, 60)
        await asyncio.sleep(0.01)
        assert bench.acknowledged == {}, "nobody knows yet what is in use"
        await bench.pipeline.run_under(new, clock.now)
        await taken
        await bench.pipeline.drain()
        await whole.pipeline.run_under(new, clock.now)
        await whole.handle(RECORDS[:6])
    assert bench.acknowledged == whole.acknowledged
    assert bench.store.contents() == whole.store.contents()
