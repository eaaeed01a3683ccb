"""``roundtrip admin quarantine`` and ``roundtrip admin repair``: what a provider sent wrong, and how it is mended."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import now_us, registry
from infra.runtime import quarantine as kept
from infra.runtime.quarantine import Item
from ingest.quarantine.repair import RepairFaultError, check_text, rule

quarantine = typer.Typer(help="Statements kept aside: look, repair, replay, discard.", no_args_is_help=True)
repair = typer.Typer(help="Rules that mend what a provider sends wrong.", no_args_is_help=True)

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Id as listed.")]
ProviderId = Annotated[str, typer.Argument(metavar="PROVIDER", help="Id of the provider.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept with it.")]
By = Annotated[str, typer.Option("--by", help="Who decided it. [default: the user of this shell]", show_default=False)]


@quarantine.command("list")
def list_(
    provider_id: ProviderId,
    status: Annotated[str, typer.Option(help="waiting, replayed or discarded.")] = "waiting",
    limit: Annotated[int, typer.Option(min=1, help="Newest so many.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Kept statements of a provider: id, when it came, and its first fault. No names."""
    if status not in kept.STATES:
        raise UsageFault(f"{status!r} is no state: use {', '.join(kept.STATES)}")
    with registry(data_dir) as (_, connection):
        counts = kept.counts(connection, provider_id)
        for one in kept.items(connection, provider_id, status, limit):
            first = one.faults[0]
            ready = "repaired, waits for ingest" if one.repaired and one.status == "waiting" else ""
            typer.echo(
                f"{one.item_id}  {_when(one.received_at)}  {first['path']}: {first['message']}  {ready}".rstrip()
            )
    typer.echo(
        f"{counts.waiting} waiting, {counts.ready} repaired, {counts.replayed} replayed, {counts.discarded} discarded"
    )


@quarantine.command("show")
def show(item_id: ItemId, data_dir: DataDir = None) -> None:
    """One kept statement, names and all, with what is wrong and how to mend it."""
    with registry(data_dir) as (_, connection):
        _told(kept.item(connection, item_id))


def _told(one: Item) -> None:
    typer.echo(f"item       {one.item_id}\nprovider   {one.provider_id}, credential {one.credential}")
    typer.echo(f"came       {_when(one.received_at)} in request {one.request_id}, place {one.idx}, as {one.version}")
    typer.echo(f"status     {one.status}" + (f" {_when(one.decided_at)}" if one.decided_at else ""))
    if one.decided_by or one.reason:
        typer.echo(f"decided    by {one.decided_by or 'nobody yet'}: {one.reason}")
    for fault in one.faults:
        typer.echo(f"\n{fault['path']}: {fault['message']}\n  {fault['rule']} ({fault['section']})\n  {fault['fix']}")
    typer.echo("\n" + _pretty(one.statement))
    if one.repaired:
        typer.echo("\nrepaired:\n" + _pretty(one.repaired))


@quarantine.command("repair")
def repair_item(
    item_id: ItemId,
    file: Annotated[Path, typer.Argument(metavar="JSON", help="File with the repaired statement; - for the input.")],
    why: Why,
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Repair a kept statement by hand; ingest accepts it within seconds, under the id that was answered."""
    text = _read(file)
    with registry(data_dir) as (_, connection):
        found = kept.item(connection, item_id)
        _, faults = check_text(text, found.version)
        for fault in faults:
            typer.secho(f"{fault.path}: {fault.message}. {fault.fix}", fg="red", err=True)
        if faults:
            raise UsageFault("the repaired statement still breaks a rule; nothing was changed")
        kept.repair_item(connection, item_id, text, by or getpass.getuser(), why)
    typer.echo(f"{item_id}: repaired; ingest replays it")


@quarantine.command("replay")
def replay(item_id: ItemId, why: Why = "valid as it is", by: By = "", data_dir: DataDir = None) -> None:
    """Have a kept statement checked and accepted as it came: after a change of the rules here."""
    with registry(data_dir) as (_, connection):
        found = kept.item(connection, item_id)
        text = found.repaired or found.statement
        _, faults = check_text(text, found.version)
        if faults:
            raise UsageFault(f"it still breaks a rule: {faults[0].path}: {faults[0].message}. Repair it first")
        kept.repair_item(connection, item_id, text, by or getpass.getuser(), why)
    typer.echo(f"{item_id}: ingest replays it")


@quarantine.command("discard")
def discard(item_id: ItemId, why: Why, by: By = "", data_dir: DataDir = None) -> None:
    """Give a kept statement up; it stays in the list of those discarded, with the reason."""
    with registry(data_dir) as (_, connection):
        kept.discard(connection, item_id, by or getpass.getuser(), why, now_us())
    typer.echo(f"{item_id}: discarded")


@repair.command("add")
def add(
    provider_id: ProviderId,
    path: Annotated[str, typer.Argument(metavar="PATH", help="As $.object.id; * for any index or name.")],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="set, replace or remove.")],
    value: Annotated[str | None, typer.Option(help="JSON that set and replace put there, as '\"Activity\"'.")] = None,
    found: Annotated[
        str | None, typer.Option(help="Only where this JSON is found; a * in a string stands for any text.")
    ] = None,
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Add a rule: ingest applies it to what comes and to what waits; what is valid then is accepted."""
    try:
        rule(path, action, found, value)
    except RepairFaultError as error:
        raise UsageFault(str(error)) from None
    with registry(data_dir) as (_, connection):
        added = kept.add_rule(connection, provider_id, path, action, found, value, by or getpass.getuser(), now_us())
    typer.echo(f"{added}: {kept.in_words(path, action, found, value)}")


@repair.command("list")
def rules(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """Rules of a provider, and how many statements they helped to mend."""
    with registry(data_dir) as (_, connection):
        for row in kept.rules(connection, provider_id, disabled=True):
            state = "disabled" if row.disabled else f"mended {row.mended}"
            typer.echo(f"{row.repair_id}  {state:14} {kept.in_words(row.path, row.action, row.found, row.value)}")


@repair.command("disable")
def disable(
    repair_id: Annotated[str, typer.Argument(metavar="RULE", help="Id as listed.")],
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Apply a rule no longer; what it mended stays as it is."""
    with registry(data_dir) as (_, connection):
        kept.disable_rule(connection, repair_id, by or getpass.getuser(), now_us())
    typer.echo(f"{repair_id}: disabled")


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFault(f"{file}: {error}") from None


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _pretty(text: str) -> str:
    return msgspec.json.format(text.encode(), indent=2).decode()
