"""Accounts of simulated and replayed providers: registered once, their secrets kept in the data directory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Engine, select

from ingest.credentials import add_provider, issue_credential
from schemas.registry.tables import provider_credentials, providers

_FILE: Final = "provider-secrets.json"


class Account(msgspec.Struct, frozen=True):
    """A credential for HTTP Basic authentication."""

    key: str
    secret: str


def account(engine: Engine, data_dir: Path, provider_id: str, name: str) -> Account:
    """The provider's account: the one kept from before while it is valid, else a new one."""
    path = data_dir / _FILE
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, Account]) if path.exists() else {}
    with engine.begin() as connection:
        if provider_id in kept and connection.scalar(
            select(provider_credentials.c.key).where(
                provider_credentials.c.key == kept[provider_id].key, ~provider_credentials.c.disabled
            )
        ):
            return kept[provider_id]
        now = time.time_ns() // 1000
        if not connection.scalar(select(providers.c.provider_id).where(providers.c.provider_id == provider_id)):
            add_provider(connection, provider_id, name, now)
        kept[provider_id] = Account(*issue_credential(connection, provider_id, now))
        # Written before the transaction ends: a secret in the file that the registry does not know is replaced by
        # the next start, one that only the registry knows would be of no use.
        _write_private(path, msgspec.json.encode(kept))
    return kept[provider_id]


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(0o600, exist_ok=False)
    new.write_bytes(content)
    new.replace(path)
