"""Run the benchmarks: ``make bench``, ``make bench ARGS="--only worker --compare FILE"``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from infra.dev.errors import LocalStackError
from tests.bench import pure
from tests.bench.door import ingest
from tests.bench.figures import Figure, Run, load, table
from tests.bench.growth import growth
from tests.bench.machine import this_machine
from tests.bench.naive import naive
from tests.bench.reading import reading
from tests.bench.servers import GaveUpError
from tests.bench.sink import sink
from tests.bench.visible import visible
from tests.bench.worker import passing, worker

BENCHES: Final[dict[str, Callable[[], Iterator[Figure]]]] = {
    "decode": pure.decode,
    "rows": pure.rows,
    "fold": pure.fold,
    "core": pure.core,
    "sink": sink,
    "worker": worker,
    "passing": passing,
    "naive": naive,
    "ingest": ingest,
    "visible": visible,
}
LONG: Final[dict[str, Callable[[], Iterator[Figure]]]] = {"growth": growth, "reading": reading}
"""Run when they are named."""


def main(arguments: list[str] | None = None) -> int:
    """Run, show the table, keep the figures; the exit code, 1 when a bench failed."""
    parser = argparse.ArgumentParser(prog="tests.bench", description="Benchmarks of the platform, on this machine.")
    known = BENCHES | LONG
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an earlier run, from tests/bench/results")
    chosen = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        before = load(chosen.compare) if chosen.compare else None
    except (OSError, msgspec.DecodeError) as error:
        parser.error(f"{chosen.compare} cannot be compared with: {error}")
    run = Run(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), this_machine(), [])
    console.print(str(run.machine), highlight=False)
    failed = 0
    for name in chosen.only or BENCHES:
        console.print(f"{name} …", style="dim")
        try:
            run.figures.extend(known[name]())
        except (GaveUpError, LocalStackError, AssertionError) as error:
            failed += 1
            console.print(f"{name}: {error}", style="red", markup=False)
    console.print(table(run.figures, before))
    console.print(f"kept in {run.save()}", highlight=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
