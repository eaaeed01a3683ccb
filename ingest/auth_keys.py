"""Keys of token issuers: from the registry, or read from where the issuer publishes them (RFC 7517), and kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
from joserfc.jwk import Key, KeySet

from infra.runtime.logging import get_logger
from ingest.auth_tokens import key_of, keys_of
from ingest.issuers import Issuer

log = get_logger(__name__)

KEPT_SECONDS: Final = 3600.0
"""After so long the keys are read again; until that works, and where it does not, the old ones are good."""

ASKED_AGAIN_SECONDS: Final = 30.0
"""A key id that is not known makes them be read again, but not more often: anybody can invent key ids."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_TIMEOUT: Final = 5.0
_LARGEST: Final = 1024 * 1024

Fetch = Callable[[str], Awaitable[bytes]]


class NoKeysError(Exception):
    """The keys of an issuer cannot be read now; ``wait``: seconds until it is tried again."""

    def __init__(self, wait: float) -> None:
        super().__init__("the keys of the token's issuer cannot be read")
        self.wait = wait


@dataclass(slots=True)
class _Known:
    issuer: Issuer
    keys: KeySet | None = None
    read_at: float = 0.0
    next_try: float = 0.0
    failures: int = 0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Keys:
    """Keys by issuer. Reading them never holds up anybody whose key is known."""

    def __init__(self, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch or fetched
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._behind: set[asyncio.Task[None]] = set()

    async def find(self, issuer: Issuer, kid: str | None) -> Key | None:
        """The key of this id, None where the issuer has none; raises NoKeysError where they cannot be read."""
        known = self._known.get(issuer.issuer)
        if known is None or known.issuer != issuer:
            known = self._known[issuer.issuer] = _Known(issuer)
        if issuer.jwks is not None:
            return key_of(known.keys or self._given(known, issuer.jwks), kid)
        if known.keys is None:
            await self._read(known, known.read_at)
            if known.keys is None:
                raise NoKeysError(max(known.next_try - self._clock(), _FIRST_WAIT))
        elif self._clock() - known.read_at > KEPT_SECONDS and not known.reading.locked():
            task = asyncio.create_task(self._read(known, known.read_at))
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)
        found = key_of(known.keys, kid)
        if found is None and self._clock() - known.read_at > ASKED_AGAIN_SECONDS:
            await self._read(known, known.read_at)
            found = key_of(known.keys, kid)
        return found

    async def _read(self, known: _Known, since: float) -> None:
        """Read them, unless another has since, or it failed a moment ago."""
        url = known.issuer.jwks_url
        assert url is not None
        async with known.reading:
            if known.read_at != since or self._clock() < known.next_try:
                return
            try:
                known.keys = await asyncio.to_thread(keys_of, await self._fetch(url))
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
                wait = min(_FIRST_WAIT * 2**known.failures, _LONGEST_WAIT)
                known.failures = min(known.failures + 1, 10)
                known.next_try = self._clock() + wait
                log.warning("keys of a token issuer cannot be read", url=url, error=repr(error)[:200])
                return
            known.read_at, known.failures, known.next_try = self._clock(), 0, 0.0

    def _given(self, known: _Known, jwks: str) -> KeySet:
        try:
            known.keys = keys_of(jwks)
        except ValueError as error:
            log.warning("keys of a token issuer cannot be read", issuer=known.issuer.issuer, error=str(error))
            raise NoKeysError(_LONGEST_WAIT) from None
        return known.keys


async def fetched(url: str) -> bytes:
    """A document of bounded size, read in a thread; raises httpx.HTTPError, or ValueError where it is too large."""
    # Even to make a client takes tens of milliseconds: it reads the certificates of all authorities.
    return await asyncio.to_thread(_fetch, url)


def _fetch(url: str) -> bytes:
    until = time.monotonic() + 2 * _TIMEOUT
    with (
        httpx.Client(timeout=_TIMEOUT) as client,
        client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
    ):
        answer.raise_for_status()
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > _LARGEST or time.monotonic() > until:
                raise ValueError("the keys are larger than 1 MiB, or come too slowly")
        return b"".join(parts)
