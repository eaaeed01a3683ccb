"""What the tables must hold, worked out from the set of posted statements alone: nothing of streams is used here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.faults.plan import Plan
from tests.faults.statements import ALIGNMENTS, CALIBRATION, VERB, Statement, accounts

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
    for statement_id, (way, statement) in plan.originals.items():
        moment = round((datetime.fromisoformat(statement["timestamp"]) - EPOCH).total_seconds()) * 1_000_000
        names = accounts(statement)
        own = dict.fromkeys(students.get(name, f"unknown {name}") for name in names)
        for number, student in enumerate(own):
            placed = MOVED if plan.movers.intersection(names) else student
            found.append(Credit(student, placed, moment, statement_id, providers[way], statement, not number))
    return found


def expected(plan: Plan, found: list[Credit]) -> dict[str, Rows]:
    """Rows of each table, without what only the worker knows (offsets, times of storing).

    A voided statement is kept, and is in nobody's record.
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
        _fold(student, sorted(attempts, key=lambda one: (one.at, one.id)), tables)
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


def _chance(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def _fold(student: str, attempts: list[Credit], tables: dict[str, Rows]) -> None:
    """Multilevel Elo, written down a second time."""
    (first, slowing), (own_first, own_slowing) = CALIBRATION["student"], CALIBRATION["student_skill"]
    items, hard, medians = CALIBRATION["items"], CALIBRATION["skills"], CALIBRATION["medians"]
    rating, seen = 0.0, 0
    skills: dict[str, list[Any]] = {}
    for one in attempts:
        outcome = one.outcome
        assert outcome is not None
        own = [skills.setdefault(name, [0, 0.0, 0.0, 0.0, 0.0, one.at, one.at]) for name in one.skills]
        # In the order in which the fold adds: states are compared to the last digit.
        logit = rating + (sum(skill[2] for skill in own) / len(own) if own else 0.0) - items.get(one.item, 0.0)
        if own:
            logit -= sum(hard.get(name, 0.0) for name in one.skills) / len(own)
        error = outcome - _chance(logit)
        rating += first / (1 + slowing * seen) * error
        seen += 1
        for name, skill in zip(one.skills, own, strict=True):
            skill[2] += own_first / (1 + own_slowing * skill[0]) * error
            skill[4] = outcome if not skill[0] else skill[4] + (1 - 0.5 ** (1 / 5)) * (outcome - skill[4])
            skill[0] += 1
            skill[1] += outcome
            skill[6] = one.at
            skill[3] = _chance(rating + skill[2] - (medians.get(name, 0.0) + hard.get(name, 0.0)))
    for name, values in skills.items():
        tables["skill_states"][student, name] = tuple(values)
    tables["student_states"][student,] = (rating, seen, attempts[-1].at, attempts[-1].id)
