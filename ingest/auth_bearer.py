"""Who a bearer token speaks for: checked once, then known until it ends, its client is taken away or its issuer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from ingest.auth_keys import Keys, NoKeysError
from ingest.auth_tokens import BadTokenError, granted, peek, verify
from ingest.credentials import Credential
from ingest.errors import ApiError, broken, retry_after
from ingest.issuers import Issuer, Trusted
from ingest.xapi.faults import Rule

TOKEN = Rule(
    "auth.token", "1.0.3 Communication 4.0", "Ask the authorization server for a new token, meant for this LRS."
)

_REFUSED_SECONDS: Final = 5.0
_KEPT: Final = 10_000
_WAITING: Final = 64


class _Verified(NamedTuple):
    issuer: Issuer
    client_id: str
    client: Credential
    scopes: frozenset[str]
    expires: float
    credential: Credential


class Bearer:
    """Tells whose token it is; ``trusted`` is read anew from the registry by whoever holds this."""

    def __init__(self, keys: Keys | None = None, now: Callable[[], float] = time.time) -> None:
        """``now``: seconds since the epoch."""
        self.trusted = Trusted({}, {})
        self._keys = keys or Keys()
        self._now = now
        self._verified: dict[bytes, _Verified] = {}
        self._refused: dict[bytes, tuple[float, str]] = {}
        self._waiting = 0
        # Signatures are checked beside the loop: an RSA key of 4096 bits takes as long as a batch.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tokens")

    async def authenticate(self, token: bytes, digest: bytes) -> Credential:
        """The credential that a token stands for; ``digest``: a keyed hash of it, under which it is known.

        Raises ApiError 401 for a token that is not believed, 503 while its issuer's keys cannot be read, 429 where too
        many wait to be checked.
        """
        known = self._verified.get(digest)
        if known is not None:
            if (current := self._still(known)) is not None:
                return current
            del self._verified[digest]
        until, reason = self._refused.get(digest, (0.0, ""))
        if until > time.monotonic():
            raise invalid(reason)
        if self._waiting >= _WAITING:
            raise retry_after(429, "too many new tokens are being checked at once: try again", 1)
        self._waiting += 1
        try:
            verified = await self._check(token)
        except BadTokenError as error:
            _make_room(self._refused)
            self._refused[digest] = time.monotonic() + _REFUSED_SECONDS, str(error)
            raise invalid(str(error)) from None
        except NoKeysError as error:
            raise retry_after(503, f"{error}: try again", error.wait) from None
        finally:
            self._waiting -= 1
        _make_room(self._verified)
        self._verified[digest] = verified
        return verified.credential

    def close(self) -> None:
        """Release the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _check(self, token: bytes) -> _Verified:
        said = peek(token)
        issuer = self.trusted.issuers.get(said.issuer)
        if issuer is None:
            raise BadTokenError("its issuer is not trusted here")
        key = await self._keys.find(issuer, said.kid)
        if key is None:
            raise BadTokenError("its issuer has no key of this id")
        claims = await asyncio.get_running_loop().run_in_executor(self._thread, verify, token, key, issuer, self._now())
        for client_id in claims.client_ids:
            client = self.trusted.clients.get((issuer.issuer, client_id))
            if client is not None:
                credential = granted(client, claims.scopes)
                return _Verified(issuer, client_id, client, claims.scopes, claims.expires, credential)
        raise BadTokenError("its client is not known here")

    def _still(self, known: _Verified) -> Credential | None:
        """What a token stands for now; None where it has to be checked again."""
        issuer = known.issuer.issuer
        client = self.trusted.clients.get((issuer, known.client_id))
        if client is None or known.expires <= self._now() or self.trusted.issuers.get(issuer) != known.issuer:
            return None
        return known.credential if client == known.client else granted(client, known.scopes)


def invalid(reason: str) -> ApiError:
    """401 for a token that is not believed."""
    error = broken(401, TOKEN, f"the bearer token is not accepted: {reason}")
    error.headers = challenge(f', error="invalid_token", error_description="{reason}"')
    return error


def challenge(more: str = "") -> tuple[tuple[bytes, bytes], ...]:
    """WWW-Authenticate of both schemes; ``more`` is told with Bearer (RFC 6750, 3)."""
    return (
        (b"www-authenticate", b'Basic realm="xAPI", charset="UTF-8"'),
        (b"www-authenticate", f'Bearer realm="xAPI"{more}'.encode("latin-1")),
    )


def _make_room(table: dict[bytes, Any]) -> None:
    if len(table) >= _KEPT:
        table.clear()
