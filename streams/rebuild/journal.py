"""How far a rebuild is, in the table rebuilds: a row a step, so that the same command goes on where it was stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import uuid4

from streams.rebuild.reading import rows_of
from streams.rebuild.scope import BEFORE_ALL
from streams.rebuild.store import CommandStore
from streams.rows.tables import Columns, Row

REBUILDS: Final = Columns(
    "rebuilds",
    (
        "rebuild_id", "step", "scope", "phase", "generation", "calibration", "until", "students", "statements",
        "differences", "examples", "again", "outdated", "left", "written", "shadows", "at",
    ),
)  # fmt: skip
Phase = Literal["begun", "range", "carried", "finished"]

_LAST = (
    "SELECT rebuild_id, argMax(phase, step), any(calibration), min(at) AS began FROM rebuilds FINAL"
    " WHERE scope = '$scope' AND generation = $generation GROUP BY rebuild_id ORDER BY began DESC LIMIT 1"
)
_STEPS = (
    "SELECT step, phase, until, students, statements, differences, examples, again, outdated, left, written, shadows,"
    " toUnixTimestamp64Micro(at) FROM rebuilds FINAL WHERE rebuild_id = '$rebuild' ORDER BY step"
)


@dataclass
class Step:
    """One row; see the table."""

    phase: Phase
    until: str = BEFORE_ALL
    students: int = 0
    statements: int = 0
    differences: int = 0
    examples: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    outdated: int = 0
    left: list[str] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    shadows: list[str] = field(default_factory=list)
    at: int = 0


class Journal:
    """The steps of one rebuild so far; ``scope`` in words."""

    def __init__(self, store: CommandStore, scope: str, generation: int, calibration: int) -> None:
        self._store = store
        self._scope = scope
        self._generation = generation
        self.begin(calibration)

    def begin(self, calibration: int) -> None:
        """Begin another one under a calibration."""
        self.calibration = calibration
        self.rebuild_id = str(uuid4())
        self.steps: list[Step] = []

    def resume(self) -> bool:
        """Take up the last rebuild of this scope, when it is not finished; returns whether there is one."""
        told = self._scope.replace("\\", "\\\\").replace("'", "\\'")
        for rebuild_id, phase, calibration, _ in rows_of(
            self._store.read, _LAST, scope=told, generation=self._generation
        ):
            if phase != "finished":
                self.rebuild_id, self.calibration = rebuild_id, calibration
                for _, *values in rows_of(self._store.read, _STEPS, rebuild=rebuild_id):
                    plain: list[Any] = [list(v) if isinstance(v, list | tuple) else v for v in values]
                    self.steps.append(Step(*plain))
                return True
        return False

    def add(self, step: Step) -> None:
        """Write a step down."""
        row: Row = (
            self.rebuild_id, len(self.steps), self._scope, step.phase, self._generation, self.calibration, step.until,
            step.students, step.statements, step.differences, step.examples, step.again, step.outdated, step.left,
            step.written, step.shadows, step.at,
        )  # fmt: skip
        self._store.insert(REBUILDS, [row])
        self.steps.append(step)

    @property
    def began(self) -> Step:
        """The first step."""
        return self.steps[0]

    @property
    def until(self) -> str:
        """The last student whose range is done."""
        return next((step.until for step in reversed(self.steps) if step.phase == "range"), BEFORE_ALL)

    @property
    def again(self) -> list[str]:
        """Students to be folded again by a worker."""
        return list(dict.fromkeys(student for step in self.steps for student in step.again))

    @property
    def students(self) -> int:
        """Students done."""
        return sum(step.students for step in self.steps)
