"""``roundtrip admin provider``: who may send statements, how much, and what becomes of faulty ones."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from infra.cli.admin_credentials import listed, moment, told
from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import now_us, registry
from infra.runtime import providers
from ingest import credentials
from schemas.registry import tables

app = typer.Typer(help="Content providers.", no_args_is_help=True)

ProviderId = Annotated[str, typer.Argument(metavar="PROVIDER", help="Short id: a-z, 0-9 and -.")]
By = Annotated[str, typer.Option("--by", help="Who decided it. [default: the user of this shell]", show_default=False)]


@app.command("add")
def add(
    provider_id: ProviderId,
    name: Annotated[str, typer.Option(help="Name shown on pages. [default: the id]", show_default=False)] = "",
    data_dir: DataDir = None,
) -> None:
    """Add a provider and issue its first credential; the secret is shown once."""
    with registry(data_dir) as (settings, connection):
        providers.add_provider(connection, provider_id, name or provider_id, now_us())
        issued = providers.issue_credential(connection, provider_id, now_us())
        what = f"provider added, credential {issued.key} issued"
        providers.note_change(connection, provider_id, now_us(), getpass.getuser(), what)
    told(settings, provider_id, issued)


@app.command("credential")
def credential(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """Issue another credential for a provider, as `roundtrip admin credential issue` does."""
    with registry(data_dir) as (settings, connection):
        issued = providers.issue_credential(connection, provider_id, now_us())
        what = f"credential {issued.key} issued"
        providers.note_change(connection, provider_id, now_us(), getpass.getuser(), what)
    told(settings, provider_id, issued)


@app.command("list")
def list_(data_dir: DataDir = None) -> None:
    """Providers and the keys of their credentials."""
    own, keys = tables.providers.c, tables.provider_credentials.c
    query = (
        select(
            own.provider_id,
            own.name,
            own.disabled,
            own.mode,
            keys.key,
            keys.disabled.label("key_disabled"),
            keys.expires_at,
            keys.sandbox,
        )
        .join_from(tables.providers, tables.provider_credentials, isouter=True)
        .order_by(own.provider_id, keys.created_at)
    )
    now = now_us()
    with registry(data_dir) as (_, connection):
        for row in connection.execute(query):
            state = "active"
            if row.disabled:
                state = "disabled"
            elif row.key_disabled:
                state = "key disabled"
            elif row.expires_at is not None and row.expires_at <= now:
                state = "key expired"
            notes = [
                row.name,
                *(["quarantine"] if row.mode == "quarantine" else ()),
                *(["sandbox"] * bool(row.sandbox)),
            ]
            typer.echo(f"{row.provider_id:24} {row.key or '(no credential)':40} {state:14} {', '.join(notes)}")


@app.command("show")
def show(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """A provider with its mode, limits, credentials and clients."""
    own, clients = tables.providers, tables.token_clients
    with registry(data_dir) as (settings, connection):
        row = connection.execute(select(own).where(own.c.provider_id == provider_id)).first()
        if row is None:
            raise UsageFault(f"there is no provider {provider_id}: add it first")
        rate = settings.ingest.rate_limit_per_second
        default = f"{rate:g} a second (the setting's)" if rate else "none"
        typer.echo(f"provider     {row.provider_id}\nname         {row.name}")
        typer.echo(f"state        {'disabled' if row.disabled else 'active'} since {moment(row.created_at)}")
        typer.echo(f"mode         {row.mode}")
        typer.echo(f"rate         {f'{row.rate_per_second} a second' if row.rate_per_second else default}")
        typer.echo(f"quota        {f'{row.daily_quota} a day' if row.daily_quota else 'none'}")
        typer.echo("credentials")
        for line in listed(connection, provider_id):
            typer.echo(f"  {line}")
        for client in connection.execute(select(clients).where(clients.c.provider_id == provider_id)):
            state = "disabled" if client.disabled else "active"
            typer.echo(f"  token client {client.client_id} of {client.issuer}  {state}  {client.scopes}")


@app.command("mode")
def mode(
    provider_id: ProviderId,
    what: Annotated[
        str, typer.Argument(metavar="strict|quarantine", help="Refuse what breaks a rule, or keep it aside.")
    ],
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """What becomes of statements that break a rule: refused, or kept aside until somebody decides."""
    with registry(data_dir) as (_, connection):
        providers.set_mode(connection, provider_id, what)
        providers.note_change(connection, provider_id, now_us(), by or getpass.getuser(), f"mode {what}")
    typer.echo(f"{provider_id}: {what}")


@app.command("limits")
def limits(
    provider_id: ProviderId,
    rate: Annotated[
        int | None, typer.Option(help="Statements a second, averaged, in each ingest process. 0: the setting's.", min=0)
    ] = None,
    quota: Annotated[int | None, typer.Option(help="Statements a day of UTC. 0: no quota.", min=0)] = None,
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """How much a provider may send; what is not named stays as it is."""
    if rate is None and quota is None:
        raise UsageFault("name --rate, --quota or both")
    own = tables.providers.c
    with registry(data_dir) as (_, connection):
        providers.require(connection, provider_id)
        was = connection.execute(
            select(own.rate_per_second, own.daily_quota).where(own.provider_id == provider_id)
        ).one()
        wanted = (was[0] if rate is None else rate or None, was[1] if quota is None else quota or None)
        providers.set_limits(connection, provider_id, *wanted)
        words = f"rate {wanted[0] or 'of the setting'}, quota {wanted[1] or 'none'}"
        providers.note_change(connection, provider_id, now_us(), by or getpass.getuser(), words)
    typer.echo(f"{provider_id}: {words}")


@app.command("disable")
def disable(
    provider_id: ProviderId,
    key: Annotated[str, typer.Option(help="Only this credential.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Accept nothing more from a provider, or by one of its credentials."""
    _switch(data_dir, provider_id, key, disabled=True)


@app.command("enable")
def enable(
    provider_id: ProviderId,
    key: Annotated[str, typer.Option(help="Only this credential.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Accept a provider, or one of its credentials, again."""
    _switch(data_dir, provider_id, key, disabled=False)


def _switch(data_dir: Path | None, provider_id: str, key: str, *, disabled: bool) -> None:
    with registry(data_dir) as (_, connection):
        if key and (found := credentials.load(connection, key).get(key)) and found.provider_id != provider_id:
            raise UsageFault(f"credential {key} is not of provider {provider_id}")
        providers.disable(connection, key=key, provider_id="" if key else provider_id, disabled=disabled)
        what = f"{f'credential {key}' if key else 'provider'} {'disabled' if disabled else 'enabled'}"
        providers.note_change(connection, provider_id, now_us(), getpass.getuser(), what)
    typer.echo(f"{key or provider_id}: {'disabled' if disabled else 'enabled'}")
