"""Providers and their credentials in the registry: what the admin command writes and authentication reads."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.low_level import Type
from sqlalchemy import Connection, insert, or_, select, update

from schemas.registry import tables

# Secrets are 256 random bits, not words: what argon2id adds is that a stolen registry cannot be searched at all.
# OWASP's lesser setting (19 MiB, 2 passes) keeps a first check at some 20 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)

_PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]|[a-z0-9]").fullmatch


class ProviderFaultError(ValueError):
    """A provider or credential that cannot be added or found, in words for the operator."""


class Issued(NamedTuple):
    """A new credential; the secret is shown once and kept nowhere."""

    key: str
    secret: str


SCOPES = frozenset(
    {
        *("statements/write", "statements/read/mine", "statements/read", "state", "profile", "define"),
        *("all/read", "all"),
    }
)
"""What a credential may do (xAPI 1.0.3 part 3, 4.2)."""

DEFAULT_SCOPES = frozenset({"statements/write", "statements/read/mine", "state", "profile"})


class Credential(NamedTuple):
    """What authentication knows of a credential.

    Attributes:
        disabled: it, or its provider.
        scopes: what it may do (SCOPES).
        sandbox: what it sends reaches no student, and it reads only what it sent.
        expires_at: µs since the epoch from which on it is no longer accepted; None: never.
        quarantine: its provider's statements that break a rule are kept aside instead of refused.
        rate_per_second: statements of its provider, averaged; None: the setting's.
        daily_quota: statements of its provider a day (UTC); None: no quota.
    """

    key: str
    provider_id: str
    secret_hash: str
    disabled: bool
    scopes: frozenset[str] = DEFAULT_SCOPES
    sandbox: bool = False
    expires_at: int | None = None
    quarantine: bool = False
    rate_per_second: int | None = None
    daily_quota: int | None = None


def add_provider(connection: Connection, provider_id: str, name: str, now: int) -> None:
    """Add a provider; ``now`` in µs. Raises ProviderFaultError for a malformed or taken id."""
    if not _PROVIDER_ID(provider_id):
        raise ProviderFaultError(f"{provider_id!r} is no provider id: use up to 64 of a-z, 0-9 and -")
    taken = select(tables.providers.c.provider_id).where(tables.providers.c.provider_id == provider_id)
    if connection.execute(taken).first():
        raise ProviderFaultError(f"provider {provider_id} exists already")
    connection.execute(insert(tables.providers).values(provider_id=provider_id, name=name, created_at=now))


def issue_credential(connection: Connection, provider_id: str, now: int, *, key: str = "", secret: str = "") -> Issued:
    """Issue a credential with a random key and secret where none are given; ``now`` in µs."""
    known = select(tables.providers.c.provider_id).where(tables.providers.c.provider_id == provider_id)
    if not connection.execute(known).first():
        raise ProviderFaultError(f"there is no provider {provider_id}: add it first")
    issued = Issued(key or f"{provider_id[:40]}-{secrets.token_hex(6)}", secret or secrets.token_urlsafe(32))
    if ":" in issued.key:
        raise ProviderFaultError("a key has no colon: HTTP Basic ends the user name there")
    connection.execute(
        insert(tables.provider_credentials).values(
            key=issued.key, provider_id=provider_id, secret_hash=HASHER.hash(issued.secret), created_at=now
        )
    )
    return issued


def disable(connection: Connection, *, key: str = "", provider_id: str = "", disabled: bool = True) -> None:
    """Disable (or enable again) one credential, or a provider with all of its credentials."""
    for table, column, value in (
        (tables.provider_credentials, tables.provider_credentials.c.key, key),
        (tables.providers, tables.providers.c.provider_id, provider_id),
    ):
        if value and not connection.execute(update(table).where(column == value).values(disabled=disabled)).rowcount:
            raise ProviderFaultError(f"there is no {'credential' if value == key else 'provider'} {value}")


def load(connection: Connection, key: str | None = None) -> dict[str, Credential]:
    """Credentials by key: all, or the one asked for."""
    own, provider = tables.provider_credentials.c, tables.providers.c
    query = select(
        own.key,
        own.provider_id,
        own.secret_hash,
        or_(own.disabled, provider.disabled).label("disabled"),
        own.scopes,
        own.sandbox,
        own.expires_at,
        (provider.mode == "quarantine").label("quarantine"),
        provider.rate_per_second,
        provider.daily_quota,
    ).join_from(tables.provider_credentials, tables.providers)
    if key is not None:
        query = query.where(own.key == key)
    return {
        row.key: Credential(
            row.key,
            row.provider_id,
            row.secret_hash,
            bool(row.disabled),
            frozenset(row.scopes.split()),
            bool(row.sandbox),
            row.expires_at,
            bool(row.quarantine),
            row.rate_per_second,
            row.daily_quota,
        )
        for row in connection.execute(query)
    }
