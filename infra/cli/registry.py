"""What commands that change the registry start from: one transaction, on a registry at the newest version."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from infra.cli.context import UsageFault, load_settings
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import Settings
from ingest.credentials import ProviderFaultError
from ingest.forwarding.store import ForwardFaultError
from ingest.identity.moving import IdentityFaultError
from schemas.registry import tables


@contextmanager
def registry(data_dir: Path | None) -> Iterator[tuple[Settings, Connection]]:
    """The settings, and a connection whose changes are kept when the block ends without a fault."""
    settings = load_settings(data_dir)
    url = settings.registry_url()
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = open_registry(url)
    migrate(engine)
    try:
        with engine.begin() as connection:
            yield settings, connection
    except (ProviderFaultError, IdentityFaultError, ForwardFaultError) as error:
        raise UsageFault(str(error)) from None
    finally:
        engine.dispose()


def require_credential(data_dir: Path | None, provider: str, key: str) -> None:
    """Raise UsageFault unless the key is a credential of the provider."""
    own = tables.provider_credentials.c
    with registry(data_dir) as (_, connection):
        found = connection.scalar(select(own.provider_id).where(own.key == key))
    if found is not None and found != provider:
        raise UsageFault(f"credential {key} is of provider {found}, not of {provider}")
    if found is None:
        raise UsageFault(
            f"there is no credential {key}: issue one with `roundtrip admin provider credential {provider}`"
        )


def now_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1000
