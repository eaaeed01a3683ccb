"""``python -m tests.faults [--count N] [--seed S]``: N schedules from seed S on, on one stack; 1 when one fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.run import Runner
from tests.faults.schedule import make_schedule, quiet
from tests.faults.stack import FaultStack
from tests.faults.variants import VARIANTS, provoking


def main() -> int:
    """Print a line for each schedule, and everything about one that fails."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="schedules to run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first one; the next ones follow")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this directory")
    parser.add_argument("--break", dest="variant", choices=sorted(VARIANTS), help="run workers with a broken invariant")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roundtrip-faults-") as scratch:
        worker = (
            ("-m", "tests.faults.variants", arguments.variant) if arguments.variant else ("-m", "infra.cli", "worker")
        )
        with FaultStack((arguments.keep or Path(scratch)).absolute(), worker) as stack:
            return _run(stack, arguments.seed, arguments.count, arguments.variant)


def _run(stack: FaultStack, seed: int, count: int, variant: str | None) -> int:
    runner = Runner(stack)
    began, failed = time.monotonic(), 0
    if variant:
        _say(f"without faults: {runner.run(quiet(seed + count)).line()}")
    for number in range(seed, seed + count):
        verdict = runner.run(provoking(variant, number) if variant else make_schedule(number))
        failed += not verdict.holds
        _say(str(verdict) if not verdict.holds else verdict.line())
    late = runner.audit()
    for verdict in late:
        _say(str(verdict))
    _say(f"{count} schedules, {failed} failed, {len(late)} changed later, {time.monotonic() - began:.0f} s")
    return 1 if failed or late else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
