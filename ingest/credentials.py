"""Credentials as authentication reads them; what changes them stands in infra.runtime.providers."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, or_, select

from infra.runtime.providers import (
    DEFAULT_SCOPES,
    HASHER,
    SCOPES,
    Issued,
    ProviderFaultError,
    add_provider,
    disable,
    issue_credential,
    rotate_credential,
)
from schemas.registry import tables

__all__ = [
    "DEFAULT_SCOPES",
    "HASHER",
    "SCOPES",
    "Credential",
    "Issued",
    "ProviderFaultError",
    "add_provider",
    "disable",
    "issue_credential",
    "load",
    "rotate_credential",
]


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

    def allows(self, scope: str, *, reading: bool = False) -> bool:
        """Whether it may do what a scope stands for; ``reading``: all/read is enough (1.0.3 Communication 4.2)."""
        own = self.scopes
        return (
            scope in own
            or "all" in own
            or (reading and "all/read" in own)
            or (scope == "statements/read/mine" and "statements/read" in own)
        )

    @property
    def reads_all(self) -> bool:
        """Whether it reads statements of all providers, not of its own alone."""
        return self.allows("statements/read", reading=True)


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
