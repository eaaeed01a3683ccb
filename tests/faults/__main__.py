"""``python -m tests.faults [--count N] [--seed S]``: N schedules from seed S on; 1 when one fails."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import forgetful
from tests.faults.breaking import break_each
from tests.faults.forgetful import FORGETFUL
from tests.faults.jobs import run_schedules
from tests.faults.report import Verdict, summary
from tests.faults.stack import DOOR, WORKER
from tests.faults.variants import VARIANTS


def main() -> int:
    """Print a line for each schedule, everything about one that fails, and a summary."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="schedules to run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first one; the next ones follow")
    parser.add_argument("--jobs", type=int, default=1, help="stacks side by side, each with workers of its own")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this directory")
    parser.add_argument(
        "--break", dest="variant", choices=[*VARIANTS, "all"], help="break an invariant instead: is it noticed?"
    )
    parser.add_argument("--forgetful", action="store_true", help="workers and ingest remember next to nothing")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: everything that was started ends too
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="roundtrip-faults-") as scratch:
        began = time.monotonic()
        seeds = range(arguments.seed, arguments.seed + arguments.count)
        path = (arguments.keep or Path(scratch)).absolute()
        if arguments.variant:
            names = [*VARIANTS] if arguments.variant == "all" else [arguments.variant]
            return 0 if break_each(path, names, arguments.seed, _say) else 1
        commands = (FORGETFUL, forgetful.DOOR) if arguments.forgetful else (WORKER, DOOR)
        verdicts, late = run_schedules(path, seeds, arguments.jobs, _tell, commands)
        _say(summary(verdicts, late, time.monotonic() - began))
    return 1 if late or not all(verdict.holds for verdict in verdicts) else 0


def _tell(verdict: Verdict) -> None:
    _say(verdict.line() if verdict.holds else str(verdict))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
