"""Rows of a student information system through the door: read, said batch by batch, and what they correct voided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ingest.importers.posting import Poster, Refused
from ingest.importers.school_records import Kind, Reading, Said
from ingest.importers.slots import Slots, Step
from ingest.importers.tabular import Fault, RowFault, Sheet

_VERSION: Final = "1.0.3"


class Summary(NamedTuple):
    """Counts of rows and of what became of what they say."""

    rows: int = 0
    faulty: int = 0
    said: int = 0
    new: int = 0
    corrected: int = 0
    removed: int = 0

    @property
    def unchanged(self) -> int:
        """What was said before, word by word."""
        return self.said - self.new - self.corrected - self.removed


class SchoolImport:
    """One run over one file. ``poster`` is None for a run that only checks; ``fault`` is told each fault as it is met,
    ``show`` the counts after each batch."""

    def __init__(
        self,
        sheet: Sheet,
        kind: Kind,
        reading: Reading,
        slots: Slots,
        poster: Poster | None,
        *,
        batch: int,
        again: bool = False,
        fault: Callable[[Fault], None],
        show: Callable[[Summary], None] = lambda summary: None,
    ) -> None:
        self._sheet = sheet
        self._kind = kind
        self._reading = reading
        self._slots = slots
        self._poster = poster
        self._batch = batch
        self._again = again
        self._fault = fault
        self._show = show
        self._seen: dict[str, tuple[int, bytes]] = {}
        self.summary = Summary()

    async def run(self) -> Summary:
        """To the end of the file; raises SourceError and PostingError. What was accepted until then is not said again
        by the next run."""
        waiting: list[Said] = []
        for said in self._read():
            waiting.append(said)
            if len(waiting) >= self._batch:
                await self._say(waiting)
                waiting = []
        if waiting:
            await self._say(waiting)
        return self.summary

    def _read(self) -> Iterator[Said]:
        for row in self._sheet.rows():
            self._count(rows=1)
            if isinstance(row, Fault):
                self._tell(row)
                continue
            try:
                found = self._kind.read(row, self._reading)
                fresh = [said for said in found if self._first(said)]
            except RowFault as fault:
                self._tell(fault.at(row.line))
                continue
            self._count(said=len(fresh))
            yield from fresh

    def _first(self, said: Said) -> bool:
        """Whether nothing was said about the slot in this file; raises RowFault where something else was."""
        slot = self._slots.key(said.slot)
        content = self._slots.key([str(said.statement)]).encode()
        line, before = self._seen.setdefault(slot, (said.line, content))
        if line == said.line:
            return True
        if before == content:
            raise RowFault("", "", f"it says the same as line {line}", "leave one of them, or tell them apart by an id")
        raise RowFault("", "", f"it says something else than line {line} about the same", "leave the one that holds")

    async def _say(self, batch: list[Said]) -> None:
        steps = self._slots.plan(batch, again=self._again)
        lost = 0
        if self._poster is not None and steps:
            self._slots.keep(steps, _now(), accepted=False)
            saying = [(step, body) for step in steps if (body := step.body()) is not None]
            refused = await self._poster.post([body for _, body in saying], _VERSION)
            planned = len(steps)
            for one in refused:
                self._tell(_of_door(saying[one.number][0], one))
            unsaid = {saying[one.number][0].slot for one in refused}
            steps = [step for step in steps if step.slot not in unsaid]
            # What is corrected goes when what corrects it is there.
            voiding = [(step, body) for step in steps for body in step.voiding()]
            denied = await self._poster.post([body for _, body in voiding], _VERSION)
            for one in denied:
                self._tell(_of_door(voiding[one.number][0], one))
            unvoided = {voiding[one.number][0].slot for one in denied}
            steps = [step for step in steps if step.slot not in unvoided]
            self._slots.keep(steps, _now(), accepted=True)
            lost = planned - len(steps)
        removed = sum(step.statement_id is None for step in steps)
        corrected = sum(step.statement_id is not None and step.revision > 0 for step in steps)
        self._count(removed=removed, corrected=corrected, new=len(steps) - removed - corrected, said=-lost)
        self._show(self.summary)

    def _tell(self, fault: Fault) -> None:
        self._count(faulty=1)
        self._fault(fault)

    def _count(self, **more: int) -> None:
        self.summary = self.summary._replace(**{name: getattr(self.summary, name) + n for name, n in more.items()})


def _of_door(step: Step, refused: Refused) -> Fault:
    reasons = "; ".join(f"{one.get('path', '')} {one.get('message', '')}".strip() for one in refused.faults)
    return Fault(step.said.line, "", "", f"the door refused it ({refused.status})", reasons or refused.error)


def _now() -> int:
    return time.time_ns() // 1000
