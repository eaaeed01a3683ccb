"""``roundtrip dead-letters``: what workers put aside, to be looked at, replayed or discarded."""

from __future__ import annotations

import getpass
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.context import DataDir, UsageFault, load_settings, require_services

if TYPE_CHECKING:
    from streams.letters.office import Office, Standing

app = typer.Typer(help="What workers put aside: look, repair, replay, discard.", no_args_is_help=True)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Positions = Annotated[
    list[str] | None,
    typer.Argument(metavar="POSITION...", help="As `list` prints them: generation/partition/offset/index."),
]
Provider = Annotated[str, typer.Option(help="Only of this provider.")]
Reason = Annotated[str, typer.Option("--reason", help="Only with this reason, as `list` prints it.")]
Since = Annotated[str, typer.Option(help="Only since then: 90m, 12h, 7d, or a time as 2026-11-21T08:00Z.")]
By = Annotated[str, typer.Option(help="Who decides. [default: the user of this system]", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_(
    provider: Provider = "",
    reason: Reason = "",
    since: Since = "",
    every: Annotated[bool, typer.Option("--all", help="Also those that are replayed or discarded.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most lines.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Dead letters, newest first."""
    with _office(data_dir) as office:
        found = [s for s in _matching(office.letters(_since(since)), provider, reason) if every or not s.decision]
    for standing in found[:limit]:
        (place, event), count, decision = standing
        state = f"{decision.decision} by {decision.decided_by}" if decision else "open"
        who = event.provider_id or ", ".join(filter(None, count.statements)) or "-"
        typer.echo(
            f"{place!s:24} {_time(event.at)}  {who:16} {sum(count.statements.values()):5}  {state:10} "
            f"{event.reason}: {_short(event.message)}"
        )
    if not found:
        typer.echo("no dead letters" if every else "no open dead letters")
    elif len(found) > limit:
        typer.echo(f"… {len(found) - limit:,} more: --limit, or filter by --provider, --reason, --since")


@app.command("show")
def show(
    position: Annotated[str, typer.Argument(metavar="POSITION", help="As `list` prints it.")],
    payload: Annotated[
        bool, typer.Option("--payload", help="Only the item as JSON: to be repaired and given to `replay --file`.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """One dead letter: why it was put aside, what it holds, and what to do. It holds no names: agents are keys."""
    from streams.letters.advice import advice
    from streams.letters.payload import RepairError, bytes_shown, item_json

    with _office(data_dir) as office:
        [standing] = _at(office, [position])
        (place, event), count, decision = standing
        fault = ""
        try:
            items = office.items(standing.letter)
        except RepairError as error:
            items, fault = [], str(error)
        if payload:
            if len(items) != 1:
                raise UsageFault(f"{place}: {fault or 'a record of several items: replay it as it is'}")
            typer.echo(item_json(items[0]).decode())
            return
        with suppress(RepairError):
            office.ready(standing)
            fault = fault or "as it is, the worker would read it now"
    typer.echo(f"position   {place}  (topic {event.topic})")
    typer.echo(f"put aside  {_time(event.at)}")
    typer.echo(f"provider   {event.provider_id or ', '.join(filter(None, count.statements)) or 'not readable'}")
    typer.echo(f"counts     {sum(count.statements.values())} statements, accepted {_time(count.stored)}")
    typer.echo(f"reason     {event.reason}: {event.message}")
    if decision:
        typer.echo(f"decision   {_decided(standing)}")
    for item in items:
        typer.echo(item_json(item).decode())
    if not items:
        typer.echo(bytes_shown(event.payload))
    if fault:
        typer.echo(f"now        {fault}")
    typer.echo(f"to do      {advice(place, event.reason)}")


@app.command("replay")
def replay(
    positions: Positions = None,
    file: Annotated[
        Path | None, typer.Option(help="The repaired item, as `show --payload` prints it; what it leaves out stays.")
    ] = None,
    provider: Provider = "",
    reason: Reason = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was replayed before.")] = False,
    by: By = "",
    yes: Yes = False,
    data_dir: DataDir = None,
) -> None:
    """Put dead letters into the log again, as they are or repaired: in their student's partition, counted once."""
    from kafka.errors import KafkaError

    from streams.letters.payload import RepairError

    if file is not None and len(positions or ()) != 1:
        raise UsageFault("--file goes with one POSITION")
    text = _read(file) if file is not None else None
    failed = 0
    with _office(data_dir) as office:
        chosen = _chosen(office, positions, provider, reason)
        if not positions and not yes:
            typer.confirm(f"Replay {len(chosen):,} dead letters?", abort=True)
        for standing in reversed(chosen):
            place = standing.letter.place
            try:
                sent = office.replay(standing, office.ready(standing, text), by=by or _user(), again=again)
            except RepairError as error:
                failed += 1
                typer.secho(f"{place}: not replayed: {error}", fg="red", err=True)
            except KafkaError as error:
                raise UsageFault(f"{place}: Kafka does not take it ({error}); ask again when it does") from None
            else:
                told = f"had been replayed as {sent.where}; it counts once" if sent.again else f"goes to {sent.where}"
                typer.echo(f"{place}: {told}")
    if failed:
        raise typer.Exit(1)


@app.command("discard")
def discard(
    positions: Annotated[list[str], typer.Argument(metavar="POSITION...", help="As `list` prints them.")],
    why: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Leave dead letters as they are, for a reason: they go on counting as dead."""
    from streams.letters.payload import RepairError

    if not why.strip():
        raise UsageFault("--reason must say why")
    with _office(data_dir) as office:
        standings = _at(office, positions)
        try:
            office.discard(standings, reason=why, by=by or _user())
        except RepairError as error:
            raise UsageFault(str(error)) from None
    for standing in standings:
        typer.echo(f"{standing.letter.place}: discarded")


@app.command("accept")
def accept(
    partition: Annotated[int, typer.Option(min=0, help="Partition that was stopped for its dead letters.")],
    why: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Let a stopped partition go on: what its log holds now is put aside, however much of it has to be."""
    if not why.strip():
        raise UsageFault("--reason must say why")
    with _office(data_dir) as office:
        if partition >= office.partitions:
            raise UsageFault(f"there are {office.partitions} partitions, from 0 on")
        until = office.accept(partition, reason=why, by=by or _user())
    typer.echo(f"partition {partition}: goes on within seconds; dead letters up to offset {until} are put aside")


@contextmanager
def _office(data_dir: Path | None) -> Iterator[Office]:
    from infra.runtime.clickhouse import open_clickhouse
    from streams.letters.office import open_office

    settings = load_settings(data_dir)
    require_services(settings)
    with open_clickhouse(settings.clickhouse) as client, open_office(settings, client) as office:
        yield office


def _chosen(office: Office, positions: list[str] | None, provider: str, reason: str) -> list[Standing]:
    if positions:
        if provider or reason:
            raise UsageFault("give either positions or --provider and --reason")
        return _at(office, positions)
    if not (provider or reason):
        raise UsageFault("give positions, or --provider or --reason for many")
    return [s for s in _matching(office.letters(), provider, reason) if not s.decision and not s.letter.place.table]


def _at(office: Office, positions: Iterable[str]) -> list[Standing]:
    from streams.letters.place import parse_place

    try:
        places = [parse_place(text) for text in positions]
    except ValueError as error:
        raise UsageFault(str(error)) from None
    found = {standing.letter.place: standing for standing in office.letters()}
    if missing := [str(place) for place in places if place not in found]:
        raise UsageFault(f"no dead letter at {', '.join(missing)}: see `roundtrip dead-letters list --all`")
    return [found[place] for place in dict.fromkeys(places)]


def _matching(standings: Iterable[Standing], provider: str, reason: str) -> list[Standing]:
    return [
        s
        for s in standings
        if (not provider or provider == s.letter.event.provider_id or provider in s.counted.statements)
        and (not reason or reason == s.letter.event.reason)
    ]


def _decided(standing: Standing) -> str:
    decision = standing.decision
    assert decision is not None
    what = f"{decision.decision} by {decision.decided_by}, {_time(decision.at)}"
    return f"{what}: {decision.reason}" if decision.reason else f"{what}: to be asked again, it may not be published"


def _since(text: str) -> int:
    if not text:
        return 0
    if found := re.fullmatch(r"(\d+)([mhd])", text):
        return time.time_ns() // 1_000 - round(
            timedelta(**{_UNITS[found[2]]: int(found[1])}) / timedelta(microseconds=1)
        )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageFault(f"--since {text!r} is no time: 90m, 12h, 7d, or 2026-11-21T08:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def _time(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%SZ}"


def _short(text: str, most: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageFault(f"{file}: {error.strerror}") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
