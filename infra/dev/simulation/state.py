"""What the simulation keeps in the data directory, so that a second start goes on where the first ended."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Plan(msgspec.Struct, frozen=True):
    """What the district is built from."""

    seed: int
    size: int
    schools: int
    start: date
    term_days: int


class Progress(msgspec.Struct, frozen=True):
    """The last post of the history that was acknowledged: its time (µs since the epoch) and statement id."""

    at: int = 0
    statement_id: str = ""


class Truth(msgspec.Struct, frozen=True):
    """The hidden truth about one student, to judge warnings and skill states by; no names.

    ``skills``: by skill, the ability against its items of median difficulty on the last day of the term, logits.
    """

    student_id: str
    trajectory: str
    onset: date
    ability: float
    engagement: float
    skills: dict[str, float] = {}  # msgspec copies it


class State:
    """The files of the simulation in one directory, made when first written to."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir / "simulation"

    def plan(self) -> Plan | None:
        """The plan of the first start."""
        return self._read("plan.json", Plan)

    def keep_plan(self, plan: Plan) -> None:
        self._write("plan.json", plan)

    def progress(self) -> Progress:
        """How far the history was posted."""
        return self._read("progress.json", Progress) or Progress()

    def keep_progress(self, progress: Progress) -> None:
        self._write("progress.json", progress)

    def keep_truth(self, truth: list[Truth]) -> None:
        self._write("truth.json", truth)

    def truth(self) -> list[Truth]:
        """The hidden truth, one a student; empty before the first start."""
        return self._read("truth.json", list[Truth]) or []

    def _read(self, name: str, kind: type[T]) -> T | None:
        path = self._dir / name
        return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None

    def _write(self, name: str, what: object) -> None:
        """Replace a file as a whole: a reader, or a start after a crash, finds the old one or the new one."""
        self._dir.mkdir(parents=True, exist_ok=True)
        new = self._dir / f"{name}.new"
        new.write_bytes(msgspec.json.encode(what))
        new.replace(self._dir / name)
