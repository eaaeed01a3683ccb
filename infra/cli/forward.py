"""``roundtrip forward``: the service; ``roundtrip admin forward``: where statements are sent on to."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.context import DataDir, UsageFault, load_settings, require_services
from infra.cli.registry import now_us, registry
from infra.runtime.settings import Settings

if TYPE_CHECKING:
    from ingest.forwarding.rules import Forward

app = typer.Typer(help="Other learning record stores that get a part of the stream.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Short name: a-z, 0-9 and -.")]


def register(commands: typer.Typer) -> None:
    """Add the service's command."""
    commands.command("forward")(forward)


def forward(data_dir: DataDir = None) -> None:
    """Run the service that sends statements on; start more of them for more throughput."""
    settings = load_settings(data_dir)
    require_services(settings)
    from ingest.forwarding.app import serve

    raise typer.Exit(serve(settings))


@app.command("add")
def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="The other LRS, without /statements.")],
    key: Annotated[str, typer.Option(help="User name at the other LRS.")],
    secret_variable: Annotated[str, typer.Option(help="Environment variable of the service that holds the secret.")],
    version: Annotated[str, typer.Option(help="Version of xAPI to speak: 1.0.3 or 2.0.0.")] = "1.0.3",
    provider: Annotated[list[str] | None, typer.Option(help="Only what this provider sent; may be repeated.")] = None,
    verb: Annotated[list[str] | None, typer.Option(help="Only this verb, by IRI or by ours; may be repeated.")] = None,
    activity: Annotated[list[str] | None, typer.Option(help="Only this object's id; may be repeated.")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Send all that the log still holds; else what comes from now on.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Send statements on to another LRS. The secret stays in the environment of the service, and is kept nowhere."""
    from ingest.forwarding import store
    from ingest.forwarding.rules import Filter, Forward

    if version not in ("1.0.3", "2.0.0"):
        raise UsageFault(f"--version {version} is not spoken: use 1.0.3 or 2.0.0")
    since = 0 if from_beginning else now_us()
    wanted = Filter(tuple(provider or ()), tuple(verb or ()), tuple(activity or ()), since)
    endpoint = url.rstrip("/").removesuffix("/statements")
    made = Forward(name, endpoint, key, secret_variable, version, wanted)
    with registry(data_dir) as (_, connection):
        store.add(connection, made, now_us())
    typer.echo(f"{name}: statements go to {endpoint} while `roundtrip forward` runs with {secret_variable} set")


@app.command("list")
def show(data_dir: DataDir = None) -> None:
    """Forwards: how far behind, how many dead letters, what they want."""
    from ingest.forwarding import store

    with registry(data_dir) as (settings, connection):
        forwards, failed = store.load(connection), store.failed(connection)
    for one in forwards:
        state = "disabled" if one.disabled else "active"
        behind, dead = _lag(settings, one), failed.get(one.name, 0)
        typer.echo(f"{one.name:24} {state:9} {behind:>18} {dead:6,} failed  {one.endpoint}")
        for what, values in (
            ("provider", one.filter.providers),
            ("verb", one.filter.verbs),
            ("activity", one.filter.activities),
        ):
            if values:
                typer.echo(f"{'':24} {what}: {', '.join(values)}")


@app.command("disable")
def disable(name: Name, data_dir: DataDir = None) -> None:
    """Send nothing more; what comes meanwhile is sent when it is enabled again, as far as the log reaches back."""
    _switch(data_dir, name, disabled=True)


@app.command("enable")
def enable(name: Name, data_dir: DataDir = None) -> None:
    """Go on where it was disabled."""
    _switch(data_dir, name, disabled=False)


@app.command("failures")
def failures(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Statements that the other LRS did not take, and what it said; oldest first."""
    from ingest.forwarding import store

    with registry(data_dir) as (_, connection):
        store.find(connection, name)
        found, count = store.failures(connection, name, limit), store.failed(connection).get(name, 0)
    for one in found:
        at = datetime.fromtimestamp(one.at / 1e6, UTC).isoformat(timespec="seconds")
        status = one.status or "no answer"
        typer.echo(f"{one.statement_id}  {at}  {one.attempts} tries  {status}  {' '.join(one.message.split())[:200]}")
    typer.echo(f"{count:,} failed" + (f", {len(found):,} shown" if len(found) < count else ""))


@app.command("retry")
def retry(
    name: Name,
    statement_id: Annotated[list[str] | None, typer.Option("--id", help="Only this one; may be repeated.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Send the failed ones once more; those that are taken leave the list. The exit code is 1 where some stay."""
    from infra.runtime.registry import open_registry
    from ingest.forwarding import retrying, store

    with registry(data_dir) as (settings, connection):
        chosen = store.find(connection, name)
        ids = [one.statement_id for one in store.failures(connection, name)]
    require_services(settings)
    if statement_id:
        wanted = {one.lower() for one in statement_id}
        ids = [one for one in ids if one in wanted]
    if (secret := os.environ.get(chosen.secret_variable)) is None:
        raise UsageFault(f"{chosen.secret_variable} is not set: it holds the secret of {name}")
    engine = open_registry(settings.registry_url())
    try:
        result = retrying.retry(settings, engine, chosen, secret, ids)
        retrying.keep(engine, name, result, now_us())
    finally:
        engine.dispose()
    for failure in result.failed:
        typer.echo(
            f"{failure.statement_id}  {failure.status or 'no answer'}  {' '.join(failure.message.split())[:200]}"
        )
    for missing in result.missing:
        typer.echo(f"{missing}  is not in the store (yet)")
    left = len(result.failed) + len(result.missing)
    typer.echo(f"{len(result.delivered):,} of {len(ids):,} delivered, {left:,} stay")
    raise typer.Exit(1 if left else 0)


def _switch(data_dir: DataDir, name: str, *, disabled: bool) -> None:
    from ingest.forwarding import store

    with registry(data_dir) as (_, connection):
        store.switch(connection, name, disabled=disabled)
    typer.echo(f"{name}: {'disabled' if disabled else 'enabled'}")


def _lag(settings: Settings, forward: Forward) -> str:
    """How many envelopes it is behind, in words; where Kafka does not answer, that."""
    from kafka.errors import KafkaError

    from infra.runtime import kafka
    from ingest.forwarding.rules import group

    if not settings.kafka.bootstrap_servers:
        return "no stack runs"
    try:
        behind = sum(
            one.lag for one in kafka.lag(settings.kafka, kafka.statements_topic(settings.kafka), group(forward.name))
        )
    except KafkaError:
        return "Kafka is away"
    return f"{behind:,} records behind"
