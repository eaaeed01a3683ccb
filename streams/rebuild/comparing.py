"""Some students at a time: their rows computed again, compared, and written where they have to be.

Rows that differ are corrected where they are: of equal watermarks the last row written counts, and a row that a worker
writes meanwhile has a higher one. A worker holds students in memory, so each that differed gets an item in the log that
has it folded again. Or, for a rebuild of all, every row goes into a table beside the live one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.kept import KeptReads
from streams.learner.calibration import Calibration
from streams.rebuild.differences import Difference
from streams.rebuild.journal import Step
from streams.rebuild.judging import REBUILT, Bounds, Verdict, judge
from streams.rebuild.reading import live_rows, records, written
from streams.rebuild.scope import Part
from streams.rebuild.shadows import Shadows
from streams.rebuild.store import CommandStore
from streams.rows.days import LocalDays
from streams.rows.tables import Columns, Row

LOOKS: Final = 6
"""So often a student is looked at of whom something is just being written."""
PAUSE_SECONDS: Final = 0.5
EXAMPLES: Final = 200
"""Differences of a range that are kept in words."""

BEING_WRITTEN: Final = "something of it was being written at each look"
IN_THE_WAY: Final = "a row of an earlier generation stands in the way: rebuild --all"


@dataclass(frozen=True)
class Options:
    """What a rebuild depends on.

    Attributes:
        check: compare only.
        generation, partitions: of the statements topic.
        committed: by partition, the last offset that the workers have committed, when the rebuild began.
        calibration: the active one, and ``activation`` the number of the switch to it.
        timezone: of the district.
        clock: now in µs.
        fold_again: puts into the log that these students are to be folded again.
    """

    check: bool
    generation: int
    partitions: int
    committed: Mapping[int, int]
    calibration: Calibration
    timezone: str
    clock: Callable[[], int]
    fold_again: Callable[[Sequence[str]], None]
    partition_of: Callable[[str], int]
    activation: int = 0


class Comparison:
    """Compares and corrects, or fills ``shadows``; raises what clickhouse-connect and aiokafka raise."""

    def __init__(self, options: Options, store: CommandStore, shadows: Shadows | None = None) -> None:
        self.options = options
        self._store = store
        self._shadows = shadows
        self._days = LocalDays(options.timezone)

    def offsets(self) -> list[int]:
        """By partition: all rows up to this offset are written."""
        found = written(self._store.read, self.options.generation)
        known = self.options.committed
        return [max(found.get(p, -1), known.get(p, -1)) for p in range(self.options.partitions)]

    def correct(self, part: Part) -> tuple[Step, list[Difference]]:
        """Compute the rows of some students and write what has to be written; what came of it is not written down."""
        verdicts, left = self._judge(part.students)
        options = self.options
        changed = [student for student, verdict in verdicts.items() if verdict.differences]
        if self._shadows is not None:
            self._write({self._shadows.beside(columns): _joined(verdicts, columns) for columns in REBUILT})
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
            again=changed if self._shadows is not None else [],
            outdated=sum(verdict.outdated for verdict in verdicts.values()),
            left=[f"{student}: {why}" for student, why in left.items()],
            at=options.clock(),
        )
        return step, differences

    def _judge(self, students: Collection[str]) -> tuple[dict[str, Verdict], dict[str, str]]:
        """What came of these students, and who is left as it is, and why."""
        options, read = self.options, self._store.read
        verdicts: dict[str, Verdict] = {}
        left: dict[str, str] = {}
        looking: Collection[str] = students
        for look in range(LOOKS):
            if look:
                time.sleep(PAUSE_SECONDS)
            offsets = self.offsets()
            live = live_rows(read, looking, options.generation)
            stored = records(KeptReads(read, options.generation), looking)
            for student in looking:
                if stored[student].unreadable:
                    left[student] = stored[student].unreadable
                    continue
                partition = options.partition_of(student)
                bounds = Bounds(
                    options.generation, partition, offsets[partition], self._shadows is not None, options.activation
                )
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

    def _write(self, rows: Mapping[Columns, Sequence[Row]]) -> None:
        for columns, some in rows.items():
            self._store.insert(columns, some)


def _joined(verdicts: Mapping[str, Verdict], columns: Columns, *, changed: bool = False) -> list[Row]:
    return [row for verdict in verdicts.values() for row in (verdict.changed if changed else verdict.rows)[columns]]
