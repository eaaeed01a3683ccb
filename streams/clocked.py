"""What a worker does on the clock, beside the log: warnings of its students, and the copy of the roster."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import Engine

from infra.runtime.logging import get_logger
from infra.runtime.settings import Settings
from streams.agents.intake import Partitions
from streams.alarms import Alarms
from streams.cases.keeper import CaseKeeper
from streams.evaluation import Evaluator
from streams.pipeline import Pipeline
from streams.roster import RosterSync
from streams.scores import Scorer
from streams.sink import Sink, StoppedError

log = get_logger(__name__)

MOST_STUDENTS = 2_000
"""Students evaluated in one tick because they did something; the others wait for the next one."""
CATCHING_UP = 200
"""With so many envelopes waiting, warnings wait: what they would say changes with each batch."""


class Clocked:
    """Runs each tick in a thread, so that neither the event loop nor the core waits for it."""

    def __init__(
        self, sink: Sink, registry: Engine, settings: Settings, pipeline: Pipeline, partitions: Partitions
    ) -> None:
        self._evaluator = Evaluator(sink, registry, settings.district, clock=_now_us, seconds=time.monotonic)
        self._cases = CaseKeeper(sink, registry, settings.district, _now_us)
        self._scorer = Scorer(sink, registry, settings.district.timezone, _now_us, time.monotonic)
        self._partition_count = settings.kafka.partitions
        self._silences = Alarms(sink, "silent", _now_us)
        self._roster = RosterSync(sink, registry)
        self._seconds = settings.streams.tick_seconds
        self._pipeline = pipeline
        self._partitions = partitions

    async def run(self) -> None:
        """Tick until cancelled. A tick that fails is told and tried again at the next one."""
        while True:
            await asyncio.sleep(self._seconds)
            whole = set(self._partitions.newly_assigned)
            some = set(list(self._pipeline.touched)[:MOST_STUDENTS])
            try:
                await self._tick(whole, some)
            except StoppedError:
                return
            except Exception:
                log.exception("a tick failed")

    async def _tick(self, whole: set[int], some: set[str]) -> None:
        mine = list(self._partitions.assigned)
        if 0 in mine:
            await asyncio.to_thread(self._roster.sync)
        if sum(self._pipeline.progress.lags().values()) > CATCHING_UP:
            return
        if await asyncio.to_thread(self._evaluator.refresh):
            whole = set(mine)
        if 0 in mine:
            await asyncio.to_thread(lambda: self._silences.set(self._evaluator.silences()))
        else:
            self._silences.forget()
        self._pipeline.touched -= some
        try:
            changed = await asyncio.to_thread(self._evaluate, whole.intersection(mine), some)
        except BaseException:
            self._pipeline.touched |= some
            self._partitions.newly_assigned |= whole
            raise
        self._partitions.newly_assigned -= whole
        if changed:
            log.info("warnings changed", students=len(changed))
        if scored := await asyncio.to_thread(self._scorer.score, mine):
            log.info("lists ordered anew", students=scored)

    def _evaluate(self, partitions: set[int], students: set[str]) -> set[str]:
        for partition in sorted(partitions):
            students = students.union(self._evaluator.students_of(partition))
        changed = self._evaluator.evaluate(students)
        if partitions:  # a new day, or a new owner: cool-downs and snoozes may have ended
            students = students.union(self._cases.with_open_case(partitions, self._partition_count))
        self._cases.follow(students)
        return changed


def _now_us() -> int:
    return time.time_ns() // 1_000
