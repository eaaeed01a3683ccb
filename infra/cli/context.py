"""What every command starts from: the settings, those of a stack that runs on this machine included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from infra.runtime.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the local stack keeps its state. [default: .roundtrip]", show_default=False),
]


class UsageFault(Exception):
    """A fault of the command line or of the settings, in words for the user."""


def load_settings(data_dir: Path | None = None, *, local_stack: bool = True) -> Settings:
    """The settings of the environment; raises UsageFault that names the variable and what is wrong with it.

    With ``local_stack``, what the environment leaves open comes from the stack that runs on ``data_dir``, so that a
    command typed beside it finds its broker, store and registry.
    """
    if data_dir is not None:
        os.environ["ROUNDTRIP_DATA_DIR"] = str(data_dir)
    settings = _read()
    if local_stack and not settings.kafka.bootstrap_servers:
        for name, value in running_stack(settings.data_dir).items():
            os.environ.setdefault(name, value)
        settings = _read()
    return settings


def running_stack(data_dir: Path) -> dict[str, str]:
    """Environment of the stack that runs on a data directory; empty when none does."""
    from infra.dev.stack import read_environment

    return read_environment(data_dir)


def _read() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"ROUNDTRIP_{'__'.join(str(part).upper() for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise UsageFault("settings: " + "; ".join(lines)) from None


def require_services(settings: Settings) -> None:
    """Raises UsageFault where the broker or the store is not known."""
    missing = [
        name
        for name, value in (
            ("ROUNDTRIP_KAFKA__BOOTSTRAP_SERVERS", settings.kafka.bootstrap_servers),
            ("ROUNDTRIP_CLICKHOUSE__HOST", settings.clickhouse.host),
        )
        if not value
    ]
    if missing:
        raise UsageFault(
            f"{' and '.join(missing)} not set and no stack runs on {settings.data_dir}: "
            "start one with `roundtrip demo` or `roundtrip up`, or set them"
        )
