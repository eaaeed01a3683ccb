"""``roundtrip calibrate warnings``: fit the score that orders lists of warnings, as a new version."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.cli.steps import bars
from infra.dev.bar import many
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from streams.evaluating.asking import Tell
    from streams.evaluating.cross import Groups
    from streams.ranking.fit import Row


def warnings(
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Outcomes of the district's own students: student, outcome (1 or 0), date."),
    ] = None,
    outcome: Annotated[str, typer.Option(help="The outcome in words, as in 'fails a core course'.")] = "",
    within_days: Annotated[int, typer.Option(min=7, max=366, help="Time within which it is told, days.")] = 90,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="In place of the store: a folder in the layout of OULAD's CSV.")
    ] = None,
    train: Annotated[str, typer.Option(help="Of the folder: presentations to fit on, as 2013B+2013J.")] = "",
    use: Annotated[bool, typer.Option("--use", help="Order the lists by it from the next school day on.")] = False,
    version: Annotated[
        int | None, typer.Option(min=1, help="Fit nothing: put a version in use that was kept before.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds that it is measured on.")] = 1,
    data_dir: DataDir = None,
) -> None:
    """Fit the score on history with known outcomes, measure it on students held out, and keep it as a version."""
    if version is not None:
        _use(load_settings(data_dir), version)
        return
    if (labels is None) == (data is None):
        raise UsageFault("name what to fit on: --labels CSV for the store's own history, or --data DIR with --train")
    from streams import rankings
    from streams.evaluating.asking import DataFaultError
    from streams.evaluating.cross import FOLDS, cross_validated
    from streams.evaluating.store_scores import fingerprint
    from streams.ranking.features import ACTIVITY, LEFT, NAMES, WORK
    from streams.ranking.fit import fit

    settings = load_settings(data_dir)
    engine = _registry(settings)
    try:
        with bars() as tell:
            if data is not None:
                rows, groups, outcome, within_days = _folder(data, train, tell)
                names: tuple[str, ...] = (*WORK, LEFT)
                if all(name in row.features for row in rows for name in ACTIVITY):
                    names = (*WORK, *ACTIVITY, LEFT)
            else:
                assert labels is not None
                if not outcome:
                    raise UsageFault("--outcome names in words what the labels tell, as in 'fails a core course'")
                rows, groups = _store(settings, engine, labels, within_days, tell)
                names = NAMES
            tell("measure", 0, FOLDS)
            metrics = cross_validated(rows, names, groups, seed, lambda done: tell("measure", done, FOLDS))
            ranking = fit(rows, names, outcome, within_days, rankings.next_version(engine))
        rankings.keep(
            engine, ranking, seed=seed, fingerprint=fingerprint(rows), metrics=metrics,
            now_us=time.time_ns() // 1_000, use=use,
        )  # fmt: skip
    except (DataFaultError, ValueError) as error:
        raise UsageFault(str(error)) from None
    finally:
        engine.dispose()
    students = len({(row.course, row.student) for row in rows})
    typer.echo(
        f"ranking {ranking.version}: {outcome} within {within_days} days;"
        f" {many(students, 'student')}, {len(rows):,} weeks"
    )
    for week, told in metrics["weeks"].items():
        typer.echo(f"week {week:>2}, students held out: {_figures(told)}")
    typer.echo(
        "In use: lists are ordered by it from the next school day on."
        if use
        else f"Not in use yet: roundtrip calibrate warnings --version {ranking.version}"
    )


def _registry(settings: Settings) -> Engine:
    """The registry at its newest version."""
    from infra.runtime.registry import migrate, open_registry

    url = settings.registry_url()
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_registry(url)
    migrate(engine)
    return engine


def _use(settings: Settings, version: int) -> None:
    from streams import rankings

    engine = _registry(settings)
    try:
        rankings.use(engine, version)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    finally:
        engine.dispose()
    typer.echo(f"ranking {version}: lists are ordered by it from the next school day on")


def _figures(told: dict[str, Any]) -> str:
    words = {"auc": "AUC", "ece": "ECE", "precision10": "right in the top 10%", "base": "of all"}
    return " · ".join([f"{word} {told[key]:.3f}" for key, word in words.items() if told[key] is not None])


def _folder(data: Path, train: str, tell: Tell) -> tuple[list[Row], Groups, str, int]:
    from streams.evaluating.oulad import courses, presentations
    from streams.evaluating.warnings import FITTED, LONGEST, OUTCOME
    from streams.evaluating.weeks import Cost, rows_of

    if not train:
        raise UsageFault("--train names the presentations of the folder to fit on, as 2013B+2013J")
    rows: list[Row] = []
    who: dict[tuple[str, str], Any] = {}
    for course in courses(data, presentations(train), tell):
        for seen in rows_of(course, FITTED, Cost()):
            rows.append(seen.row)
            who[seen.row.course, seen.row.student] = seen.groups
    return rows, lambda row: who[row.course, row.student], OUTCOME, LONGEST


def _store(settings: Settings, engine: Engine, labels: Path, within_days: int, tell: Tell) -> tuple[list[Row], Groups]:
    from infra.runtime.clickhouse import open_clickhouse
    from streams.evaluating.roster import read_labels, read_roster
    from streams.evaluating.store_scores import store_rows
    from streams.facts import FactsReader
    from streams.rows.days import LocalDays
    from streams.sink import Sink
    from streams.terms import read_terms

    require_services(settings)
    days = LocalDays(settings.district.timezone)
    roster = read_roster(engine)
    told = read_labels(labels, engine, roster)
    sink = Sink(lambda: open_clickhouse(settings.clickhouse), threading.Event())
    try:
        today = days.day_of(time.time_ns() // 1_000)
        reader = FactsReader(sink, engine, days)
        rows = store_rows(reader, roster, told, read_terms(engine), today, within_days, tell)
    finally:
        sink.close()
    return rows, lambda row: {"School": roster.school[row.student], "Grade": roster.grade[row.student]}
