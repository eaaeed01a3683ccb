"""``roundtrip replay``: real data sets, posted over HTTP as a provider would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.context import DataDir, load_settings, require_services

app = typer.Typer(help="Post a real data set over HTTP, as a provider.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the group a group while it has one command."""


@app.command("assistments")
def assistments(
    data: Annotated[Path, typer.Option(help="Folder with train.tsv, test.tsv and q_mat.npz.")],
    split: Annotated[str, typer.Option(help="Which file of responses: train or test.")] = "test",
    rate: Annotated[float, typer.Option(min=0, help="Statements a second; 0: as fast as they are taken.")] = 0.0,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Connections; a student keeps to one.")] = 4,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Statements in a request.")] = 100,
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many responses; 0: all.")] = 0,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the store with the file afterwards.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Replay the responses of ASSISTments 2009-2010: skills and alignments first, then each student in order."""
    from infra.dev.replay.replay import Options, run

    settings = load_settings(data_dir)
    require_services(settings)
    options = Options(data, split, rate=rate, connections=connections, batch=batch, limit=limit, verify=verify)
    raise typer.Exit(run(settings, options))
