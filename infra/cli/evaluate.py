"""``roundtrip evaluate``: how good the models are, on files or on the district's own records, as one report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.context import DataDir, UsageFault, load_settings
from infra.cli.registry import now_us, registry
from infra.cli.steps import bars
from infra.runtime.quality import STORE, keep
from infra.runtime.registry import open_registry

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from sqlalchemy import Engine

    from schemas.reports import Report
    from streams.evaluating.asking import Tell

app = typer.Typer(help="How good skill states and warnings are: a report as HTML and JSON.", no_args_is_help=True)

Seed = Annotated[int, typer.Option(help="Seed of fits and intervals.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the report. [default: reports/ in the data directory]", show_default=False),
]
FromStore = Annotated[
    bool, typer.Option("--from-store", help="On the district's own records; kept for the model-quality page.")
]
Keep = Annotated[bool, typer.Option("--store", help="Keep it in the registry too, for the model-quality page.")]


@app.command("skills")
def skills(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with train.tsv, test.tsv and, if there, q_mat.npz.")
    ] = None,
    from_store: FromStore = False,
    seed: Seed = 1,
    out: Out = None,
    store: Keep = False,
    data_dir: DataDir = None,
) -> None:
    """Next-response prediction: each answer of the test students is predicted before it is learned from."""
    if from_store:
        _no_folder(data)
        from streams.evaluating import store_skills

        with _told() as tell, _services(data_dir) as (client, engine):
            report = store_skills.run(client, engine, now_us=now_us(), seed=seed, tell=tell)
        return _finish(report, STORE, out, True, data_dir)
    from streams.evaluating import skills as evaluation

    folder = _folder(data)
    with _told() as tell:
        report = evaluation.run(folder, seed=seed, tell=tell)
    return _finish(report, folder.name, out, store, data_dir)


@app.command("warnings")
def warnings(
    data: Annotated[Path | None, typer.Option("--data", help="Folder in the layout of OULAD's own CSV files.")] = None,
    train: Annotated[str, typer.Option(help="Presentation to fit on, as 2013B.")] = "",
    test: Annotated[str, typer.Option(help="Later presentation to test on, as 2013J.")] = "",
    clicks: Annotated[
        bool | None,
        typer.Option("--clicks/--no-clicks", help="With clicks, or without. [default: both]", show_default=False),
    ] = None,
    from_store: FromStore = False,
    labels: Annotated[
        Path | None,
        typer.Option(help="With --from-store: CSV of outcomes, columns student, outcome (1 or 0) and date."),
    ] = None,
    seed: Seed = 1,
    out: Out = None,
    store: Keep = False,
    data_dir: DataDir = None,
) -> None:
    """Warnings of withdrawing or failing, fitted on one presentation and tested on a later one.

    With --from-store: what was warned in the district, what came of it, how often it was wrong, and for whom.
    """
    if from_store:
        _no_folder(data)
        from streams.evaluating import store_warnings

        with _told() as tell, _services(data_dir) as (client, engine):
            report = store_warnings.run(client, engine, now_us=now_us(), labels=labels, tell=tell)
        return _finish(report, STORE, out, True, data_dir)
    if labels is not None:
        raise UsageFault("--labels goes with --from-store")
    from streams.evaluating import warnings as evaluation

    folder = _folder(data)
    if not train or not test:
        raise UsageFault("--train and --test name the presentations, as --train 2013B --test 2013J")
    with _told() as tell:
        report = evaluation.run(folder, train=train, test=test, clicks=clicks, seed=seed, tell=tell)
    return _finish(report, folder.name, out, store, data_dir)


@app.command("known")
def known(
    data: Annotated[Path, typer.Option("--data", help="Folder with knowledge_tracing/ and oulad/ below it.")],
    train: Annotated[str, typer.Option(help="Presentation to fit on.")] = "2013B",
    test: Annotated[str, typer.Option(help="Later presentation to test on.")] = "2013J",
    seed: Seed = 1,
    out: Out = None,
    data_dir: DataDir = None,
) -> None:
    """Both evaluations on the data whose figures are known, and those figures beside ours."""
    from infra.runtime.written import lines
    from streams.evaluating import known as figures

    responses, courses = _folder(data / "knowledge_tracing"), _folder(data / "oulad")
    target = out or load_settings(data_dir).data_dir / "reports"
    skills(responses, seed=seed, out=target / "skills", data_dir=data_dir)
    warnings(courses, train, test, seed=seed, out=target / "warnings", data_dir=data_dir)
    for kind, table in (("skills", figures.skills_table), ("warnings", figures.warnings_table)):
        beside = table(_read(target / kind).measures)
        typer.echo("\n".join(["", beside.title, *lines(beside)]))


def _folder(path: Path | None) -> Path:
    if path is None:
        raise UsageFault("--data names the folder of the data")
    if not path.is_dir():
        raise UsageFault(f"{path} is not a folder")
    return path


def _no_folder(path: Path | None) -> None:
    if path is not None:
        raise UsageFault("--from-store reads the district's own records: leave --data out")


@contextmanager
def _services(data_dir: Path | None) -> Iterator[tuple[Client, Engine]]:
    """The store and the registry."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from infra.runtime.clickhouse import open_clickhouse

    settings = load_settings(data_dir)
    if not settings.clickhouse.host:
        raise UsageFault(
            f"ROUNDTRIP_CLICKHOUSE__HOST not set and no stack runs on {settings.data_dir}: "
            "start one with `roundtrip demo` or `roundtrip up`, or set it"
        )
    engine = open_registry(settings.registry_url())
    try:
        with open_clickhouse(settings.clickhouse) as client:
            yield client, engine
    except ClickHouseError as error:
        said = str(error).strip().split("\n", 1)[0][:300]
        place = f"{settings.clickhouse.host}:{settings.clickhouse.port}"
        raise UsageFault(f"ClickHouse at {place}: {said}") from None
    finally:
        engine.dispose()


@contextmanager
def _told() -> Iterator[Tell]:
    """A bar for each step; a fault of the data becomes one line."""
    from streams.evaluating.asking import DataFaultError

    try:
        with bars() as tell:
            yield tell
    except DataFaultError as error:
        raise UsageFault(str(error)) from None


def _finish(report: Report, source: str, out: Path | None, store: bool, data_dir: Path | None) -> None:
    """Print the main table, write both files, and keep the report where that is asked for."""
    from infra.runtime.written import lines
    from schemas.reports import encode
    from streams.evaluating.render import html

    target = out or load_settings(data_dir).data_dir / "reports" / report.kind
    target.mkdir(parents=True, exist_ok=True)
    (target / "report.json").write_bytes(encode(report))
    (target / "report.html").write_text(html(report), encoding="utf-8")
    main = next((table for section in report.sections for table in section.tables), None)
    typer.echo("\n".join([report.title, report.data, "", *(lines(main) if main else []), "", *report.headlines]))
    if store:
        _keep(report, source, data_dir)
    typer.echo(f"\nreport     {target / 'report.html'}\nas data    {target / 'report.json'}")


def _keep(report: Report, source: str, data_dir: Path | None) -> None:
    with registry(data_dir) as (_, connection):
        keep(connection, report, source, now_us())


def _read(folder: Path) -> Report:
    from schemas.reports import decode

    return decode((folder / "report.json").read_bytes())
