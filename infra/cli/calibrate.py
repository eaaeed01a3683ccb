"""``roundtrip calibrate``: fit the learner model on the attempts in the store, or in a file, as a new version."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import calibrate_warnings
from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.dev.bar import Bar, many
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.learner.fitting import Source


app = typer.Typer(invoke_without_command=True)
app.command("warnings")(calibrate_warnings.warnings)


@app.callback()
def calibrate(
    context: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="The same attempts and seed give the same version.")] = 0,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="TSV",
            exists=True,
            dir_okay=False,
            help="Fit on a file (user_id, item_id, timestamp, correct, skill_id).",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=0, max=20, help="Of the cross-validation over students; 0: none.")] = 3,
    data_dir: DataDir = None,
) -> None:
    """Fit a new calibration and keep it. Nothing runs under it before `roundtrip calibration use`."""
    if context.invoked_subcommand is not None:
        return
    from infra.runtime.registry import open_registry
    from streams import calibrations
    from streams.calibrating import calibrated
    from streams.evaluating.roster import read_roster

    settings = load_settings(data_dir)
    require_services(settings)
    engine = open_registry(settings.registry_url())
    try:
        with _source(settings, file) as (source, total), _Passes(total) as passes:
            version = calibrations.next_version(engine)
            groups = {} if file else read_roster(engine).groups()
            fitted, metrics = calibrated(
                source, version, seed=seed, folds=folds, groups=groups, progress=passes.show
            )  # fmt: skip
            calibrations.keep(engine, fitted, seed, metrics, time.time_ns() // 1_000)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    finally:
        engine.dispose()
    known = fitted.calibration
    typer.echo(
        f"calibration {version}: {many(fitted.attempts, 'attempt')} of {many(fitted.students, 'student')},"
        f" {many(len(known.items), 'item')}, {many(len(known.skills), 'skill')}, fingerprint {fitted.fingerprint[:12]}"
    )
    if folds:
        from infra.cli.calibration import figures

        typer.echo(f"on students that it was not fitted on: {figures(metrics['all'])}")
    typer.echo(f"Nothing runs under it yet, also when it is the first: roundtrip calibration use {version}")


@contextlib.contextmanager
def _source(settings: Settings, file: Path | None) -> Iterator[tuple[Source, int]]:
    """Where attempts come from, and about how many there are."""
    if file is not None:
        from streams.calibrating import from_file

        yield (lambda: from_file(file)), sum(1 for _ in from_file(file))
        return
    from infra.runtime.clickhouse import open_clickhouse
    from streams.calibrating import stored
    from streams.rebuild.store import CommandStore

    with open_clickhouse(settings.clickhouse) as client:
        store = CommandStore(client)
        [[total]] = store.read("SELECT count() FROM attempts FINAL")
        yield (lambda: stored(store.read)), int(total)


class _Passes(contextlib.ExitStack):
    """A bar for each pass over the attempts."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total = total
        self._what = ""

    def show(self, what: str, done: int) -> None:
        """Attempts of a pass that are done."""
        if what != self._what:
            self.close()
            self._what, self._bar = what, self.enter_context(Bar(what, self._total))
        self._bar.show(done, many(done, "attempt"))
