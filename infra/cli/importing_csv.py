"""``roundtrip import line-items|attendance|behavior|marks``: files of a student information system, row by row."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Final, Self
from zoneinfo import ZoneInfo

import httpx
import typer

from infra.cli.context import DataDir, UsageFault, load_settings
from infra.cli.registry import registry, require_credential
from infra.dev.bar import many
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from ingest.importers.saying import Summary
    from ingest.importers.school_records import Kind
    from ingest.importers.tabular import Fault

_SHOWN: Final = 20

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, its columns named by the first line.")]
Provider = Annotated[str, typer.Option(help="In whose name.")]
Key = Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_KEY", help="Credential of the provider.")]
Secret = Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_SECRET", help="Its secret.")]
HomePage = Annotated[
    str, typer.Option(help="homePage of the accounts whose names are the student numbers of the file.")
]
Endpoint = Annotated[str, typer.Option(help="xAPI address of the door. [default: as the settings say]")]
Batch = Annotated[int, typer.Option(min=1, max=1000, help="Statements in a request.")]
Patience = Annotated[float, typer.Option(min=1, help="Seconds to wait for a door that is away.")]
Check = Annotated[bool, typer.Option("--check", help="Read and judge every row, and change nothing.")]
Again = Annotated[bool, typer.Option("--again", help="Say also what was said before, as the same statements.")]
Faults = Annotated[Path | None, typer.Option(help="File of all faults. [default: FILE.faults.csv]", show_default=False)]
MarkCategory = Annotated[
    list[str] | None, typer.Option("--mark-category", help="Category whose line items are marks; may be repeated.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("line-items")(line_items)
    app.command("attendance")(attendance)
    app.command("behavior")(behavior)
    app.command("marks")(marks)


def line_items(
    file: File,
    mark_category: MarkCategory = None,
    check: Check = False,
    faults: Faults = None,
    data_dir: DataDir = None,
) -> None:
    """Expected work and marks (OneRoster lineItems.csv): what is due when, in which class.

    Rows that are good are kept, the others are named. The exit code is 1 where a row was not good.
    """
    from ingest.importers.line_items import COLUMNS, REQUIRED, LineItems
    from ingest.importers.sources import SourceError
    from ingest.importers.tabular import Sheet

    with registry(data_dir) as (settings, connection), _Told(file, faults) as told:
        try:
            sheet = Sheet(file, COLUMNS, REQUIRED)
            zone = ZoneInfo(settings.district.timezone)
            counts = LineItems(connection, zone, marks=mark_category or (), fault=told.fault).run(sheet)
        except SourceError as error:
            raise UsageFault(str(error)) from None
        if check:
            connection.rollback()
        told.notices(sheet.notices)
        would = "to be " if check else ""
        typer.echo(
            f"{many(counts.rows, 'row')} = {counts.new:,} {would}new + {counts.changed:,} {would}changed"
            f" + {counts.removed:,} {would}removed + {counts.unchanged:,} unchanged + {counts.faulty:,} faulty"
        )
    raise typer.Exit(1 if counts.faulty else 0)


def attendance(
    file: File,
    provider: Provider,
    key: Key = "",
    secret: Secret = "",
    home_page: HomePage = "",
    endpoint: Endpoint = "",
    batch: Batch = 200,
    patience: Patience = 300.0,
    check: Check = False,
    again: Again = False,
    faults: Faults = None,
    data_dir: DataDir = None,
) -> None:
    """Presence and absence by student and day, as statements: attended, absent.

    A row that says something else than the row before about the same student and day corrects it: the former statement
    is voided. The exit code is 1 where a row was not good.
    """
    from ingest.importers.school_records import ATTENDANCE

    job = _Job(file, provider, (key, secret), home_page, endpoint, check=check, again=again, data_dir=data_dir)
    job.run(ATTENDANCE, batch, patience, faults)


def behavior(
    file: File,
    provider: Provider,
    key: Key = "",
    secret: Secret = "",
    home_page: HomePage = "",
    endpoint: Endpoint = "",
    batch: Batch = 200,
    patience: Patience = 300.0,
    check: Check = False,
    again: Again = False,
    faults: Faults = None,
    data_dir: DataDir = None,
) -> None:
    """Incidents and suspensions, as statements: reported, with the category as an extension.

    The exit code is 1 where a row was not good.
    """
    from ingest.importers.school_records import BEHAVIOR

    job = _Job(file, provider, (key, secret), home_page, endpoint, check=check, again=again, data_dir=data_dir)
    job.run(BEHAVIOR, batch, patience, faults)


def marks(
    file: File,
    provider: Provider,
    key: Key = "",
    secret: Secret = "",
    home_page: HomePage = "",
    endpoint: Endpoint = "",
    batch: Batch = 200,
    patience: Patience = 300.0,
    check: Check = False,
    again: Again = False,
    faults: Faults = None,
    data_dir: DataDir = None,
) -> None:
    """Marks and scores of line items (OneRoster results.csv), as statements: scored, passed, failed, submitted.

    The line items have to be there: `roundtrip import line-items`. The exit code is 1 where a row was not good.
    """
    from ingest.importers.school_records import MARKS

    job = _Job(file, provider, (key, secret), home_page, endpoint, check=check, again=again, data_dir=data_dir)
    job.run(MARKS, batch, patience, faults)


class _Told:
    """Faults as they are met: the first ones on the screen, all of them in a file beside."""

    def __init__(self, file: Path, faults: Path | None) -> None:
        self._name = file.name
        self._path = faults or Path(f"{file}.faults.csv")
        self._own = faults is None
        self._faults: list[Fault] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._faults:
            if self._own:  # that of a run before
                self._path.unlink(missing_ok=True)
            return
        with self._path.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened)
            writer.writerow(("file", "line", "column", "value", "problem", "fix"))
            writer.writerows((self._name, *fault) for fault in self._faults)
        more = len(self._faults) - _SHOWN
        if more > 0:
            typer.secho(f"and {many(more, 'fault')} more", fg="yellow")
        typer.echo(f"all faults, to be mended: {self._path}")

    def fault(self, fault: Fault) -> None:
        """One more."""
        self._faults.append(fault)
        if len(self._faults) <= _SHOWN:
            typer.secho(f"{self._name}, {fault}", fg="yellow")

    def notices(self, notices: Sequence[str]) -> None:
        """What is said about the file as a whole."""
        for notice in notices:
            typer.echo(f"{self._name}: {notice}")


class _Job:
    """An import of one file through the door."""

    def __init__(
        self,
        file: Path,
        provider: str,
        credential: tuple[str, str],
        home_page: str,
        endpoint: str,
        *,
        check: bool,
        again: bool,
        data_dir: Path | None,
    ) -> None:
        self._file = file
        self._provider = provider
        self._credential = credential
        self._home_page = home_page
        self._check = check
        self._again = again
        self._settings: Settings = load_settings(data_dir)
        self._data_dir = data_dir
        host, port = self._settings.ingest.host, self._settings.ingest.port
        self._door = (endpoint or f"http://{host}:{port}/xapi").rstrip("/") + "/statements"

    def run(self, kind: Kind, batch: int, patience: float, faults: Path | None) -> None:
        """To the end, with a summary; leaves by typer.Exit."""
        from ingest.importers.posting import PostingError
        from ingest.importers.sources import SourceError

        if not self._check:
            require_credential(self._data_dir, self._provider, self._credential[0])
        with _Told(self._file, faults) as told:
            try:
                summary, notices = asyncio.run(self._import(kind, batch, patience, told.fault))
            except SourceError as error:
                raise UsageFault(str(error)) from None
            except PostingError as error:
                typer.secho(f"{error}", fg="red", err=True)
                typer.echo("stopped: what was accepted is kept, and the same command goes on from there")
                raise typer.Exit(1) from None
            except KeyboardInterrupt:
                typer.echo("stopped: what was accepted is kept, and the same command goes on from there")
                raise typer.Exit(130) from None
            told.notices(notices)
            would = "to be " if self._check else ""
            typer.echo(
                f"{many(summary.rows, 'row')}, {summary.faulty:,} faulty; {many(summary.said, 'statement')}"
                f" = {summary.new:,} {would}new + {summary.corrected:,} {would}corrected"
                f" + {summary.removed:,} {would}voided + {summary.unchanged:,} unchanged"
            )
        raise typer.Exit(1 if summary.faulty else 0)

    async def _import(
        self, kind: Kind, batch: int, patience: float, fault: Callable[[Fault], None]
    ) -> tuple[Summary, list[str]]:
        from ingest.importers.posting import Poster
        from ingest.importers.roster import Roster
        from ingest.importers.saying import SchoolImport
        from ingest.importers.school_records import Reading
        from ingest.importers.slots import Slots
        from ingest.importers.tabular import Sheet

        engine = open_registry(self._settings.registry_url())
        try:
            async with httpx.AsyncClient(auth=self._credential, timeout=60.0) as client:
                sheet = Sheet(self._file, dict(kind.columns), kind.required)
                zone = ZoneInfo(self._settings.district.timezone)
                reading = Reading(Roster(engine, self._home_page), zone, datetime.now(UTC), sheet.separator == ";")
                poster = None if self._check else Poster(client, self._door, patience=patience, waiting=typer.echo)
                job = SchoolImport(
                    sheet, kind, reading, Slots(engine, self._provider, kind.name), poster,
                    batch=batch, again=self._again, fault=fault,
                )  # fmt: skip
                return await job.run(), sheet.notices
        finally:
            engine.dispose()
