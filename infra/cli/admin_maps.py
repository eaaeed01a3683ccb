"""``roundtrip admin verb`` and ``roundtrip admin activity``: what a provider's own verbs and activities mean here."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from infra.cli.context import DataDir
from infra.cli.registry import now_us, registry
from infra.runtime import mappings

verb = typer.Typer(help="A provider's own verbs mean ours.", no_args_is_help=True)
activity = typer.Typer(help="A provider's activities are evidence of skills.", no_args_is_help=True)

ProviderId = Annotated[str, typer.Argument(metavar="PROVIDER", help="Id of the provider.")]
Iri = Annotated[str, typer.Argument(metavar="IRI", help="verb.id as the provider sends it.")]
Activity = Annotated[str, typer.Argument(metavar="IRI", help="Activity id as the provider sends it.")]
Skill = Annotated[str, typer.Argument(metavar="SKILL", help="Id of a skill of the catalogue.")]
By = Annotated[str, typer.Option("--by", help="Who decided it. [default: the user of this shell]", show_default=False)]


@verb.command("map")
def map_verb(
    provider_id: ProviderId,
    iri: Iri,
    means: Annotated[str, typer.Argument(metavar="VERB", help="Canonical verb that it means.")],
    by: By = "",
    data_dir: DataDir = None,
) -> None:
    """Map a verb, for statements accepted from now on."""
    with registry(data_dir) as (_, connection):
        mappings.map_verb(connection, provider_id, iri, means, by or getpass.getuser(), now_us())
    typer.echo(f"{provider_id}: {iri} means {means}")


@verb.command("list")
def list_verbs(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """A provider's mappings."""
    with registry(data_dir) as (_, connection):
        for iri, means in mappings.verbs_of(connection, provider_id):
            typer.echo(f"{means:16} {iri}")


@verb.command("unmap")
def unmap_verb(provider_id: ProviderId, iri: Iri, by: By = "", data_dir: DataDir = None) -> None:
    """Take a mapping back, for statements accepted from now on."""
    with registry(data_dir) as (_, connection):
        mappings.unmap_verb(connection, provider_id, iri, by or getpass.getuser(), now_us())
    typer.echo(f"{provider_id}: {iri} is no longer mapped")


@activity.command("align")
def align(provider_id: ProviderId, iri: Activity, skill: Skill, by: By = "", data_dir: DataDir = None) -> None:
    """Align an activity to a skill, for statements accepted from now on. Many at once: roundtrip admin align CSV."""
    with registry(data_dir) as (_, connection):
        new = mappings.align(connection, provider_id, iri, skill, by or getpass.getuser(), now_us())
    typer.echo(f"{provider_id}: {iri} {'is' if new else 'was already'} evidence of {skill}")


@activity.command("list")
def list_activities(provider_id: ProviderId, data_dir: DataDir = None) -> None:
    """A provider's own alignments."""
    with registry(data_dir) as (_, connection):
        for iri, skill in mappings.alignments_of(connection, provider_id):
            typer.echo(f"{skill:24} {iri}")


@activity.command("unalign")
def unalign(provider_id: ProviderId, iri: Activity, skill: Skill, by: By = "", data_dir: DataDir = None) -> None:
    """Take an alignment back, for statements accepted from now on."""
    with registry(data_dir) as (_, connection):
        mappings.unalign(connection, provider_id, iri, skill, by or getpass.getuser(), now_us())
    typer.echo(f"{provider_id}: {iri} is no longer evidence of {skill}")
