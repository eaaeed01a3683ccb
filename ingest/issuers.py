"""Authorization servers and their clients in the registry: whose bearer tokens are accepted, and for which provider."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select, update

from infra.runtime.providers import SCOPES, ProviderFaultError, require
from ingest.credentials import Credential
from schemas.registry.tables import providers, token_clients, token_issuers


class Issuer(NamedTuple):
    """An authorization server; ``jwks`` where its keys are not read from ``jwks_url``."""

    issuer: str
    audience: str
    jwks_url: str | None
    jwks: str | None


class Trusted(NamedTuple):
    """Whose tokens are accepted: issuers by name, and clients by issuer and id, as credentials."""

    issuers: dict[str, Issuer]
    clients: dict[tuple[str, str], Credential]


def add_issuer(connection: Connection, issuer: Issuer, now: int) -> None:
    """Accept tokens of an issuer; ``now`` in µs. Raises ProviderFaultError where it is there already."""
    if connection.execute(select(token_issuers.c.issuer).where(token_issuers.c.issuer == issuer.issuer)).first():
        raise ProviderFaultError(f"issuer {issuer.issuer} exists already: remove it first")
    connection.execute(insert(token_issuers).values(**issuer._asdict(), created_at=now))


def remove_issuer(connection: Connection, issuer: str) -> int:
    """Accept none of its tokens any more; how many clients went with it."""
    clients = connection.execute(delete(token_clients).where(token_clients.c.issuer == issuer)).rowcount
    if not connection.execute(delete(token_issuers).where(token_issuers.c.issuer == issuer)).rowcount:
        raise ProviderFaultError(f"there is no issuer {issuer}")
    return clients


def add_client(
    connection: Connection, issuer: str, client_id: str, provider_id: str, scopes: Iterable[str], now: int
) -> None:
    """Let tokens of a client speak for a provider, with these scopes at most; ``now`` in µs."""
    if not connection.execute(select(token_issuers.c.issuer).where(token_issuers.c.issuer == issuer)).first():
        raise ProviderFaultError(f"there is no issuer {issuer}: add it first")
    require(connection, provider_id)
    named = frozenset(scopes)
    if not named or named - SCOPES:
        raise ProviderFaultError(
            f"{' '.join(sorted(named - SCOPES))!r} is no scope: use some of {', '.join(sorted(SCOPES))}"
        )
    own = token_clients.c
    if connection.execute(select(own.client_id).where(own.issuer == issuer, own.client_id == client_id)).first():
        raise ProviderFaultError(f"client {client_id} of {issuer} exists already: remove it first")
    connection.execute(
        insert(token_clients).values(
            issuer=issuer, client_id=client_id, provider_id=provider_id, scopes=" ".join(sorted(named)), created_at=now
        )
    )


def switch_client(connection: Connection, issuer: str, client_id: str, *, disabled: bool) -> None:
    """Accept a client's tokens no more, or again."""
    own = token_clients.c
    change = update(token_clients).where(own.issuer == issuer, own.client_id == client_id).values(disabled=disabled)
    if not connection.execute(change).rowcount:
        raise ProviderFaultError(f"there is no client {client_id} of {issuer}")


def remove_client(connection: Connection, issuer: str, client_id: str) -> None:
    """Forget a client."""
    own = token_clients.c
    if not connection.execute(delete(token_clients).where(own.issuer == issuer, own.client_id == client_id)).rowcount:
        raise ProviderFaultError(f"there is no client {client_id} of {issuer}")


def load(connection: Connection) -> Trusted:
    """All issuers and clients."""
    own = token_issuers.c
    issuers = {
        row.issuer: Issuer(*row) for row in connection.execute(select(own.issuer, own.audience, own.jwks_url, own.jwks))
    }
    client, provider = token_clients.c, providers.c
    query = select(
        client.issuer,
        client.client_id,
        client.provider_id,
        client.scopes,
        or_(client.disabled, provider.disabled).label("disabled"),
        (provider.mode == "quarantine").label("quarantine"),
        provider.rate_per_second,
        provider.daily_quota,
    ).join_from(token_clients, providers)
    clients = {
        (row.issuer, row.client_id): Credential(
            _key(row.issuer, row.client_id),
            row.provider_id,
            "",
            bool(row.disabled),
            frozenset(row.scopes.split()),
            quarantine=bool(row.quarantine),
            rate_per_second=row.rate_per_second,
            daily_quota=row.daily_quota,
        )
        for row in connection.execute(query)
    }
    return Trusted(issuers, clients)


def _key(issuer: str, client_id: str) -> str:
    """A client's key among those of credentials, none of which has a colon; at most 64 characters, as theirs."""
    digest = hashlib.blake2b(f"{issuer}\n{client_id}".encode(), digest_size=4).hexdigest()
    return f"token:{client_id[:40]}:{digest}"
