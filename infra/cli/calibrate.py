"""``roundtrip calibrate``: fit the difficulties of items and skills on the attempts in the store."""

from __future__ import annotations

import time

import typer

from infra.cli.context import DataDir, UsageFault, load_settings, require_services


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("calibrate")(calibrate)


def calibrate(data_dir: DataDir = None) -> None:
    """Fit a new calibration and make it the active one; a worker takes it up when it starts."""
    from infra.runtime.clickhouse import open_clickhouse
    from infra.runtime.registry import open_registry
    from streams.calibrations import calibrate as fit

    settings = load_settings(data_dir)
    require_services(settings)
    engine = open_registry(settings.registry_url())
    try:
        with open_clickhouse(settings.clickhouse) as client:
            fitted = fit(client, engine, time.time_ns() // 1000)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    finally:
        engine.dispose()
    typer.echo(
        f"calibration {fitted.version}: {len(fitted.items):,} items, {len(fitted.skills):,} skills. "
        "Restart the workers; a student's states are folded again when the student is next met."
    )
