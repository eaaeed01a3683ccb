"""The ``roundtrip`` command: one file a group of commands, each thin; what they do lives elsewhere."""

from __future__ import annotations

import sys

import typer

from infra.cli import (
    admin,
    calibrate,
    calibration,
    cases,
    dead_letters,
    evaluate,
    forward,
    importing,
    rebuild,
    replay,
    services,
    stack,
)

app = typer.Typer(
    name="roundtrip",
    help="An event-driven learning-record platform: xAPI in, skill states and early warnings out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stack.register(app)
services.register(app)
forward.register(app)
rebuild.register(app)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(calibration.app, name="calibration")
app.add_typer(replay.app, name="replay")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(cases.app, name="cases")
app.add_typer(importing.app, name="import")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(admin.app, name="admin")


def main() -> None:
    """Entry point: a fault that the user can mend is one line, without a traceback."""
    try:
        app()
    except settings_errors() as error:
        typer.secho(f"roundtrip: {error}", fg="red", err=True)
        sys.exit(2)


def settings_errors() -> tuple[type[Exception], ...]:
    """Exceptions whose message is meant for the user."""
    from infra.cli.context import UsageFault
    from infra.dev.errors import LocalStackError
    from infra.runtime.clickhouse import NewerStoreError
    from infra.runtime.kafka import TopicMismatchError

    return UsageFault, LocalStackError, NewerStoreError, TopicMismatchError
