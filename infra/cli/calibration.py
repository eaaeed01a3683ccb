"""``roundtrip calibration``: versions of the fitted parameters: listed, shown, compared, and taken into use."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from infra.cli.beside import alone, open_store, options
from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.dev.bar import Bar, many
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine, RowMapping

    from streams.learner.calibration import Calibration
    from streams.rebuild.journal import Step
    from streams.running import Running

app = typer.Typer(help="Versions of the fitted parameters of the learner model.", no_args_is_help=True)
Version = Annotated[int, typer.Argument(min=0, metavar="VERSION", help="Number of the version.")]
_FIGURES = {"auc": "AUC", "log_loss": "log loss", "ece": "ECE"}


def figures(told: Mapping[str, Any]) -> str:
    """What was measured, in one line."""
    if "suppressed" in told:
        return "too few students"
    some = [f"{name} {told[key]:.3f}" for key, name in _FIGURES.items() if told.get(key) is not None]
    return " · ".join([*some, many(int(told.get("answers") or 0), "answer")])


@app.command("list")
def list_versions(data_dir: DataDir = None) -> None:
    """All versions, and which one the streams run under."""
    with _registry(load_settings(data_dir)) as engine:
        found = _rows(engine)
    table = Table("version", "fitted", "attempts", "seed", "fingerprint", "on students held out", "")
    for row in found:
        metrics = msgspec.json.decode(row["metrics"])
        fitted = datetime.fromtimestamp(row["created_at"] / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
        told = figures(metrics["all"]) if "all" in metrics else "not measured"
        table.add_row(
            str(row["version"]), fitted, f"{row['attempts']:,}", str(row["seed"]), row["fingerprint"][:12], told,
            _standing(row),
        )  # fmt: skip
    if not any(row["active"] for row in found):
        typer.echo("no version is in use: the streams run under the prior, where nothing is known of any item")
    if found:
        Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command()
def show(version: Version, data_dir: DataDir = None) -> None:
    """What a version was fitted on, and how well it foretold answers of students that it was not fitted on."""
    with _registry(load_settings(data_dir)) as engine:
        row, known = _one(engine, version)
    metrics = msgspec.json.decode(row["metrics"])
    typer.echo(
        f"calibration {version}{_standing(row) and ', ' + _standing(row)}: {row['attempts']:,} attempts, seed"
        f" {row['seed']}, {many(len(known.items), 'item')}, {many(len(known.skills), 'skill')}\n"
        f"fingerprint of the attempts: {row['fingerprint']}"
    )
    for number, told in enumerate(metrics.get("folds", []), 1):
        typer.echo(f"fold {number}: {figures(told)}")
    if "all" in metrics:
        typer.echo(f"all folds: {figures(metrics['all'])}")
    for name, groups in metrics.get("groups", {}).items():
        for group, told in groups.items():
            typer.echo(f"{name} · {group}: {figures(told)}")
    for skill, told in metrics.get("skills", {}).items():
        typer.echo(f"skill · {skill}: {figures(told)}")


@app.command()
def diff(
    first: Version,
    second: Version,
    most: Annotated[int, typer.Option(min=0, help="Items and skills that are named, of each kind.")] = 10,
    data_dir: DataDir = None,
) -> None:
    """What two versions were measured at, and whose difficulty differs most between them."""
    with _registry(load_settings(data_dir)) as engine:
        (before, one), (after, other) = _one(engine, first), _one(engine, second)
    for row in (before, after):
        metrics = msgspec.json.decode(row["metrics"])
        told = figures(metrics["all"]) if "all" in metrics else "not measured"
        typer.echo(f"calibration {row['version']}: {row['attempts']:,} attempts, {told}")
    if before["fingerprint"] == after["fingerprint"]:
        typer.echo("fitted on the same attempts")
    for kind, known, new in (("skill", one.skills, other.skills), ("item", one.items, other.items)):
        for line in differences(kind, known, new, most):
            typer.echo(line)


def differences(kind: str, known: Mapping[str, float], new: Mapping[str, float], most: int) -> list[str]:
    """How difficulties differ, logits: what came, what went, and the largest differences."""
    shared = known.keys() & new.keys()
    moved = sorted(shared, key=lambda name: (-abs(new[name] - known[name]), name))
    apart = sum(abs(new[name] - known[name]) for name in shared) / len(shared) if shared else 0.0
    lines = [
        f"{kind}s: {len(shared):,} in both, {len(new.keys() - shared):,} new, {len(known.keys() - shared):,} gone,"
        f" mean difference {apart:.3f}"
    ]
    named = [name for name in moved[:most] if new[name] != known[name]]
    return [*lines, *(f"  {name}: {known[name]:+.3f} to {new[name]:+.3f}" for name in named)]


@app.command()
def use(version: Version, data_dir: DataDir = None) -> None:
    """Take a version into use: fold all states again under it, beside live traffic, and put them in place whole.

    The workers take it up by themselves. After Ctrl-C or a crash the same command goes on where it was stopped.
    """
    from streams.calibrations import prepare
    from streams.rebuild.switching import NotTakenUpError

    settings = load_settings(data_dir)
    require_services(settings)
    try:
        with alone(settings), _registry(settings) as engine:
            row, _ = _one(engine, version)
            if row["active"] and not row["switching"]:
                raise UsageFault(f"calibration {version} is in use already")
            _switch(settings, engine, prepare(engine, version))
    except NotTakenUpError as error:
        raise UsageFault(str(error)) from None
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here")
        raise typer.Exit(130) from None


def _switch(settings: Settings, engine: Engine, running: Running) -> None:
    from streams import calibrations
    from streams.rebuild.journal import Journal
    from streams.rebuild.run import take_up
    from streams.rebuild.scope import NobodyError, Scope, size
    from streams.rebuild.shadows import Shadows
    from streams.rebuild.switching import SUFFIX, TABLES, Desk, Switch

    version = running.calibration.version
    desk = Desk(lambda: calibrations.activate(engine, version), lambda: calibrations.settle(engine, version))
    began = time.monotonic()
    with open_store(settings) as store:
        chosen = options(settings, store, check=False)
        shadows = Shadows(store, settings.clickhouse, chosen.generation, TABLES, SUFFIX)
        scope = f"calibration {version}, switch {running.activation}"
        journal = Journal(store, scope, chosen.generation, version)
        try:
            total = size(store.read, Scope())
        except NobodyError:
            total = 0
        with Bar(f"calibration {version}", total) as bar:
            if take_up(journal, shadows, version, restart=False):
                bar.say(f"going on with the switch that was interrupted: {many(journal.students, 'student')} done")

            def told(step: Step) -> None:
                bar.show(journal.students, many(journal.students, "student"))

            Switch(running, chosen, store, shadows, journal, desk, told).run()
        again = journal.steps[-1].students
    typer.echo(
        f"calibration {version} is in use: {many(journal.students - again, 'student')} folded under it in"
        f" {time.monotonic() - began:.1f} s; of {again:,} something came meanwhile, the workers fold them again"
    )


@contextmanager
def _registry(settings: Settings) -> Iterator[Engine]:
    from infra.runtime.registry import open_registry

    engine = open_registry(settings.registry_url())
    try:
        yield engine
    finally:
        engine.dispose()


def _rows(engine: Engine) -> Sequence[RowMapping]:
    from streams.calibrations import rows

    return rows(engine)


def _one(engine: Engine, version: int) -> tuple[RowMapping, Calibration]:
    from streams.calibrations import NoVersionError, calibration

    try:
        if not version:
            raise NoVersionError(version)
        known = calibration(engine, version)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    return next(row for row in _rows(engine) if row["version"] == version), known


def _standing(row: RowMapping) -> str:
    if not row["active"]:
        return ""
    return "in use; states are being folded under it" if row["switching"] else "in use"
