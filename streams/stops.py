"""Partitions that were stopped for their dead letters: paused at the consumer, told everywhere, released when accepted.

The core decides that a partition is stopped (see limits). Here is what follows from it: an alarm, a metric, words in
the health report, and a look at the store whether an operator has accepted what is to be put aside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from string import Template
from typing import Any, Final, Protocol

from infra.runtime.logging import get_logger
from infra.runtime.metrics import StreamsMetrics
from streams.alarms import Alarms
from streams.health import Health
from streams.limits import Known
from streams.pipeline import Pipeline
from streams.sink import Sink, StoppedError

log = get_logger(__name__)

ALARM: Final = "dead_letters"
LOOK_SECONDS: Final = 1.0

_ACCEPTED: Final = Template(
    "SELECT partition, max(offset) FROM dead_letter_decisions FINAL"
    " WHERE generation = $generation AND decision = 'accepted' GROUP BY partition"
)
_STANDING: Final = Template(
    f"SELECT subject FROM alarms FINAL WHERE alarm = '{ALARM}' AND subject = '$subject' AND until IS NULL"  # noqa: S608
)
_ADVICE: Final = (
    "{why}. Its other statements wait with them. Mend the cause and start the worker again, or have them put aside:"
    " roundtrip dead-letters accept --partition {partition} --reason …"
)


def subject_of(partition: int) -> str:
    """Subject of the alarm of a partition."""
    return f"partition {partition}"


class Acceptances:
    """What the store knows of stops, read by ``read`` (columns of a query's result)."""

    def __init__(self, read: Callable[[str], Sequence[Sequence[Any]]], generation: int) -> None:
        self._read = read
        self._generation = generation

    def accepted(self) -> dict[int, int]:
        """Offset up to which dead letters are accepted, by partition."""
        return dict(zip(*self._read(_ACCEPTED.substitute(generation=self._generation)), strict=True))

    def known(self, partition: int) -> Known:
        """See limits.Gate."""
        standing = self._read(_STANDING.substitute(subject=subject_of(partition)))
        return Known(self.accepted().get(partition, -1), stopped_before=bool(standing and standing[0]))


class Pauses(Protocol):
    """What is needed of the consumer."""

    def pause(self, partitions: Collection[int]) -> None:
        """Fetch nothing of these partitions."""

    def resume(self, partitions: Collection[int]) -> None:
        """Fetch of these partitions again."""


class Stops:
    """Looks at what the core has stopped, every second. ``assigned`` tells the partitions of this worker."""

    def __init__(
        self,
        pipeline: Pipeline,
        pauses: Pauses,
        assigned: Callable[[], Collection[int]],
        sink: Sink,
        generation: int,
        health: Health,
        metrics: StreamsMetrics,
        clock: Callable[[], int],
    ) -> None:
        self._pipeline = pipeline
        self._pauses = pauses
        self._assigned = assigned
        self._health = health
        self._metrics = metrics
        self._acceptances = Acceptances(sink.read, generation)
        self._alarms = Alarms(sink, ALARM, clock)
        self._paused: set[int] = set()
        self._mine: set[int] = set()

    async def run(self) -> None:
        """Look until cancelled. A look that fails is told and tried again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoppedError:
                return
            except Exception:
                log.exception("stopped partitions could not be looked at")

    async def look(self) -> None:
        """Once: pause and resume, tell, release."""
        mine, stops = set(self._assigned()), dict(self._pipeline.gate.stopped)
        stops = {partition: stop for partition, stop in stops.items() if partition in mine}
        # Again each time: Faust resumes by itself what its buffers let go.
        self._pauses.pause(stops)
        if gone := (self._paused & mine) - stops.keys():
            self._pauses.resume(gone)
        self._paused = set(stops)
        self._health.stopped = {partition: stop.why for partition, stop in stops.items()}
        for partition in self._mine - mine:
            self._metrics.stopped.remove(str(partition))
        for partition in mine:
            self._metrics.stopped.labels(partition=str(partition)).set(partition in stops)
        if mine != self._mine:
            self._mine = mine
            self._alarms.forget()
        lags = self._pipeline.progress.lags()
        over = {p for p in mine - stops.keys() if p in self._pipeline.gate.mended or lags.get(p) == 0}
        wanted = {
            subject_of(partition): _ADVICE.format(why=stop.why, partition=partition)
            for partition, stop in stops.items()
        }
        await asyncio.to_thread(self._tell, wanted, {subject_of(partition) for partition in over})
        if stops:
            accepted = await asyncio.to_thread(self._acceptances.accepted)
            for partition, stop in stops.items():
                if accepted.get(partition, -1) >= stop.first_offset:
                    log.warning("dead letters accepted", partition=partition, until=accepted[partition])
                    self._pipeline.release(partition, accepted[partition])

    def _tell(self, wanted: Mapping[str, str], over: Collection[str]) -> None:
        self._alarms.set(wanted, among=lambda subject: subject in wanted or subject in over)
