"""Versions of the score that orders lists, in the registry: kept, and one of them taken into use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Engine, func, insert, select, update

from schemas.registry.insight import rankings
from streams.ranking.scoring import Ranking, loads

_R = rankings.c


def active_ranking(engine: Engine, known: Ranking | None = None) -> Ranking | None:
    """The version in use; None: none is, and lists are ordered without a score.

    Its parameters are read only when it is another than ``known``.
    """
    with engine.connect() as connection:
        version = connection.execute(select(_R.version).where(_R.active)).scalar()
        if version is None or (known is not None and known.version == version):
            return known if version is not None else None
        return loads(connection.execute(select(_R.parameters).where(_R.version == version)).scalar_one())


def next_version(engine: Engine) -> int:
    """The number that the next version gets."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.max(_R.version))).scalar() or 0) + 1


def keep(
    engine: Engine, ranking: Ranking, *, seed: int, fingerprint: str, metrics: Mapping[str, Any], now_us: int, use: bool
) -> None:
    """Store a version; with ``use`` it takes the place of the one in use, in the same transaction.

    Raises IntegrityError when its number was taken meanwhile.
    """
    with engine.begin() as connection:
        if use:
            connection.execute(update(rankings).where(_R.active).values(active=False))
        connection.execute(
            insert(rankings).values(
                version=ranking.version, active=use, created_at=now_us, seed=seed, fingerprint=fingerprint,
                outcome=ranking.outcome, within_days=ranking.within_days, parameters=ranking.dumps(),
                metrics=msgspec.json.encode(metrics).decode(),
            )
        )  # fmt: skip


def use(engine: Engine, version: int) -> None:
    """Put a version in use that was kept before. ValueError: there is none."""
    with engine.begin() as connection:
        if connection.execute(select(_R.version).where(_R.version == version)).first() is None:
            raise ValueError(f"there is no ranking {version}")
        connection.execute(update(rankings).where(_R.active).values(active=False))
        connection.execute(update(rankings).where(_R.version == version).values(active=True))
