"""Commands that run one service in the foreground: ingest, worker, pages; and the migrations they need."""

from __future__ import annotations

import typer

from infra.cli.context import DataDir, load_settings, require_services


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    app.command("worker")(worker)
    app.command("pages")(pages)
    app.command("migrate")(migrate)


def ingest(data_dir: DataDir = None) -> None:
    """Run the learning record store that providers post to."""
    settings = load_settings(data_dir)
    require_services(settings)
    from ingest.app import serve

    raise typer.Exit(serve(settings))


def worker(data_dir: DataDir = None) -> None:
    """Run a worker; start more of them for more throughput, up to the number of partitions."""
    settings = load_settings(data_dir)
    require_services(settings)
    from streams.app import serve

    raise typer.Exit(serve(settings))


def pages(data_dir: DataDir = None) -> None:
    """Run the pages."""
    settings = load_settings(data_dir)
    require_services(settings)
    from dashboards.server import serve

    raise typer.Exit(serve(settings))


def migrate(data_dir: DataDir = None) -> None:
    """Create or bring up to date: topics, ClickHouse tables, registry tables."""
    settings = load_settings(data_dir)
    require_services(settings)
    from infra.runtime import clickhouse, kafka, registry

    kafka.create_topics(settings.kafka)
    typer.echo(f"topics: there, {settings.kafka.partitions} partitions of {kafka.statements_topic(settings.kafka)}")
    typer.echo(f"ClickHouse: version {clickhouse.migrate(settings.clickhouse)}")
    engine = registry.open_registry(settings.registry_url())
    registry.migrate(engine)
    typer.echo("registry: at the newest version")
