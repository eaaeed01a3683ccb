"""A switch to another calibration: all states folded under it beside live traffic, then exchanged whole.

Each step may be killed, and is done again from its beginning to the same end. No row of the calibration before can win
over one of the new one, since rows carry the number of the switch before their watermark (schemas/clickhouse/0007). A
worker takes the new version up between two batches, and says for each partition when all that is still to come of it
is folded under the new one. What was folded under the old one after the exchange is in attempts: those students are
folded again, through the log. A worker that was paused meanwhile looks again before it acknowledges what it had in hand
(streams.looks): so nothing comes into attempts unseen.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from streams.history import is_out
from streams.kept import listed, parts
from streams.learner.fold import fold
from streams.looks import RELIED_UPON_SECONDS
from streams.rebuild import scope
from streams.rebuild.comparing import Comparison, Options
from streams.rebuild.journal import Journal, Step
from streams.rebuild.judging import SKILLS, STATES
from streams.rebuild.reading import rows_of
from streams.rebuild.shadows import Shadows
from streams.rebuild.store import CommandStore
from streams.rows.states import Stamp, no_skill_row, no_student_row, skill_row, student_row
from streams.rows.tables import Row
from streams.running import Running
from streams.store import ClickHouseStore

TABLES: Final = (SKILLS, STATES)
SUFFIX: Final = "_switched"
CATCHING_UP: Final = 3
"""Passes before the exchange, each over the students of whom something came during the one before it."""
TAKE_UP_SECONDS: Final = 120.0
"""A worker that has not taken the version up by then is told of."""
AWAY_SECONDS: Final = 15.0
"""A partition of which no worker spoke for so long has none at work."""
GRACE_SECONDS: Final = RELIED_UPON_SECONDS + 2.0
"""After so long no worker acknowledges any more what it folded under the calibration before: see streams.looks."""

_SINCE = (
    "SELECT DISTINCT student_id FROM attempts WHERE generation = $generation"
    " AND greatest(offset, revision) > if(partition < $many, arrayElement($since, partition + 1), -1)"
    " ORDER BY student_id"
)
_STANDING = "SELECT student_id, skill_id FROM $table FINAL WHERE student_id IN ($students)"
_BEHIND = (
    "SELECT partition, max(activation), dateDiff('second', max(checked_at), now64(6, 'UTC')) FROM sink_progress"
    " WHERE generation = $generation GROUP BY partition"
)


class NotTakenUpError(RuntimeError):
    """Some worker does not run under the new version."""


@dataclass(frozen=True)
class Desk:
    """Where it is written down which version is active: ``activate``, and ``settle`` when all states stand under it."""

    activate: Callable[[], None]
    settle: Callable[[], None]


class Switch:
    """One run of a switch; ``told`` is called after each range of students. Raises what the store and the log raise."""

    def __init__(
        self,
        running: Running,
        options: Options,
        store: CommandStore,
        shadows: Shadows,
        journal: Journal,
        desk: Desk,
        told: Callable[[Step], None],
    ) -> None:
        self._running = running
        self._options = options
        self._store = store
        self._shadows = shadows
        self._journal = journal
        self._desk = desk
        self._told = told
        self._reads = ClickHouseStore(store.read, options.generation)
        self._offsets = Comparison(options, store).offsets

    def run(self) -> None:
        """Do what is left to do. Raises NotTakenUpError where it has to be run again later."""
        journal, shadows = self._journal, self._shadows
        if not journal.steps:
            journal.add(Step("begun", written=self._offsets(), shadows=shadows.create(), at=self._options.clock()))
        if not shadows.exchanged(journal.began.shadows):
            self._fold_all()
            since = journal.began.written
            for _ in range(CATCHING_UP):
                now = self._offsets()
                self._catch_up(since)
                since = now
            journal.add(Step("carried", written=since, at=self._options.clock()))
        began = time.monotonic()
        shadows.exchange(journal.began.shadows)
        self._desk.activate()
        activated = time.monotonic()
        shadows.settle(began)
        self._wait_for_workers()
        # Whatever was acknowledged under the calibration before is among the attempts from then on.
        time.sleep(max(activated + GRACE_SECONDS - time.monotonic(), 0.0))
        folded_until = [step for step in journal.steps if step.written][-1].written
        again = list(self._since(folded_until))
        self._options.fold_again(again)
        self._desk.settle()
        shadows.drop()
        journal.add(Step("finished", students=len(again), at=self._options.clock()))

    def _fold_all(self) -> None:
        for part in scope.parts(self._store.read, scope.Scope(), self._journal.until):
            self._fold(part.students)
            step = Step(
                "range", until=part.until, students=len(part.students), statements=part.statements,
                at=self._options.clock(),
            )  # fmt: skip
            self._journal.add(step)
            self._told(step)

    def _catch_up(self, since: Sequence[int]) -> None:
        for some in parts(list(self._since(since))):
            self._fold(some, again=True)

    def _since(self, offsets: Sequence[int]) -> Iterator[str]:
        """Students with attempts that came, went or came back beyond these offsets, by partition."""
        generation, many = self._options.generation, len(offsets)
        for (student,) in rows_of(
            self._store.read, _SINCE, generation=generation, many=many, since=list(offsets) or "[-1]"
        ):
            yield student

    def _fold(self, students: Sequence[str], *, again: bool = False) -> None:
        """Fold students up to where all rows are written, into the tables beside the live ones."""
        options = self._options
        offsets = self._offsets()
        until = {student: offsets[options.partition_of(student)] for student in students}
        past, removed = self._reads.attempts(until), self._reads.removals(students)
        before = self._standing(students) if again else {}
        skills: list[Row] = []
        states: list[Row] = []
        for student in students:
            out = removed.get(student, {})
            learner = fold((a for a in past[student] if not is_out(a.key, out)), self._running.calibration)
            stamp = Stamp(
                self._running.calibration.version, self._running.activation, options.generation,
                options.partition_of(student), until[student],
            )  # fmt: skip
            skills += [(*skill_row(student, name, state, stamp), 0) for name, state in sorted(learner.skills.items())]
            skills += [
                no_skill_row(student, name, stamp)
                for name in sorted(before.get(student, set()) - learner.skills.keys())
            ]
            if learner.attempts:
                states.append((*student_row(student, learner, stamp), 0))
            elif student in before:
                states.append(no_student_row(student, stamp))
        self._store.insert(self._shadows.beside(SKILLS), skills)
        self._store.insert(self._shadows.beside(STATES), states)

    def _standing(self, students: Sequence[str]) -> dict[str, set[str]]:
        """Skills that stand beside the live ones."""
        found: dict[str, set[str]] = defaultdict(set)
        table = self._shadows.beside(SKILLS).table
        for student, skill in rows_of(self._store.read, _STANDING, table=table, students=listed(students)):
            found[student].add(skill)
        return found

    def _wait_for_workers(self) -> None:
        """Return when each partition that a worker is at work on is folded under the new version."""
        deadline = time.monotonic() + TAKE_UP_SECONDS
        while behind := self._behind():
            if time.monotonic() > deadline:
                raise NotTakenUpError(
                    f"no worker of partition {', '.join(map(str, behind))} runs under calibration"
                    f" {self._running.calibration.version} yet. The same command goes on from here"
                )
            time.sleep(0.5)

    def _behind(self) -> list[int]:
        found = rows_of(self._store.read, _BEHIND, generation=self._options.generation)
        return [p for p, activation, age in found if activation < self._running.activation and age < AWAY_SECONDS]
