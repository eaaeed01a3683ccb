"""``roundtrip admin``: providers, their credentials, verbs, skills and alignments; identities of students."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from infra.cli import (
    admin_credentials,
    admin_identity,
    admin_maps,
    admin_providers,
    admin_quarantine,
    admin_tokens,
    forward,
)
from infra.cli.context import DataDir, UsageFault
from infra.cli.registry import registry
from schemas.registry import tables

app = typer.Typer(help="Providers, credentials, quarantine, verbs, alignments, identities.", no_args_is_help=True)
app.add_typer(admin_providers.app, name="provider")
app.add_typer(admin_credentials.app, name="credential")
app.add_typer(admin_tokens.issuer, name="issuer")
app.add_typer(admin_tokens.client, name="client")
app.add_typer(admin_identity.app, name="identity")
app.add_typer(admin_maps.verb, name="verb")
app.add_typer(admin_maps.activity, name="activity")
app.add_typer(admin_quarantine.quarantine, name="quarantine")
app.add_typer(admin_quarantine.repair, name="repair")
app.add_typer(forward.app, name="forward")


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
