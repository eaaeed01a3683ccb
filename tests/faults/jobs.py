"""Schedules on several stacks side by side: each a process of its own, which takes the next seed when it is free."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from infra.dev import processes
from tests.faults.compare import Findings
from tests.faults.report import Verdict
from tests.faults.run import Runner
from tests.faults.schedule import make_schedule
from tests.faults.stack import DOOR, WORKER, Command, FaultStack

Commands = tuple[Command, Command]


def run_schedules(
    path: Path, seeds: range, jobs: int, told: Callable[[Verdict], None], commands: Commands = (WORKER, DOOR)
) -> tuple[list[Verdict], list[Verdict]]:
    """All verdicts, each also told when it is there, and those of the audits: what changed later. ``commands``:
    of workers and ingest.

    Raises RuntimeError when a process ends without having finished.
    """
    context = multiprocessing.get_context("spawn")
    wanted, found = context.Queue(), context.Queue()
    for seed in [*seeds, *[None] * jobs]:
        wanted.put(seed)
    running = [
        context.Process(target=_job, args=(os.getpid(), path / f"stack-{number}", commands, wanted, found), daemon=True)
        for number in range(jobs)
    ]
    verdicts: list[Verdict] = []
    late: list[Verdict] = []
    with _started(running):
        ended = 0
        while ended < jobs:
            try:
                kind, verdict = found.get(timeout=5.0)
            except queue.Empty:
                if any(process.exitcode for process in running):
                    raise RuntimeError("a stack broke down") from None
                continue
            if kind == "end":
                ended += 1
                continue
            told(verdict)
            (late if kind == "late" else verdicts).append(verdict)
    return verdicts, late


@contextmanager
def _started(running: list[Any]) -> Iterator[None]:
    for process in running:
        process.start()
    try:
        yield
        for process in running:
            process.join(60.0)
    finally:
        for process in running:
            process.kill()
            process.join()


def _job(parent: int, path: Path, commands: Commands, wanted: Any, found: Any) -> None:
    """Schedules until there are no more; after one that stalls, on a new stack."""
    if sys.platform == "linux":  # with it, what it started
        processes.die_with(parent)()
    for number in count():
        with FaultStack(path / str(number), *commands) as stack:
            if _serve(stack, wanted, found):
                break
    found.put(("end", None))


def _serve(stack: FaultStack, wanted: Any, found: Any) -> bool:
    runner, schedule = Runner(stack), make_schedule(0)
    while (seed := wanted.get()) is not None:
        schedule = make_schedule(seed)
        try:
            found.put(("verdict", runner.run(schedule)))
        except TimeoutError as error:
            found.put(("verdict", Verdict(schedule, Findings(said=[f"stalled: {error}"]))))
            return False
    for verdict in runner.audit():
        found.put(("late", verdict))
    if said := stack.rebuild_differs():
        found.put(("late", Verdict(schedule, Findings(said=said))))
    return True
