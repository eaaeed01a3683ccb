"""Authentication of providers: HTTP Basic, argon2id once, then a keyed hash in memory; bearer tokens beside it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import SQLAlchemyError

from ingest.auth_bearer import Bearer, challenge
from ingest.credentials import HASHER, Credential
from ingest.errors import ApiError, broken, retry_after
from ingest.xapi.faults import Rule

UNAUTHENTICATED = Rule(
    "auth.credential",
    "1.0.3 Communication 4.0",
    "Send HTTP Basic with the key and secret issued for your provider, or a bearer token.",
)
EXPIRED = Rule("auth.expired", "1.0.3 Communication 4.0", "Use the credential that took its place, or ask for one.")
DISABLED = Rule("auth.disabled", "1.0.3 Communication 4.0", "Ask the district to enable your credential again.")

_REFUSED_SECONDS: Final = 5.0
_REFUSED_KEPT: Final = 10_000
_HASHES_WAITING: Final = 16


class Authenticator:
    """Tells whose request it is.

    A secret is hashed by argon2 in a thread when it is first seen, and known afterwards by a hash under a key that
    lives and dies with this process; the secret itself is not kept. Wrong ones are remembered for a few seconds, and
    only so many wait to be hashed: guessing costs the guesser, not the providers that are known already.
    """

    def __init__(self, find: Callable[[str], Credential | None], bearer: Bearer | None = None) -> None:
        """``find`` reads one credential from the registry, for keys issued since the last refresh; may block."""
        self.bearer = bearer or Bearer()
        self.credentials: dict[str, Credential] = {}
        self._find = find
        self._salt = secrets.token_bytes(32)
        self._verified: dict[bytes, tuple[str, str]] = {}
        self._refused: dict[bytes, float] = {}
        self._waiting = 0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        # Hashed where the key is unknown, so that the answer takes as long as for a known one.
        self._decoy = HASHER.hash(secrets.token_urlsafe(32))

    async def authenticate(self, header: bytes | None) -> Credential:
        """The credential of an Authorization header; raises ApiError 401, 403, 429 when too many wait, or 503."""
        if header is None:
            raise _unauthenticated()
        token = hashlib.blake2b(header, key=self._salt, digest_size=16).digest()
        if (known := self._verified.get(token)) is not None:
            current = self.credentials.get(known[0])
            if current is not None and current.secret_hash == known[1]:
                return _enabled(current)
            del self._verified[token]
        if header[:7].lower() == b"bearer ":
            return _enabled(await self.bearer.authenticate(header[7:].strip(), token))
        return _enabled(await self._first_check(header, token))

    def any_quota(self) -> bool:
        """Whether a provider has a quota of statements a day."""
        known = (*self.credentials.values(), *self.bearer.trusted.clients.values())
        return any(one.daily_quota is not None for one in known)

    def close(self) -> None:
        """Release the threads."""
        self.bearer.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _first_check(self, header: bytes, token: bytes) -> Credential:
        pair = _basic(header)
        if pair is None or self._refused.get(token, 0.0) > time.monotonic():
            raise _unauthenticated()
        if self._waiting >= _HASHES_WAITING:
            raise retry_after(429, "too many new credentials are being checked at once: try again", 1)
        self._waiting += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, *pair)
        except SQLAlchemyError:
            raise retry_after(503, "the registry does not answer: try again", 2) from None
        finally:
            self._waiting -= 1
        if found is None:
            if len(self._refused) >= _REFUSED_KEPT:
                self._refused.clear()
            self._refused[token] = time.monotonic() + _REFUSED_SECONDS
            raise _unauthenticated()
        self.credentials[found.key] = found
        self._verified[token] = (found.key, found.secret_hash)
        return found

    def _verify(self, key: str, secret: str) -> Credential | None:
        found = self._find(key)
        try:
            HASHER.verify(found.secret_hash if found else self._decoy, secret)
        except (VerificationError, InvalidHashError):
            return None
        return found


def _basic(header: bytes) -> tuple[str, str] | None:
    """Key and secret of a Basic header (RFC 7617); None for anything else."""
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        key, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (key, secret) if colon else None


def _enabled(credential: Credential) -> Credential:
    if credential.disabled:
        raise broken(403, DISABLED, "this credential is disabled")
    if credential.expires_at is not None and credential.expires_at <= time.time_ns() // 1000:
        error = broken(401, EXPIRED, "this credential has expired")
        error.headers = challenge()
        raise error
    return credential


def _unauthenticated() -> ApiError:
    error = broken(401, UNAUTHENTICATED, "no valid credential was sent")
    error.headers = challenge()
    return error
