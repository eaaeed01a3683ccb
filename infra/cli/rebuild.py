"""``roundtrip rebuild``: states and days of students computed again from the stored statements, and compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from infra.cli.beside import alone, open_store, options
from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.dev.bar import Bar, many
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.rebuild.differences import Difference
    from streams.rebuild.journal import Journal, Step
    from streams.rebuild.scope import Scope


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rebuild")(rebuild)


def rebuild(
    everyone: Annotated[bool, typer.Option("--all", help="All students, into new tables.")] = False,
    school: Annotated[str, typer.Option(metavar="ID", help="The students of a school, in place.")] = "",
    student: Annotated[str, typer.Option(metavar="ID", help="One student, in place.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Compare only; change nothing.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on with one that was interrupted.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Differences that are printed; the others are counted.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Compute attempts, skill states and days again from the statements, beside live traffic; name each difference.

    What differs is corrected, unless --check is given. The exit code is 1 where something differed. After Ctrl-C or a
    crash the same command goes on where it was stopped.
    """
    from streams.rebuild.scope import Scope

    if sum((everyone, bool(school), bool(student))) != 1:
        raise UsageFault("whose? Give one of --all, --school ID and --student ID")
    if student:
        try:
            student = str(UUID(student))
        except ValueError:
            raise UsageFault(f"{student!r} is no id of a student: a UUID, as on the student's page") from None
    settings = load_settings(data_dir)
    require_services(settings)
    try:
        with alone(settings):
            differences = _run(settings, Scope(school, student), check=check, restart=restart, show=show)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here")
        raise typer.Exit(130) from None
    raise typer.Exit(1 if differences else 0)


def _run(settings: Settings, scope: Scope, *, check: bool, restart: bool, show: int) -> int:
    from streams.rebuild.journal import Journal
    from streams.rebuild.run import Rebuild, take_up
    from streams.rebuild.scope import NobodyError, size
    from streams.rebuild.shadows import Shadows

    with open_store(settings) as store:
        chosen = options(settings, store, check=check)
        try:
            total = size(store.read, scope)
        except NobodyError as error:
            raise UsageFault(str(error)) from None
        shadows = Shadows(store, settings.clickhouse, chosen.generation)
        if not scope.everyone and not check and shadows.standing():
            raise UsageFault("a rebuild of all students was interrupted: finish it first, with rebuild --all")
        version = chosen.calibration.version
        journal = Journal(store, f"{scope}, check" if check else str(scope), chosen.generation, version)
        began = time.monotonic()
        with Bar("rebuild", total) as bar:
            if take_up(journal, shadows, version, restart=restart):
                bar.say(f"going on with the rebuild that was interrupted: {journal.students:,} students are done")
            told = _Teller(bar, journal, show)
            Rebuild(scope, chosen, store, shadows, journal, told).run()
        for line in summary(journal, check=check, seconds=time.monotonic() - began, hidden=told.hidden):
            typer.echo(line)
        return sum(step.differences for step in journal.steps)


class _Teller:
    """Prints the first differences as they are found; those of an interrupted run come first."""

    def __init__(self, bar: Bar, journal: Journal, show: int) -> None:
        self._bar = bar
        self._journal = journal
        self._left = show
        self.hidden = 0
        for step in journal.steps:
            self._tell(step.examples, step.differences)

    def __call__(self, step: Step, differences: Sequence[Difference]) -> None:
        self._tell([str(difference) for difference in differences[: self._left]], step.differences)
        found = sum(step.differences for step in self._journal.steps)
        self._bar.show(
            self._journal.students, f"{many(self._journal.students, 'student')} · {many(found, 'difference')}"
        )

    def _tell(self, lines: Sequence[str], differences: int) -> None:
        shown = lines[: self._left]
        for line in shown:
            self._bar.say(line)
        self._left -= len(shown)
        self.hidden += differences - len(shown)


def summary(journal: Journal, *, check: bool, seconds: float, hidden: int) -> list[str]:
    """What came of a rebuild, in lines."""
    steps = journal.steps
    differences, outdated = sum(step.differences for step in steps), sum(step.outdated for step in steps)
    statements, left = sum(step.statements for step in steps), [line for step in steps for line in step.left]
    lines = [f"… and {many(hidden, 'more difference')}"] if hidden else []
    lines.append(
        f"{many(journal.students, 'student')}, {many(statements, 'statement')}, calibration {journal.calibration},"
        f" {seconds:.1f} s:" + (f" {many(differences, 'value')} differed" if differences else " live and rebuilt agree")
    )
    if outdated:
        done = "" if check else ": they were folded again"
        lines.append(f"under another calibration: {many(outdated, 'student')}{done}")
    if left:
        lines.append(f"left as they are: {many(len(left), 'student')}")
        lines += [f"  {line}" for line in left[:20]]
    if differences:
        lines.append(
            "nothing was changed: without --check they are corrected"
            if check
            else "corrected; the workers fold these students again, as the log tells them"
        )
    return lines
