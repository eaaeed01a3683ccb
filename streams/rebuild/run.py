"""A rebuild from its first student to its last: ranges one after the other, each written down, then the exchange.

For a school or a student, rows that differ are corrected where they are: of equal watermarks the last row written
counts, and a row that a worker writes meanwhile has a higher one. For all students, all rows go into tables beside the
live ones, which take their place at the end. A worker holds students in memory, so each that differed gets an item in
the log that has it folded again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.kept import KeptReads
from streams.learner.calibration import Calibration
from streams.rebuild.differences import Difference
from streams.rebuild.journal import Journal, Step
from streams.rebuild.judging import REBUILT, Bounds, Verdict, judge
from streams.rebuild.reading import live_rows, records, written
from streams.rebuild.scope import Part, Scope, parts
from streams.rebuild.shadows import Shadows, shadow
from streams.rebuild.store import CommandStore
from streams.rows.days import LocalDays
from streams.rows.tables import Columns, Row

LOOKS: Final = 6
"""So often a student is looked at of whom something is just being written."""
PAUSE_SECONDS: Final = 0.5
CATCHING_UP: Final = 3
"""Passes before the exchange, each over what came during the one before it."""
EXAMPLES: Final = 200
"""Differences of a range that are kept in words."""

BEING_WRITTEN: Final = "something of it was being written at each look"
IN_THE_WAY: Final = "a row of an earlier generation stands in the way: rebuild --all"


@dataclass(frozen=True)
class Options:
    """What a rebuild depends on.

    Attributes:
        scope: whose rows.
        check: compare only.
        generation, partitions: of the statements topic.
        committed: by partition, the last offset that the workers have committed, when the rebuild began.
        calibration: the active one.
        timezone: of the district.
        clock: now in µs.
        fold_again: puts into the log that these students are to be folded again.
    """

    scope: Scope
    check: bool
    generation: int
    partitions: int
    committed: Mapping[int, int]
    calibration: Calibration
    timezone: str
    clock: Callable[[], int]
    fold_again: Callable[[Sequence[str]], None]
    partition_of: Callable[[str], int]


class Rebuild:
    """One run; ``told`` is called after each range with its step and its differences."""

    def __init__(
        self,
        options: Options,
        store: CommandStore,
        shadows: Shadows,
        journal: Journal,
        told: Callable[[Step, Sequence[Difference]], None],
    ) -> None:
        self._options = options
        self._store = store
        self._shadows = shadows
        self._journal = journal
        self._told = told
        self._days = LocalDays(options.timezone)
        self._beside = options.scope.everyone and not options.check

    def run(self) -> None:
        """Do what is left to do; raises what clickhouse-connect and aiokafka raise."""
        journal = self._journal
        if not journal.steps:
            shadows = self._shadows.create() if self._beside else []
            journal.add(Step("begun", written=self._offsets(), shadows=shadows, at=self._options.clock()))
        if not self._shadows.exchanged(journal.began.shadows):
            for part in parts(self._store.read, self._options.scope, journal.until):
                step, differences = self._part(part)
                journal.add(step)
                self._told(step, differences)
        if self._beside:
            self._exchange()
        journal.add(Step("finished", at=self._options.clock()))

    def _offsets(self) -> list[int]:
        """By partition: all rows up to this offset are written."""
        found = written(self._store.read, self._options.generation)
        known = self._options.committed
        return [max(found.get(p, -1), known.get(p, -1)) for p in range(self._options.partitions)]

    def _part(self, part: Part) -> tuple[Step, list[Difference]]:
        verdicts, left = self._judge(part.students)
        options = self._options
        changed = [student for student, verdict in verdicts.items() if verdict.differences]
        if self._beside:
            self._write({shadow(columns): _joined(verdicts, columns) for columns in REBUILT})
            if left:
                self._shadows.copy(list(left))
        elif not options.check:
            stuck = [student for student, verdict in verdicts.items() if verdict.stuck]
            left |= dict.fromkeys(stuck, IN_THE_WAY)
            self._write({columns: _joined(verdicts, columns, changed=True) for columns in REBUILT})
            options.fold_again(changed)
        differences = [difference for verdict in verdicts.values() for difference in verdict.differences]
        step = Step(
            "range",
            until=part.until,
            students=len(part.students),
            statements=part.statements,
            differences=len(differences),
            examples=[str(difference) for difference in differences[:EXAMPLES]],
            again=changed if self._beside else [],
            outdated=sum(verdict.outdated for verdict in verdicts.values()),
            left=[f"{student}: {why}" for student, why in left.items()],
            at=options.clock(),
        )
        return step, differences

    def _judge(self, students: Collection[str]) -> tuple[dict[str, Verdict], dict[str, str]]:
        """What came of these students, and who is left as it is, and why."""
        options, read = self._options, self._store.read
        verdicts: dict[str, Verdict] = {}
        left: dict[str, str] = {}
        looking: Collection[str] = students
        for look in range(LOOKS):
            if look:
                time.sleep(PAUSE_SECONDS)
            offsets = self._offsets()
            live = live_rows(read, looking, options.generation)
            stored = records(KeptReads(read, options.generation), looking)
            for student in looking:
                if stored[student].unreadable:
                    left[student] = stored[student].unreadable
                    continue
                partition = options.partition_of(student)
                bounds = Bounds(options.generation, partition, offsets[partition], renew=self._beside)
                verdicts[student] = judge(
                    student, stored[student], live[student], bounds, options.calibration, self._days
                )
            looking = [s for s in looking if s in verdicts and verdicts[s].unsettled]
            if not looking:
                break
        for student in looking:
            del verdicts[student]
            left[student] = BEING_WRITTEN
        return verdicts, left

    def _exchange(self) -> None:
        """The end. Killed anywhere in it, it is done again from its beginning and comes to the same."""
        journal, shadows = self._journal, self._shadows
        if shadows.complete():
            self._carry_and_exchange()
        self._options.fold_again(journal.again)
        shadows.drop()

    def _carry_and_exchange(self) -> None:
        journal, shadows = self._journal, self._shadows
        since = journal.began.written
        for _ in range(CATCHING_UP):
            now = self._offsets()
            shadows.carry_forward(since)
            since = now
        exchanged_at = time.monotonic()
        shadows.exchange(journal.began.shadows)
        shadows.settle(exchanged_at)
        # Until these rows are there, whoever reads their students sees what was before: they are folded again.
        late = shadows.late(journal.began.written)
        journal.add(Step("carried", again=late, at=self._options.clock()))
        shadows.carry_over(journal.began.written)

    def _write(self, rows: Mapping[Columns, Sequence[Row]]) -> None:
        for columns, some in rows.items():
            self._store.insert(columns, some)


def take_up(journal: Journal, shadows: Shadows, calibration: int, *, restart: bool) -> bool:
    """Whether a rebuild that was interrupted goes on: not when its beginning is out of date, or it is not wanted.

    One that has begun to exchange tables always does: dropping the old ones would lose what they got last.
    """
    if not journal.resume():
        return False
    known = journal.began.shadows
    if shadows.exchanged(known):
        return True
    if restart or journal.calibration != calibration or (known and shadows.missing(known)):
        journal.begin(calibration)
        return False
    return True


def _joined(verdicts: Mapping[str, Verdict], columns: Columns, *, changed: bool = False) -> list[Row]:
    return [row for verdict in verdicts.values() for row in (verdict.changed if changed else verdict.rows)[columns]]
