"""Figures of a run: kept as JSON, shown as a table, compared with those of another run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.machine import Machine

RESULTS = Path(__file__).parent / "results"


class Figure(msgspec.Struct, frozen=True):
    """One figure.

    Attributes:
        bench, name: whose it is; together they are its key.
        value, unit: units that end in ``/s`` and plain ratios (``×``) are better when higher, all others when lower.
        goal: what is wanted of it, None where nothing is.
        note: the circumstances.
        load: load average of the last minute when it was taken.
    """

    bench: str
    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""
    load: float = msgspec.field(default_factory=lambda: os.getloadavg()[0])

    @property
    def higher_is_better(self) -> bool:
        """How two of them compare."""
        return self.unit.endswith("/s") or self.unit == "×"

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.higher_is_better else self.value <= self.goal


class Run(msgspec.Struct):
    """All figures of one run, with the machine and the moment (ISO 8601, UTC)."""

    at: str
    machine: Machine
    figures: list[Figure]

    def save(self, folder: Path = RESULTS) -> Path:
        """Write it as JSON; its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.at.replace(':', '')}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        return path


def load(path: Path) -> Run:
    """A run that was saved; raises OSError, or msgspec.DecodeError where the file is none."""
    return msgspec.json.decode(path.read_bytes(), type=Run)


def ratio(now: Figure, before: Figure) -> float:
    """How many times better a figure is than before; below 1 it is worse."""
    better, worse = (now.value, before.value) if now.higher_is_better else (before.value, now.value)
    return better / worse if worse else float("inf")


def table(figures: Iterable[Figure], before: Run | None = None) -> Table:
    """The table that is shown; with an earlier run, a column of ratios."""
    earlier = {(one.bench, one.name): one for one in before.figures} if before else {}
    shown = Table(show_edge=False, pad_edge=False)
    for name in ("bench", "figure"):
        shown.add_column(name)
    for name in ("value", "goal", *(["before", "better"] if before else []), "load"):
        shown.add_column(name, justify="right")
    shown.add_column("circumstances", overflow="fold")
    for one in figures:
        compared = []
        if before:
            was = earlier.get((one.bench, one.name))
            compared = [_told(was.value, was.unit), f"{ratio(one, was):.2f} ×"] if was else ["", ""]
        goal = "" if one.goal is None else f"{'✓' if one.reached else '✗'} {_told(one.goal, one.unit)}"
        shown.add_row(
            one.bench, one.name, _told(one.value, one.unit), goal, *compared, f"{one.load:.1f}", one.note
        )  # fmt: skip
    return shown


def _told(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
