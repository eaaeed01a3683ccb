"""``roundtrip replay``: a range of the log processed again; or a real data set, posted as a provider would."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from infra.cli.beside import alone, first_line, now_us, open_store, options
from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.dev.bar import Bar, many
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.rebuild.replay import Replay, Report
    from streams.rebuild.store import CommandStore

app = typer.Typer()

_AGO = re.compile(r"(\d+)(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@app.callback(invoke_without_command=True)
def replay(
    context: typer.Context,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Begin there: 2026-11-21T10:00, or 90m for 90 minutes ago.")
    ] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Go to there; else to what is processed.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Say what is missing or differs; change nothing.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Changes that are printed; the others are counted.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Process a range of the log again (--from TIME [--to TIME]), or post a real data set as a provider.

    Rows that are missing are restored; states and days of the students of that time are compared with what is stored,
    and corrected. Where all is right, nothing changes. Times: ISO 8601, in the district's time zone unless they name
    one; or so many minutes, hours or days ago, as in 90m, 12h, 2d. The exit code is 1 where something was changed.
    """
    if context.invoked_subcommand is not None:
        return
    if not since:
        typer.echo(context.get_help())
        raise typer.Exit(0)
    settings = load_settings(data_dir)
    require_services(settings)
    begin = moment(since, now_us(), settings.district.timezone)
    end = moment(until, now_us(), settings.district.timezone) if until else None
    if end is not None and end <= begin:
        raise UsageFault("--to is not after --from")
    if begin > now_us():
        raise UsageFault("--from has not come yet")
    try:
        with alone(settings):
            changed = _replay(settings, begin, end, check=check, show=show)
    except KeyboardInterrupt:
        typer.echo("stopped; what was restored stays, and the same command looks at all of it again")
        raise typer.Exit(130) from None
    raise typer.Exit(1 if changed else 0)


def moment(text: str, now: int, timezone: str) -> int:
    """A time in µs since the epoch; raises UsageFault where it is none."""
    if ago := _AGO.fullmatch(text.strip().removesuffix("ago").strip()):
        return now - int(ago[1]) * (_UNITS[ago[2]] // timedelta(microseconds=1))
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageFault(f"{text!r} is no time: write it as 2026-11-21T10:00, or as 90m, 12h or 2d for ago") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(timezone))
    return (found - _EPOCH) // timedelta(microseconds=1)


def _replay(settings: Settings, since: int, until: int | None, *, check: bool, show: int) -> int:
    from aiokafka.errors import KafkaError

    from streams.rebuild.log import EmptyRangeError, RetentionError
    from streams.rebuild.shadows import Shadows

    with open_store(settings) as store:
        if not check and Shadows(store, settings.clickhouse, settings.kafka.generation).standing():
            raise UsageFault("a rebuild of all students was interrupted: finish it first, with rebuild --all")
        made, began = _make(settings, store, check=check), time.monotonic()
        report = made.report
        try:
            with Bar("replay", 1) as bar:
                asyncio.run(made.restore(since, until, lambda told: _show(bar, told)))
        except (EmptyRangeError, RetentionError) as error:
            raise UsageFault(str(error)) from None
        except KafkaError as error:
            raise UsageFault(f"Kafka at {settings.kafka.bootstrap_servers}: {first_line(error)}") from None
        if not (check and report.restored):  # without those rows all that follows from them would differ
            with Bar("compare", len(report.students)) as bar:
                made.compare(lambda told: bar.show(told.compared, f"{told.compared:,} students compared"))
    for line in summary(report, check=check, show=show, seconds=time.monotonic() - began):
        typer.echo(line)
    return len(report.restored) + len(report.differences)


def _make(settings: Settings, store: CommandStore, *, check: bool) -> Replay:
    from infra.runtime import kafka
    from schemas.avro_registry import schema_registry
    from schemas.codec import envelope_codec
    from streams.processor import Processor, ProcessorOptions
    from streams.rebuild.comparing import Comparison
    from streams.rebuild.replay import Replay
    from streams.store import ClickHouseStore

    chosen = options(settings, store, check=check)
    processing = ProcessorOptions(
        topic=kafka.statements_topic(settings.kafka),
        generation=settings.kafka.generation,
        timezone=settings.district.timezone,
        cached_students=1_000,
        remembered_statements=50_000,
        calibration=chosen.calibration,
        clock=now_us,
    )
    decode = envelope_codec(schema_registry(settings.kafka.schema_registry_url)).decode
    reads = ClickHouseStore(store.read, settings.kafka.generation)
    return Replay(
        settings.kafka, store, lambda: Processor(decode, reads, processing), processing, Comparison(chosen, store)
    )


def _show(bar: Bar, report: Report) -> None:
    total = sum(one.records for one in report.ranges)
    bar.show(report.records, f"{many(report.records, 'record')} · {many(len(report.restored), 'row')} missing", total)


def summary(report: Report, *, check: bool, show: int, seconds: float) -> list[str]:
    """What came of a replay, in lines."""
    changes = [*report.restored, *map(str, report.differences)]
    lines = changes[:show]
    if hidden := len(changes) - len(lines):
        lines.append(f"… and {hidden:,} more")
    lines.append(
        f"{many(report.records, 'record')}, {many(report.statements, 'statement')},"
        f" {many(len(report.students), 'student')}, {seconds:.1f} s: "
        + (
            f"{many(len(report.restored), 'row')} missing, {many(len(report.differences), 'value')} differed"
            if changes
            else "nothing changed"
        )
    )
    if waiting := sum(one.left for one in report.ranges):
        lines.append(f"not processed yet, and left to the workers: {many(waiting, 'record')} of that time")
    if report.failed:
        lines.append(f"could not be processed: {many(report.failed, 'record')}, see `roundtrip dead-letters list`")
    if report.left:
        lines.append(f"left as they are: {many(len(report.left), 'student')}")
        lines += [f"  {line}" for line in report.left[:20]]
    if changes and check:
        lines.append("nothing was changed: without --check it is restored and corrected")
        if report.restored:
            lines.append("states and days are compared when these rows are there")
    elif report.differences:
        lines.append("corrected; the workers fold these students again, as the log tells them")
    return lines


@app.command("assistments")
def assistments(
    data: Annotated[Path, typer.Option(help="Folder with train.tsv, test.tsv and q_mat.npz.")],
    split: Annotated[str, typer.Option(help="Which file of responses: train or test.")] = "test",
    rate: Annotated[float, typer.Option(min=0, help="Statements a second; 0: as fast as they are taken.")] = 0.0,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Connections; a student keeps to one.")] = 4,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Statements in a request.")] = 100,
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many responses; 0: all.")] = 0,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the store with the file afterwards.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Replay the responses of ASSISTments 2009-2010: skills and alignments first, then each student in order."""
    from infra.dev.replay.replay import Options, run

    settings = load_settings(data_dir)
    require_services(settings)
    options = Options(data, split, rate=rate, connections=connections, batch=batch, limit=limit, verify=verify)
    raise typer.Exit(run(settings, options))
