"""The order, the length and the counts of a counselor's list. Pure: who looks and the day are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from dashboards.cases import Listed
from schemas.cases import Case, State

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One case with its open warnings, and the score that orders it (None: not known).

    ``warnings`` are rows of queries/queue.sql, severe ones first, then the newest; ``why``: reasons of the score.
    """

    listed: Listed
    warnings: tuple[Row, ...]
    chance: float | None = None
    why: tuple[str, ...] = ()

    @property
    def case(self) -> Case:
        """The case."""
        return self.listed.case

    @property
    def student_id(self) -> str:
        """Whose it is."""
        return self.case.student_id

    @property
    def severe(self) -> int:
        """How many of its open warnings are severe."""
        return sum(signal.severe and signal.status == "open" for signal in self.case.signals)

    @property
    def standing(self) -> int:
        """How many of its warnings stand."""
        return sum(signal.status == "open" for signal in self.case.signals)

    @property
    def providers(self) -> frozenset[str]:
        """Providers that back any of its warnings."""
        return frozenset(provider for row in self.warnings for provider in row["providers"])

    def rules(self) -> list[str]:
        """The rules of its warnings that stand; where none does, of all."""
        return [row["rule"] for row in self.warnings] or self.case.rules


class Counts(NamedTuple):
    """What the tiles count: cases that nobody has; follow-ups of mine by their day; cases of others; snoozed ones."""

    new: int
    due: int
    overdue: int
    others: int
    snoozed: int


class Shown(NamedTuple):
    """The list as long as its owners can act on, and how many cases wait behind it."""

    entries: list[Entry]
    waiting: int


def entries(cases: Sequence[Listed], warnings: Sequence[Row], scores: Mapping[str, Row]) -> list[Entry]:
    """Cases with what stands behind them, in the order of the list: severity, then the score, then the longest wait."""
    by_student: dict[str, list[Row]] = {}
    for row in warnings:
        by_student.setdefault(str(row["student_id"]), []).append(row)
    found = []
    for one in cases:
        severe = {signal[:2] for signal in one.case.signals if signal.severe}
        rows = by_student.get(one.case.student_id, [])
        ordered = sorted(rows, key=lambda row: ((row["rule"], row["raised_on"]) not in severe, -_day(row)))
        score = scores.get(one.case.student_id, {})
        found.append(Entry(one, tuple(ordered), score.get("chance"), tuple(score.get("reasons", ()))))
    return sorted(found, key=_order)


def _day(row: Row) -> int:
    raised_on: date = row["raised_on"]
    return raised_on.toordinal()


def _order(entry: Entry) -> tuple[float, ...] | tuple[Any, ...]:
    known = -1.0 if entry.chance is None else entry.chance
    return -entry.severe, -entry.standing, -known, entry.listed.raised_at, entry.case.case_id


def counts(found: Sequence[Entry], me: str, today: date) -> Counts:
    """The tiles' numbers."""
    mine = [entry.case.follow_up_on for entry in found if entry.case.owner == me and entry.case.follow_up_on]
    return Counts(
        new=sum(entry.case.state is State.RAISED for entry in found),
        due=sum(day == today for day in mine),
        overdue=sum(day < today for day in mine),
        others=sum(entry.case.owner not in ("", me) and entry.case.state is not State.SNOOZED for entry in found),
        snoozed=sum(entry.case.state is State.SNOOZED for entry in found),
    )


def shown(found: Sequence[Entry], me: str, most: int) -> Shown:
    """The first ``most`` in order; what the viewer has already is part of the list however far down it stands."""
    mine = [entry for entry in found if entry.case.owner == me]
    others = [entry for entry in found if entry.case.owner != me]
    kept = {entry.case.case_id for entry in [*mine, *others[: max(most - len(mine), 0)]]}
    listed = [entry for entry in found if entry.case.case_id in kept]
    return Shown(listed, len(found) - len(listed))
