"""How far imports are, in the registry: kept with the counts, so that what is counted once is counted once."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine, delete, insert, select

from ingest.importers.sources import Position
from schemas.registry.lrs import statement_imports

_LONGEST = 512


class Progress(NamedTuple):
    """Counts of an import so far, and where it goes on; ``refused_bytes``: size of the file of refused statements."""

    position: Position = Position()
    accepted: int = 0
    refused: int = 0
    refused_bytes: int = 0
    finished: bool = False


class _Kept(msgspec.Struct):
    position: Position
    refused_bytes: int


class Imports:
    """Progress of one source for one provider."""

    def __init__(self, engine: Engine, source: str, provider_id: str) -> None:
        self._engine = engine
        self._provider_id = provider_id
        key = f"{provider_id} {source}"
        digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        self._key = key if len(key) <= _LONGEST else f"{key[: _LONGEST - 33]} {digest}"

    def load(self) -> Progress:
        """As it was kept last; at the beginning where nothing was."""
        own = statement_imports
        with self._engine.connect() as connection:
            row = connection.execute(select(own).where(own.c.source == self._key)).first()
        if row is None:
            return Progress()
        kept = msgspec.json.decode(row.position, type=_Kept)
        return Progress(kept.position, row.accepted, row.refused, kept.refused_bytes, bool(row.finished))

    def save(self, progress: Progress, now: int) -> None:
        """Keep it; ``now`` in µs."""
        own = statement_imports
        with self._engine.begin() as connection:
            connection.execute(delete(own).where(own.c.source == self._key))
            connection.execute(
                insert(own).values(
                    source=self._key,
                    provider_id=self._provider_id,
                    position=msgspec.json.encode(_Kept(progress.position, progress.refused_bytes)).decode(),
                    accepted=progress.accepted,
                    refused=progress.refused,
                    finished=progress.finished,
                    updated_at=now,
                )
            )

    def forget(self) -> None:
        """Begin anew."""
        with self._engine.begin() as connection:
            connection.execute(delete(statement_imports).where(statement_imports.c.source == self._key))
