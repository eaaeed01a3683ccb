"""What the tables must hold, worked out from the set of posted statements alone.

Which attempts count for whom, and in which order, is worked out here a second time; nothing that streams read, wrote or
remembered is asked. What they come to is then the plain fold over them, in Python, from the first to the last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from streams.learner.calibration import Calibration
from streams.learner.fold import in_python
from streams.learner.state import Attempt, LearnerState
from tests.faults.plan import Plan
from tests.faults.statements import ALIGNMENTS, VERB, Statement, accounts

ZONE = ZoneInfo("America/Chicago")
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
OUTCOMES = ("answered", "scored")
OF_OTHERS = ("attended", "reported", "voided")
"""Verbs that somebody else states about a student."""
MOVED = "of whoever it was credited to when it came"

Rows = dict[tuple[Any, ...], tuple[Any, ...]]
"""Rows of a table by their key."""


class Credit(NamedTuple):
    """A statement for one student. ``placed``: where its row stands, if that follows from the plan."""

    student: str
    placed: str
    at: int
    id: str
    provider: str
    statement: Statement
    primary: bool

    @classmethod
    def of(cls, statement: Statement, student: str, provider: str, *, primary: bool, placed: str = "") -> Self:
        """A statement for a student; its row stands under the same one unless told otherwise."""
        at = round((datetime.fromisoformat(statement["timestamp"]) - EPOCH).total_seconds()) * 1_000_000
        return cls(student, placed or student, at, statement["id"], provider, statement, primary)

    @property
    def verb(self) -> str:
        return str(self.statement["verb"]["id"]).rpartition("/")[2]

    @property
    def item(self) -> str:
        return str(self.statement["object"]["id"])

    @property
    def skills(self) -> tuple[str, ...]:
        return tuple(ALIGNMENTS.get(self.item, ()))

    @property
    def outcome(self) -> float | None:
        result = self.statement.get("result", {})
        if self.verb not in OUTCOMES or not self.statement["verb"]["id"].startswith(VERB):
            return None
        if "success" in result:
            return float(result["success"])
        return max(float(result["score"]["scaled"]), 0.0) if "score" in result else None

    @property
    def duration_ms(self) -> int:
        told = self.statement.get("result", {}).get("duration")
        if told is None:
            return -1
        return int(told[2:-1]) * (60_000 if told.endswith("M") else 1_000)


def credits(plan: Plan, students: Mapping[str, str], providers: list[str]) -> list[Credit]:
    """Each statement for each of its students; ``students`` by account name, ``providers`` by way."""
    found = []
    for way, statement in plan.originals.values():
        names = accounts(statement)
        own = dict.fromkeys(students.get(name, f"unknown {name}") for name in names)
        for number, student in enumerate(own):
            placed = MOVED if plan.movers.intersection(names) else student
            found.append(Credit.of(statement, student, providers[way], primary=not number, placed=placed))
    return found


def attempt_of(credit: Credit) -> Attempt:
    """The evidence of skill in it; its outcome is not None."""
    assert credit.outcome is not None
    return Attempt(credit.at, credit.id, credit.item, list(credit.skills), credit.outcome, credit.duration_ms)


def expected(plan: Plan, found: list[Credit], calibration: Calibration) -> dict[str, Rows]:
    """Rows of each table, without what only the worker knows (offsets, times of storing).

    A voided statement is kept, and is in nobody's record. States are those under ``calibration``.
    """
    tables: dict[str, Rows] = {name: {} for name in ("statements", "record", "attempts")}
    by_student: dict[str, list[Credit]] = defaultdict(list)
    by_day: dict[tuple[str, str], list[Credit]] = defaultdict(list)
    for one in found:
        if one.primary:
            tables["statements"][one.id,] = (one.placed, one.at, one.provider, one.verb, one.item, one.skills)
        if one.id in plan.voided:
            continue
        key = one.student, one.at, one.id
        tables["record"][key] = (one.provider,)
        if one.outcome is not None:
            tables["attempts"][key] = (one.item, one.skills, one.outcome, one.duration_ms, one.verb, one.provider)
            by_student[one.student].append(one)
        day = datetime.fromtimestamp(one.at / 1e6, ZONE).date().isoformat()
        by_day[one.student, day].append(one)
    tables["student_days"] = {key: _day(some) for key, some in by_day.items()}
    tables["skill_states"], tables["student_states"] = {}, {}
    for student, attempts in by_student.items():
        _fold(student, sorted(attempt_of(one) for one in attempts), calibration, tables)
    return tables


def _day(some: list[Credit]) -> tuple[Any, ...]:
    own = [one for one in some if one.verb not in OF_OTHERS]
    attended, reported = (sum(one.verb == verb for one in some) for verb in ("attended", "reported"))
    graded = [one.outcome for one in some if one.outcome is not None]
    return (
        len(some), len(own), len(graded), sum(outcome >= 0.5 for outcome in graded),
        sum(max(one.duration_ms, 0) for one in some), attended, 0, reported,
        tuple(sorted({one.provider for one in own})), min(one.at for one in some), max(one.at for one in some),
    )  # fmt: skip


def _fold(student: str, attempts: list[Attempt], calibration: Calibration, tables: dict[str, Rows]) -> None:
    state = LearnerState()
    in_python(state, attempts, calibration)
    for name, skill in state.skills.items():
        told = *skill.values(), skill.low, skill.high, tuple(skill.memory)
        tables["skill_states"][student, name] = (calibration.version, *told)
    tables["student_states"][student,] = (
        calibration.version, state.rating, state.attempts, *state.last, tuple(state.memory),
    )  # fmt: skip
