"""Commands of the local stack: demo, up, and the simulated providers."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.context import DataDir, load_settings, require_services
from infra.dev.simulation.preparation import (
    DEFAULT_HISTORY_DAYS,
    DEFAULT_RATE,
    DEFAULT_SEED,
    DEFAULT_SIZE,
)
from infra.dev.simulation.preparation import Options as SimulationOptions

# None: what the data directory began with, else the default; another value than it began with is refused.
Students = Annotated[
    int | None,
    typer.Option(
        min=30, max=20_000, help=f"Students of the sample district. [default: {DEFAULT_SIZE}]", show_default=False
    ),
]
HistoryDays = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=180,
        help=f"School days of history, posted first. [default: {DEFAULT_HISTORY_DAYS}]",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help=f"The same seed is the same district. [default: {DEFAULT_SEED}]", show_default=False),
]
Rate = Annotated[float, typer.Option(min=0, help="Live statements a second, all providers together.")]
Workers = Annotated[int, typer.Option(min=1, max=16, help="Workers to start.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Empty the data directory first, after asking.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.command("simulate")(simulate)


def demo(
    students: Students = None,
    rate: Rate = DEFAULT_RATE,
    history_days: HistoryDays = None,
    seed: Seed = None,
    workers: Workers = 1,
    data_dir: DataDir = None,
    fresh: Fresh = False,
    yes: Yes = False,
) -> None:
    """Start the whole platform on this machine with a sample district and simulated providers; Ctrl-C stops it."""
    from infra.dev.simulation.preparation import prepare
    from infra.dev.stack import Options, run

    chosen = {"--students": students, "--rate": rate, "--history-days": history_days, "--seed": seed}
    simulation = tuple(part for name, value in chosen.items() if value is not None for part in (name, str(value)))
    district = SimulationOptions(size=students, history_days=history_days, seed=seed)
    options = Options(
        demo=True,
        workers=workers,
        fresh=fresh,
        yes=yes,
        simulation=simulation,
        prepare=lambda settings: prepare(settings, district),
    )
    raise typer.Exit(run(load_settings(data_dir, local_stack=False), options))


def up(workers: Workers = 1, data_dir: DataDir = None, fresh: Fresh = False, yes: Yes = False) -> None:
    """Start the platform on this machine, without a sample district; Ctrl-C stops it."""
    from infra.dev.stack import Options, run

    raise typer.Exit(run(load_settings(data_dir, local_stack=False), Options(workers=workers, fresh=fresh, yes=yes)))


def simulate(
    students: Students = None,
    rate: Rate = DEFAULT_RATE,
    history_days: HistoryDays = None,
    seed: Seed = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the history.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Seed the sample district and post as its five providers: history, then live. Goes on where it ended."""
    from infra.dev.simulation.runner import run

    settings = load_settings(data_dir)
    require_services(settings)
    options = SimulationOptions(size=students, rate=rate, history_days=history_days, seed=seed, once=once)
    raise typer.Exit(run(settings, options))
