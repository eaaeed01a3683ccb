"""Shows that the harness can fail: one invariant is broken at a time, and what shows it has to be noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.forgetful import DOOR
from tests.faults.report import Verdict
from tests.faults.run import STANDSTILL_SECONDS, Runner
from tests.faults.schedule import quiet
from tests.faults.stack import FaultStack
from tests.faults.variants import VARIANTS, provoking

SHORT_STANDSTILL_SECONDS = 4.0
"""Enough where nothing has to be corrected on the clock."""
TRIES = 3


@dataclass(frozen=True)
class Broken:
    """What a variant came to without faults, and under those that provoke it."""

    undisturbed: Verdict
    provoked: Verdict

    @property
    def works(self) -> bool:
        """Whether it does its work while nothing happens."""
        return self.undisturbed.holds

    @property
    def noticed(self) -> bool:
        """Whether the harness found a difference."""
        return not self.provoked.holds


def broken(stack: FaultStack, name: str, seed: int) -> Broken:
    """Run workers with an invariant broken; seeds from ``seed`` on are used. A race may have to be run again."""
    stack.run_workers(("-m", "tests.faults.variants", name))
    undisturbed = Runner(stack).run(quiet(seed))
    for number in range(1, TRIES + 1):
        provoked = _runner(stack, name).run(provoking(name, seed + number))
        if not provoked.holds:
            break
    return Broken(undisturbed, provoked)


def break_each(path: Path, names: Sequence[str], seed: int, say: Callable[[str], None]) -> bool:
    """Whether each variant is noticed, and none of its schedules fails with the workers as they are."""
    right = True
    with FaultStack(path, door=DOOR) as stack:
        for number, name in enumerate(names):
            control = _runner(stack, name).run(provoking(name, seed + 20 * number))
            right &= control.holds
            say(f"as it is, under the faults for {name}: {control.line() if control.holds else control}")
        for number, name in enumerate(names):
            told = broken(stack, name, seed + 20 * number + 10)
            right &= told.works and told.noticed
            say(f"{name}: {'caught' if told.noticed else 'WENT UNNOTICED'}; {told.provoked.line()}")
            say("\n".join(f"  {said}" for said in told.provoked.findings.said[:2]))
            if not told.works:
                say(f"  it does not work without faults: {told.undisturbed}")
    return right


def _runner(stack: FaultStack, name: str) -> Runner:
    corrected = VARIANTS[name].traits.voiding or VARIANTS[name].traits.copies
    return Runner(stack, STANDSTILL_SECONDS if corrected else SHORT_STANDSTILL_SECONDS, corrected=corrected)
