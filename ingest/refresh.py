"""Reads again what people change in the registry: credentials, token issuers, verbs, alignments, links."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sqlalchemy import Engine

from infra.runtime.logging import get_logger
from ingest import catalogue, credentials, issuers
from ingest.acceptance import Acceptance
from ingest.auth import Authenticator
from ingest.catalogue import Catalogue
from ingest.credentials import Credential
from ingest.identity.resolver import Resolver
from ingest.issuers import Trusted

log = get_logger(__name__)

_SHARE: Final = 0.05
"""Of the time, at most so much is spent on reading the catalogue: a large one is read less often."""


class Refresher:
    """Runs beside the requests; a registry that is away leaves what was known."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        acceptance: Acceptance,
        resolver: Resolver,
        every_seconds: float,
    ) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._acceptance = acceptance
        self._resolver = resolver
        self._every = every_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="refresh")
        self._catalogue_due = 0.0

    async def run(self) -> None:
        """Read again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.once()

    async def once(self) -> None:
        """Read now; what cannot be read stays as it was."""
        began = time.monotonic()
        with_catalogue = began >= self._catalogue_due
        try:
            found, known, trusted = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._read, with_catalogue
            )
            await self._resolver.refresh_links()
        except Exception as error:
            log.warning("the registry does not answer", error=type(error).__name__)
            return
        self._authenticator.credentials = known
        self._authenticator.bearer.trusted = trusted
        if found is not None:
            self._acceptance.catalogue = found
            self._catalogue_due = began + (time.monotonic() - began) / _SHARE

    def close(self) -> None:
        """Release the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, with_catalogue: bool) -> tuple[Catalogue | None, dict[str, Credential], Trusted]:
        with self._engine.connect() as connection:
            known = credentials.load(connection)
            trusted = issuers.load(connection)
            return (catalogue.load(connection) if with_catalogue else None), known, trusted
