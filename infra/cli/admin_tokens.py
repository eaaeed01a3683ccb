"""``roundtrip admin issuer`` and ``roundtrip admin client``: whose bearer tokens are accepted, and for whom."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from sqlalchemy import Connection, select

from infra.cli.admin_credentials import USUAL, named
from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import now_us, registry
from infra.runtime import providers
from ingest import issuers
from ingest.issuers import Issuer
from schemas.registry.tables import token_clients, token_issuers

issuer = typer.Typer(help="Authorization servers (OAuth 2) whose tokens are accepted.", no_args_is_help=True)
client = typer.Typer(help="Clients of authorization servers: providers that send tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ISSUER", help="iss of its tokens, to the letter.")]
ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="client_id, azp or sub of its tokens.")]

_NEAR = frozenset({"localhost", "127.0.0.1", "::1"})


@issuer.command("add")
def add_issuer(
    name: Name,
    audience: Annotated[str, typer.Option(help="aud that its tokens must name: what it calls this store.")],
    jwks_url: Annotated[str, typer.Option(help="Where it publishes its keys (a JWK set).")] = "",
    jwks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with its keys, where it has no such URL.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Accept tokens of an issuer, from clients that are added next."""
    if bool(jwks_url) == bool(jwks):
        raise UsageFault("name either --jwks-url or --jwks")
    if jwks_url:
        parts = urlsplit(jwks_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _NEAR):
            raise UsageFault(f"{jwks_url} is no https address: who can change keys on their way can sign tokens")
    keys = _keys(jwks) if jwks else None
    with registry(data_dir) as (_, connection):
        issuers.add_issuer(connection, Issuer(name, audience, jwks_url or None, keys), now_us())
    typer.echo(f"{name}: its tokens for {audience} are accepted. Add its clients: roundtrip admin client add")


@issuer.command("list")
def list_issuers(data_dir: DataDir = None) -> None:
    """Issuers, and where their keys come from."""
    with registry(data_dir) as (_, connection):
        for row in connection.execute(select(token_issuers).order_by(token_issuers.c.issuer)):
            typer.echo(f"{row.issuer:48} for {row.audience}, keys {row.jwks_url or 'kept here'}")


@issuer.command("remove")
def remove_issuer(name: Name, data_dir: DataDir = None) -> None:
    """Accept no token of an issuer any more; its clients go with it."""
    with registry(data_dir) as (_, connection):
        for client_id in connection.scalars(select(token_clients.c.client_id).where(token_clients.c.issuer == name)):
            _noted(connection, name, client_id, "removed with its issuer")
        clients = issuers.remove_issuer(connection, name)
    typer.echo(f"{name}: removed, with {clients} {'client' if clients == 1 else 'clients'}")


@client.command("add")
def add_client(
    name: Name,
    client_id: ClientId,
    provider_id: Annotated[str, typer.Argument(metavar="PROVIDER", help="Whom its tokens speak for.")],
    scopes: Annotated[
        str, typer.Option(help="Most that its tokens may do, whatever they claim, with commas between.")
    ] = USUAL,
    data_dir: DataDir = None,
) -> None:
    """Let the tokens of a client speak for a provider."""
    with registry(data_dir) as (_, connection):
        issuers.add_client(connection, name, client_id, provider_id, named(scopes), now_us())
        _noted(connection, name, client_id, "added")
    typer.echo(f"{client_id} of {name} speaks for {provider_id}")


@client.command("list")
def list_clients(data_dir: DataDir = None) -> None:
    """Clients, for whom they speak, and what they may do at most."""
    own = token_clients.c
    with registry(data_dir) as (_, connection):
        for row in connection.execute(select(token_clients).order_by(own.issuer, own.client_id)):
            state = "disabled" if row.disabled else "active"
            typer.echo(f"{row.issuer:48} {row.client_id:24} {row.provider_id:24} {state:9} {row.scopes}")


@client.command("disable")
def disable_client(name: Name, client_id: ClientId, data_dir: DataDir = None) -> None:
    """Accept no token of a client for now."""
    with registry(data_dir) as (_, connection):
        issuers.switch_client(connection, name, client_id, disabled=True)
        _noted(connection, name, client_id, "disabled")
    typer.echo(f"{client_id}: disabled")


@client.command("enable")
def enable_client(name: Name, client_id: ClientId, data_dir: DataDir = None) -> None:
    """Accept tokens of a client again."""
    with registry(data_dir) as (_, connection):
        issuers.switch_client(connection, name, client_id, disabled=False)
        _noted(connection, name, client_id, "enabled")
    typer.echo(f"{client_id}: enabled")


@client.command("remove")
def remove_client(name: Name, client_id: ClientId, data_dir: DataDir = None) -> None:
    """Forget a client."""
    with registry(data_dir) as (_, connection):
        _noted(connection, name, client_id, "removed")
        issuers.remove_client(connection, name, client_id)
    typer.echo(f"{client_id}: removed")


def _noted(connection: Connection, name: str, client_id: str, what: str) -> None:
    """Write down, for the provider that the client speaks for, what was changed."""
    own = token_clients.c
    query = select(own.provider_id).where(own.issuer == name, own.client_id == client_id)
    if (provider_id := connection.scalar(query)) is not None:
        words = f"token client {client_id} of {name} {what}"
        providers.note_change(connection, provider_id, now_us(), getpass.getuser(), words)


def _keys(path: Path) -> str:
    from ingest.auth_tokens import keys_of

    try:
        text = path.read_text(encoding="utf-8")
        keys_of(text)
    except OSError as error:
        raise UsageFault(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageFault(f"{path}: {error}") from None
    return text
