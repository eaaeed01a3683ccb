"""``roundtrip admin credential``: keys and secrets of providers, what each may do, and how long."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from sqlalchemy import Connection, select

from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import now_us, registry
from infra.runtime import providers
from infra.runtime.providers import DEFAULT_SCOPES, Issued
from infra.runtime.settings import Settings
from schemas.registry.tables import provider_credentials

app = typer.Typer(help="Credentials of providers.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="Key of the credential, as list shows it.")]
By = Annotated[str, typer.Option("--by", help="Who decided it. [default: the user of this shell]", show_default=False)]
Scopes = Annotated[str, typer.Option(help="What it may do (scopes of xAPI), with commas between.")]

USUAL: Final = ",".join(sorted(DEFAULT_SCOPES))
_DATE = "%Y-%m-%d %H:%M:%S UTC"


@app.command("issue")
def issue(
    provider_id: Annotated[str, typer.Argument(metavar="PROVIDER", help="Whose it is.")],
    scopes: Scopes = USUAL,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="For trying out: what it sends reaches no student's record.")
    ] = False,
    label: Annotated[str, typer.Option(help="What it is for, in words.")] = "",
    expires: Annotated[
        str, typer.Option(metavar="DATE|DAYSd", help="No longer accepted from then on: 2027-06-30 (UTC), or 90d.")
    ] = "",
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Issue a credential; the secret is shown once."""
    now = now_us()
    ends = _moment(expires, now) if expires else None
    with registry(data_dir) as (settings, connection):
        issued = providers.issue_credential(
            connection, provider_id, now, scopes=named(scopes), sandbox=sandbox, label=label, expires_at=ends
        )
        providers.note_change(connection, provider_id, now, by or getpass.getuser(), f"credential {issued.key} issued")
    told(settings, provider_id, issued)


@app.command("rotate")
def rotate(
    key: Key,
    overlap: Annotated[float, typer.Option(metavar="HOURS", help="So long the old one works too.", min=0.0)] = 24.0,
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Issue a credential that may do what this one may; both work for some hours, then the new one alone."""
    now = now_us()
    with registry(data_dir) as (settings, connection):
        issued = providers.rotate_credential(connection, key, now, int(overlap * 3_600_000_000))
        own = provider_credentials.c
        provider_id, ends = connection.execute(select(own.provider_id, own.expires_at).where(own.key == key)).one()
        what = f"credential {key} rotated to {issued.key}, ends {moment(ends)}"
        providers.note_change(connection, provider_id, now, by or getpass.getuser(), what)
    typer.echo(f"{key} is accepted until {moment(ends)}; in its place:\n")
    told(settings, provider_id, issued)


@app.command("revoke")
def revoke(key: Key, by: By = "", data_dir: DataDir = None) -> None:
    """Accept a credential no more; every ingest process knows within seconds."""
    with registry(data_dir) as (_, connection):
        providers.disable(connection, key=key)
        provider_id = connection.scalar(
            select(provider_credentials.c.provider_id).where(provider_credentials.c.key == key)
        )
        providers.note_change(
            connection, str(provider_id), now_us(), by or getpass.getuser(), f"credential {key} disabled"
        )
    typer.echo(f"{key}: revoked. Processes of ingest know it within seconds.")


@app.command("list")
def list_(
    provider_id: Annotated[str, typer.Argument(metavar="[PROVIDER]", help="Of this provider; else all.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Credentials: state, end, scopes, label. Secrets are kept nowhere."""
    with registry(data_dir) as (_, connection):
        if provider_id:
            providers.require(connection, provider_id)
        for line in listed(connection, provider_id):
            typer.echo(line)


def listed(connection: Connection, provider_id: str) -> Iterator[str]:
    """A line for each credential, of one provider or (empty) of all."""
    own, now = provider_credentials.c, now_us()
    query = select(provider_credentials).order_by(own.provider_id, own.created_at)
    for row in connection.execute(query.where(own.provider_id == provider_id) if provider_id else query):
        if row.disabled:
            state = "revoked"
        elif row.expires_at is None:
            state = "active"
        else:
            state = f"{'expired' if row.expires_at <= now else 'until'} {moment(row.expires_at)}"
        more = [row.scopes, *(["sandbox"] * bool(row.sandbox)), *([row.label] if row.label else ())]
        whose = "" if provider_id else f"{row.provider_id:24} "
        yield f"{whose}{row.key:40} {state:31} {', '.join(more)}"


def told(settings: Settings, provider_id: str, issued: Issued) -> None:
    """Show a new credential, this once, and how to try it."""
    address = f"http://{settings.ingest.host}:{settings.ingest.port}/xapi"
    typer.echo(f"provider  {provider_id}\nendpoint  {address}\nkey       {issued.key}\nsecret    {issued.secret}")
    typer.echo("The secret is shown this once. Try it:\n")
    typer.echo(
        f"curl -u '{issued.key}:{issued.secret}' -H 'X-Experience-API-Version: 2.0.0' \\\n"
        f"  -H 'Content-Type: application/json' {address}/statements -d '{{\n"
        '  "actor": {"mbox": "mailto:student@example.org"},\n'
        '  "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},\n'
        '  "object": {"id": "https://example.org/items/1"},\n'
        '  "result": {"success": true, "duration": "PT20S"}\n'
        "}'"
    )


def named(scopes: str) -> frozenset[str]:
    """Scopes of an option: with commas or spaces between."""
    return frozenset(scopes.replace(",", " ").split())


def moment(at_us: int) -> str:
    """A time in words."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime(_DATE)


def _moment(text: str, now: int) -> int:
    """µs since the epoch of a day (its beginning, UTC), a time, or a number of days from now."""
    try:
        if text.endswith("d"):
            at = datetime.fromtimestamp(now / 1e6, UTC) + timedelta(days=float(text[:-1]))
        else:
            at = datetime.fromisoformat(text)
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageFault(f"{text!r} is no date and no number of days: use 2027-06-30 or 90d") from None
    found = int(at.timestamp() * 1e6)
    if found <= now:
        raise UsageFault(f"{text} is not to come: the credential would never be accepted")
    return found
