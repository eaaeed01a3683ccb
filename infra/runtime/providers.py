"""Providers and their credentials in the registry: what operators change, by commands and on the provider page."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.low_level import Type
from sqlalchemy import Connection, insert, select, update

from schemas.registry import lrs, tables

# Secrets are 256 random bits, not words: what argon2id adds is that a stolen registry cannot be searched at all.
# OWASP's lesser setting (19 MiB, 2 passes) keeps a first check at some 20 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)

SCOPES: Final = frozenset(
    {
        *("statements/write", "statements/read/mine", "statements/read", "state", "profile", "define"),
        *("all/read", "all"),
    }
)
"""What a credential may do (xAPI 1.0.3 part 3, 4.2)."""

DEFAULT_SCOPES: Final = frozenset({"statements/write", "statements/read/mine", "state", "profile"})

MODES: Final = ("strict", "quarantine")
"""What becomes of statements that break a rule: refused, or kept aside with their reasons."""

_PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]|[a-z0-9]").fullmatch


class ProviderFaultError(ValueError):
    """A provider, credential, rule or mapping that cannot be added, changed or found, in words for the operator."""


class Issued(NamedTuple):
    """A new credential; the secret is shown once and kept nowhere."""

    key: str
    secret: str


def add_provider(connection: Connection, provider_id: str, name: str, now: int) -> None:
    """Add a provider; ``now`` in µs. Raises ProviderFaultError for a malformed or taken id."""
    if not _PROVIDER_ID(provider_id):
        raise ProviderFaultError(f"{provider_id!r} is no provider id: use up to 64 of a-z, 0-9 and -")
    taken = select(tables.providers.c.provider_id).where(tables.providers.c.provider_id == provider_id)
    if connection.execute(taken).first():
        raise ProviderFaultError(f"provider {provider_id} exists already")
    connection.execute(insert(tables.providers).values(provider_id=provider_id, name=name, created_at=now))


def require(connection: Connection, provider_id: str) -> None:
    """Raises ProviderFaultError where there is no such provider."""
    known = select(tables.providers.c.provider_id).where(tables.providers.c.provider_id == provider_id)
    if not connection.execute(known).first():
        raise ProviderFaultError(f"there is no provider {provider_id}: add it first")


def issue_credential(
    connection: Connection,
    provider_id: str,
    now: int,
    *,
    key: str = "",
    secret: str = "",
    scopes: Collection[str] = DEFAULT_SCOPES,
    sandbox: bool = False,
    label: str = "",
    expires_at: int | None = None,
) -> Issued:
    """Issue a credential with a random key and secret where none are given; times in µs.

    Raises ProviderFaultError for an unknown provider or scope, and for a key with a colon.
    """
    require(connection, provider_id)
    issued = Issued(key or f"{provider_id[:40]}-{secrets.token_hex(6)}", secret or secrets.token_urlsafe(32))
    if ":" in issued.key:
        raise ProviderFaultError("a key has no colon: HTTP Basic ends the user name there")
    if unknown := sorted(set(scopes) - SCOPES):
        raise ProviderFaultError(f"{unknown[0]!r} is no scope: use some of {', '.join(sorted(SCOPES))}")
    if not scopes:
        raise ProviderFaultError("a credential without a scope may do nothing: name one")
    connection.execute(
        insert(tables.provider_credentials).values(
            key=issued.key,
            provider_id=provider_id,
            secret_hash=HASHER.hash(issued.secret),
            created_at=now,
            scopes=" ".join(sorted(scopes)),
            sandbox=sandbox,
            label=label,
            expires_at=expires_at,
        )
    )
    return issued


def rotate_credential(connection: Connection, key: str, now: int, overlap_us: int) -> Issued:
    """A new credential that may do what an old one may; the old one ends after ``overlap_us``, or earlier where it was
    to end before. Raises ProviderFaultError for a credential that is unknown, disabled or has ended."""
    own = tables.provider_credentials
    old = connection.execute(select(own).where(own.c.key == key)).first()
    if old is None:
        raise ProviderFaultError(f"there is no credential {key}")
    if old.disabled or (old.expires_at is not None and old.expires_at <= now):
        raise ProviderFaultError(f"credential {key} is no longer accepted: issue a new one")
    ends = now + overlap_us if old.expires_at is None else min(old.expires_at, now + overlap_us)
    connection.execute(update(own).where(own.c.key == key).values(expires_at=ends))
    scopes = frozenset(old.scopes.split())
    return issue_credential(connection, old.provider_id, now, scopes=scopes, sandbox=bool(old.sandbox), label=old.label)


def disable(connection: Connection, *, key: str = "", provider_id: str = "", disabled: bool = True) -> None:
    """Disable (or enable again) one credential, or a provider with all of its credentials."""
    for table, column, value in (
        (tables.provider_credentials, tables.provider_credentials.c.key, key),
        (tables.providers, tables.providers.c.provider_id, provider_id),
    ):
        if value and not connection.execute(update(table).where(column == value).values(disabled=disabled)).rowcount:
            raise ProviderFaultError(f"there is no {'credential' if value == key else 'provider'} {value}")


def set_mode(connection: Connection, provider_id: str, mode: str) -> None:
    """Refuse what breaks a rule, or keep it aside (MODES)."""
    if mode not in MODES:
        raise ProviderFaultError(f"{mode!r} is no mode: use {' or '.join(MODES)}")
    require(connection, provider_id)
    own = tables.providers
    connection.execute(update(own).where(own.c.provider_id == provider_id).values(mode=mode))


def set_limits(connection: Connection, provider_id: str, rate_per_second: int | None, daily_quota: int | None) -> None:
    """Statements a second, averaged (None: the setting's), and a day of UTC (None: no quota)."""
    for name, value in (("rate", rate_per_second), ("quota", daily_quota)):
        if value is not None and value < 1:
            raise ProviderFaultError(f"a {name} is at least 1; leave it out for none of its own")
    require(connection, provider_id)
    own = tables.providers
    values = {"rate_per_second": rate_per_second, "daily_quota": daily_quota}
    connection.execute(update(own).where(own.c.provider_id == provider_id).values(values))


def note_change(connection: Connection, provider_id: str, now: int, by: str, what: str) -> None:
    """Write down who changed what of a provider; in the transaction of the change. Never a secret."""
    connection.execute(
        insert(lrs.provider_changes).values(
            change_id=str(uuid4()), provider_id=provider_id, at=now, changed_by=by, what=what
        )
    )
