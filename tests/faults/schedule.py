"""A schedule of faults: pure, a function of the seed, printable, the same each time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults.plan import ALL_TRAITS, PLAIN, Traits

Kind = Literal[
    "rule", "kill worker", "stop worker", "third worker", "kill ingest",
    "kill broker", "restart broker", "kill front", "restart front",
    "calibration use", "rebuild", "replay",
]  # fmt: skip
"""The last three are commands that an administrator runs beside it all."""
Deed = Literal["refuse", "refuse after", "hang", "hang after", "late", "cut", "kill", "kill after", "stop after"]
"""What the proxy does to a request: answer with an error, not answer, forward it only later, close the connection,
or end or stop the worker that sent it; ``after``: the store has done what it was asked."""

TABLES = ("statements", "attempts", "student_days", "skill_states", "student_states", "sink_flushes", "sink_progress")
COMMANDS: Final[tuple[Kind, ...]] = ("calibration use", "rebuild", "replay")
WORKERS = 2
POSTING_SECONDS = 5.0
STATEMENTS = 220


@dataclass(frozen=True)
class Fault:
    """At ``at`` seconds: what happens to which worker (0, 1; -1: each), for how long.

    A rule waits for the next requests of the worker: its inserts into ``table`` (``reads``: its reads). A command is
    killed ``seconds`` after its beginning when ``sigkill``, and run until it ends well.
    """

    at: float
    kind: Kind
    worker: int = -1
    seconds: float = 0.0
    deed: Deed = "refuse"
    table: str = ""
    times: int = 1
    sigkill: bool = False

    def __str__(self) -> str:
        if self.kind in COMMANDS:
            return f"{self.at:.1f} s: {self.kind}{f', -9 after {self.seconds:.1f} s' if self.sigkill else ''}"
        who = "each worker" if self.worker < 0 else f"worker {self.worker}"
        if self.kind == "rule":
            return f"{self.at:.1f} s: {self.deed} × {self.times} at {self.table} of {who}, {self.seconds:.1f} s"
        return f"{self.at:.1f} s: {self.kind} ({who}), {self.seconds:.1f} s{', -9' if self.sigkill else ''}"


@dataclass(frozen=True)
class Schedule:
    """What is posted follows from the seed as well; ``patience``: seconds that rules wait on when all is posted."""

    seed: int
    faults: Sequence[Fault]
    statements: int = STATEMENTS
    seconds: float = POSTING_SECONDS
    patience: float = 1.0
    traits: Traits = ALL_TRAITS

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}", *(f"  {fault}" for fault in self.faults)])


def quiet(seed: int) -> Schedule:
    """No faults, posted at once, nothing to correct."""
    return Schedule(seed, (), statements=60, seconds=0.5, traits=PLAIN)


def make_schedule(seed: int) -> Schedule:
    """Two to five faults, the quick ones more often than those that take the machine long."""
    rng = random.Random(f"schedule {seed}")
    makers = {_rule: 8, _kill: 3, _stop: 3, _third: 2, _front: 2, _broker: 1, _ingest: 1, _command: 2}
    chosen = rng.choices(list(makers), list(makers.values()), k=rng.randint(2, 5))
    return Schedule(seed, sorted((make(rng) for make in chosen), key=lambda fault: fault.at))


def _at(rng: random.Random) -> float:
    return round(rng.uniform(0.2, POSTING_SECONDS), 1)


def _rule(rng: random.Random) -> Fault:
    deed: Deed = rng.choice(
        (
            "refuse",
            "refuse after",
            "hang",
            "hang after",
            "late",
            "cut",
            "kill",
            "kill after",
            "kill after",
            "stop after",
        )
    )
    table = rng.choice((*TABLES, "reads")) if deed in ("refuse", "hang", "cut") else rng.choice(TABLES)
    times = rng.choice((1, 1, 2, 3)) if deed in ("refuse", "refuse after", "cut") else 1
    return Fault(_at(rng), "rule", rng.choice((-1, 0, 1)), round(rng.uniform(3.5, 5.5), 1), deed, table, times)


def _kill(rng: random.Random) -> Fault:
    return Fault(_at(rng), "kill worker", rng.randrange(WORKERS))


def _stop(rng: random.Random) -> Fault:
    # Beyond the session time-out of 3 s: the others take over, and it wakes up as a zombie.
    return Fault(_at(rng), "stop worker", rng.randrange(WORKERS), round(rng.uniform(3.5, 6.0), 1))


def _third(rng: random.Random) -> Fault:
    return Fault(_at(rng), "third worker", seconds=round(rng.uniform(3.0, 6.0), 1), sigkill=rng.random() < 0.4)


def _front(rng: random.Random) -> Fault:
    return Fault(_at(rng), rng.choice(("kill front", "restart front")), seconds=round(rng.uniform(0.0, 3.0), 1))


def _ingest(rng: random.Random) -> Fault:
    return Fault(_at(rng), "kill ingest")


def _broker(rng: random.Random) -> Fault:
    return Fault(_at(rng), rng.choice(("kill broker", "restart broker")), seconds=round(rng.uniform(0.0, 2.0), 1))


def _command(rng: random.Random) -> Fault:
    kind = rng.choice(("calibration use", *COMMANDS))
    return Fault(_at(rng), kind, seconds=round(rng.uniform(0.5, 6.0), 1), sigkill=rng.random() < 0.3)
