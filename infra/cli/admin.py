"""``roundtrip admin``: providers, their credentials, verbs, skills and alignments; identities of students."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from infra.cli import admin_identity, admin_maps, admin_quarantine, forward
from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import now_us, registry
from infra.runtime.settings import Settings
from ingest import credentials
from schemas.registry import tables

app = typer.Typer(help="Providers, credentials, quarantine, verbs, alignments, identities.", no_args_is_help=True)
provider = typer.Typer(help="Content providers and their credentials.", no_args_is_help=True)
app.add_typer(provider, name="provider")
app.add_typer(admin_identity.app, name="identity")
app.add_typer(admin_maps.verb, name="verb")
app.add_typer(admin_maps.activity, name="activity")
app.add_typer(admin_quarantine.quarantine, name="quarantine")
app.add_typer(admin_quarantine.repair, name="repair")
app.add_typer(forward.app, name="forward")

ProviderId = Annotated[str, typer.Argument(metavar="PROVIDER", help="Short id: a-z, 0-9 and -.")]


@provider.command("add")
def provider_add(
    provider_id: ProviderId,
    name: Annotated[str, typer.Option(help="Name shown on pages. [default: the id]", show_default=False)] = "",
    data_dir: DataDir = None,
) -> None:
    """Add a provider and issue its first credential; the secret is shown once."""
    with registry(data_dir) as (settings, connection):
        credentials.add_provider(connection, provider_id, name or provider_id, now_us())
        issued = credentials.issue_credential(connection, provider_id, now_us())
    _show(settings, provider_id, issued)


@provider.command("credential")
def provider_credential(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """Issue another credential for a provider: both work until the old one is disabled."""
    with registry(data_dir) as (settings, connection):
        issued = credentials.issue_credential(connection, provider_id, now_us())
    _show(settings, provider_id, issued)


def _show(settings: Settings, provider_id: str, issued: credentials.Issued) -> None:
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


@provider.command("list")
def provider_list(data_dir: DataDir = None) -> None:
    """Providers and the keys of their credentials."""
    own, keys = tables.providers.c, tables.provider_credentials.c
    query = (
        select(own.provider_id, own.name, own.disabled, keys.key, keys.disabled.label("key_disabled"))
        .join_from(tables.providers, tables.provider_credentials, isouter=True)
        .order_by(own.provider_id, keys.created_at)
    )
    with registry(data_dir) as (_, connection):
        for row in connection.execute(query):
            state = "disabled" if row.disabled else "key disabled" if row.key_disabled else "active"
            typer.echo(f"{row.provider_id:24} {row.key or '(no credential)':40} {state:14} {row.name}")


@provider.command("disable")
def provider_disable(
    provider_id: ProviderId,
    key: Annotated[str, typer.Option(help="Only this credential.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Accept nothing more from a provider, or by one of its credentials."""
    _switch(data_dir, provider_id, key, disabled=True)


@provider.command("enable")
def provider_enable(
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
        credentials.disable(connection, key=key, provider_id="" if key else provider_id, disabled=disabled)
    typer.echo(f"{key or provider_id}: {'disabled' if disabled else 'enabled'}")


@app.command("skills")
def skills(
    path: Annotated[Path, typer.Argument(metavar="CSV", help="Columns: skill_id,name,domain,subject,grade.")],
    data_dir: DataDir = None,
) -> None:
    """Add skills to the catalogue, or change them; rows that are wrong are named one by one, the others are kept."""
    good: list[dict[str, object]] = []
    bad: list[str] = []
    for line, row in _rows(path, ("skill_id", "name", "domain", "subject", "grade")):
        if not row["skill_id"] or not row["name"]:
            bad.append(f"line {line}: skill_id and name must not be empty")
        elif row["grade"] and not row["grade"].isdecimal():
            bad.append(f"line {line}: grade {row['grade']!r} is no number")
        else:
            good.append({**row, "grade": int(row["grade"]) if row["grade"] else None})
    table = tables.skills
    with registry(data_dir) as (_, connection):
        known = set(connection.scalars(select(table.c.skill_id)))
        for skill in good:
            if skill["skill_id"] in known:
                connection.execute(table.update().where(table.c.skill_id == skill["skill_id"]).values(skill))
            else:
                connection.execute(table.insert().values(skill))
                known.add(str(skill["skill_id"]))
    _told("skills", len(good), bad)


@app.command("align")
def align(
    path: Annotated[
        Path, typer.Argument(metavar="CSV", help="Columns: activity_id,skill_id,provider_id (empty: of any provider).")
    ],
    data_dir: DataDir = None,
) -> None:
    """Align activities to skills; rows that are wrong are named one by one, the others are kept."""
    good: list[dict[str, str]] = []
    bad: list[str] = []
    table = tables.alignments
    with registry(data_dir) as (_, connection):
        known = set(connection.scalars(select(tables.skills.c.skill_id)))
        there = {
            tuple(row) for row in connection.execute(select(table.c.provider_id, table.c.activity_id, table.c.skill_id))
        }
        for line, row in _rows(path, ("activity_id", "skill_id", "provider_id")):
            place = row["provider_id"], row["activity_id"], row["skill_id"]
            if row["skill_id"] not in known:
                bad.append(f"line {line}: skill {row['skill_id']!r} is not in the catalogue")
            elif ":" not in row["activity_id"]:
                bad.append(f"line {line}: activity_id {row['activity_id']!r} is no IRI")
            else:
                good.append(row)
                if place not in there:
                    connection.execute(table.insert().values(row))
                    there.add(place)
    _told("alignments", len(good), bad)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        file = path.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise UsageFault(f"{path}: {error.strerror}") from None
    with file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise UsageFault(f"{path}: no column {', '.join(missing)}; the first line must name {', '.join(columns)}")
        for row in reader:
            yield reader.line_num, {column: (row[column] or "").strip() for column in columns}


def _told(what: str, kept: int, bad: list[str]) -> None:
    for line in bad:
        typer.secho(line, fg="red", err=True)
    typer.echo(f"{what}: {kept} kept, {len(bad)} refused")
    if bad:
        raise typer.Exit(1)
