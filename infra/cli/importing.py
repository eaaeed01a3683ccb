"""``roundtrip import``: statements from a dump or from another LRS, as a provider would send them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from infra.cli import importing_csv
from infra.cli.context import DataDir, UsageFault, load_settings
from infra.cli.registry import require_credential
from infra.dev.bar import Bar, many
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from ingest.importers.progress import Imports, Progress
    from ingest.importers.refusals import Refusals
    from ingest.importers.sources import Source

app = typer.Typer(help="Statements from elsewhere, and what a student information system knows.", no_args_is_help=True)
importing_csv.register(app)

_CONTINUES = "the same command goes on from there"


@app.callback()
def commands() -> None:
    """Statements from elsewhere, and what a student information system knows."""


@app.command("xapi")
def xapi(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="JSON array, JSON lines, StatementResult, gzip or not, or a folder of them; or another LRS's address.",
        ),
    ],
    provider: Annotated[str, typer.Option(help="In whose name.")],
    key: Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_KEY", help="Credential of the provider.")],
    secret: Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_SECRET", help="Its secret.")],
    from_key: Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_FROM_KEY", help="User at the other LRS.")] = "",
    from_secret: Annotated[str, typer.Option(envvar="ROUNDTRIP_IMPORT_FROM_SECRET", help="Its secret.")] = "",
    from_version: Annotated[str, typer.Option(help="Version of xAPI to ask the other LRS in.")] = "1.0.3",
    version: Annotated[str, typer.Option(help="Version of statements that tell none: 1.0.3 or 2.0.0.")] = "1.0.3",
    on_fault: Annotated[
        str,
        typer.Option(help="What the door refuses: write it beside, skip it, or stop at it.", metavar="write|skip|stop"),
    ] = "write",
    refused: Annotated[
        Path | None, typer.Option(help="File of what is refused. [default: SOURCE.refused.jsonl]", show_default=False)
    ] = None,
    endpoint: Annotated[str, typer.Option(help="xAPI address of the door. [default: as the settings say]")] = "",
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Statements in a request.")] = 200,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for a door or an LRS that is away.")] = 300.0,
    again: Annotated[
        bool, typer.Option("--again", help="From the beginning, also where it was imported before.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Import statements, through the door and by its rules; Ctrl-C stops it, and the same command goes on.

    Ids and timestamps stay, also those of voided statements; stored and authority are set anew. Of attachments a file
    tells only where they are: one without fileUrl is refused. The exit code is 1 where something was refused.
    """
    if on_fault not in ("write", "skip", "stop"):
        raise UsageFault(f"--on-fault {on_fault} is none of write, skip and stop")
    if not {version, from_version} <= {"1.0.3", "2.0.0"}:
        raise UsageFault("--version and --from-version are 1.0.3 or 2.0.0")
    settings = load_settings(data_dir)
    require_credential(data_dir, provider, key)
    door = (endpoint or f"http://{settings.ingest.host}:{settings.ingest.port}/xapi").rstrip("/") + "/statements"
    remote = source.startswith(("http://", "https://"))
    if not remote:
        source = str(Path(source).absolute())
    beside = None if on_fault != "write" else refused or _beside(source)
    from ingest.importers.posting import PostingError
    from ingest.importers.sources import SourceError
    from ingest.importers.xapi import Stopped

    job = _Job(settings, source, provider, beside)
    try:
        if again:
            job.imports.forget()
        before = job.imports.load()
        if before.finished:
            typer.echo(f"imported before: {_counts(before)}; --again imports it once more")
            return
        if before.accepted + before.refused:
            typer.echo(f"going on: {_counts(before)} so far")
        credentials = (key, secret), (from_key, from_secret)
        ended = asyncio.run(
            job.run(door, credentials, before, (version, from_version), batch, patience, stop=on_fault == "stop")
        )
    except (SourceError, PostingError, Stopped) as error:
        typer.secho(f"{error}", fg="red", err=True)
        typer.echo(f"stopped: {_counts(job.imports.load())}; {_CONTINUES}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo(f"stopped: {_counts(job.imports.load())}; {_CONTINUES}")
        raise typer.Exit(130) from None
    finally:
        job.close()
    job.report(ended)
    raise typer.Exit(1 if ended.refused else 0)


class _Job:
    """An import and what it needs."""

    def __init__(self, settings: Settings, source: str, provider: str, beside: Path | None) -> None:
        from ingest.importers.progress import Imports

        self._engine = open_registry(settings.registry_url())
        self.imports: Imports = Imports(self._engine, source, provider)
        self._source = source
        self._beside = beside
        self._refusals: Refusals | None = None
        self._read = self._quarantined = 0

    def close(self) -> None:
        self._engine.dispose()

    async def run(
        self,
        door: str,
        credentials: tuple[tuple[str, str], tuple[str, str]],
        before: Progress,
        versions: tuple[str, str],
        batch: int,
        patience: float,
        *,
        stop: bool,
    ) -> Progress:
        from ingest.importers.posting import Poster
        from ingest.importers.pulling import Pages
        from ingest.importers.refusals import Refusals
        from ingest.importers.sources import Files
        from ingest.importers.xapi import Import

        own, theirs = credentials
        async with (
            httpx.AsyncClient(auth=own, timeout=60.0) as client,
            httpx.AsyncClient(
                auth=theirs if theirs[0] else None, timeout=60.0, headers={"X-Experience-API-Version": versions[1]}
            ) as other,
        ):
            remote = self._source.startswith(("http://", "https://"))
            source: Source = (
                Pages(other, self._source, limit=batch, patience=patience) if remote else Files(Path(self._source))
            )
            self._refusals = Refusals(self._beside, before.refused_bytes)
            with Bar("import", source.total) as bar:

                def show(progress: Progress, done: int, total: int) -> None:
                    bar.show(done, _counts(progress), total)  # of another LRS nobody knows how many there are

                poster = Poster(client, door, patience=patience, waiting=bar.say)
                job = Import(
                    source, poster, self.imports, self._refusals, before,
                    batch=batch, default_version=versions[0], stop=stop, show=show,
                )  # fmt: skip
                ended = await job.run()
            self._read, self._quarantined = job.read, poster.quarantined
            return ended

    def report(self, ended: Progress) -> None:
        """Counts that add up, and why something was refused."""
        assert self._refusals is not None, "it ran"
        typer.echo(f"{self._read:,} read = {ended.accepted:,} accepted + {ended.refused:,} refused")
        if self._quarantined:
            told = f"{self._quarantined:,} of the accepted ones break a rule and wait in quarantine"
            typer.echo(f"{told}: `roundtrip admin quarantine list`")
        for rule, count in sorted(self._refusals.rules.items(), key=lambda one: -one[1]):
            typer.echo(f"  {many(count, 'statement')}: {rule}")
        if ended.refused and self._refusals.path is not None:
            typer.echo(f"refused ones, each with its reasons: {self._refusals.path}")


def _counts(progress: Progress) -> str:
    return f"{progress.accepted:,} accepted, {progress.refused:,} refused"


def _beside(source: str) -> Path:
    """Beside the file; of an address, in the working directory."""
    if source.startswith(("http://", "https://")):
        host = source.split("//", 1)[1].split("/", 1)[0].replace(":", "-").rsplit("@", 1)[-1]
        return Path(f"{host}.refused.jsonl").absolute()
    return Path(f"{source.rstrip('/')}.refused.jsonl")
