"""Versions of calibrations in the registry: kept, listed, and switched from one to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from schemas.registry.tables import calibrations
from streams.learner.calibration import Calibration, loads
from streams.running import Running

if TYPE_CHECKING:  # it takes numpy along, which a worker does without
    from streams.learner.fitting import Fitted

_C = calibrations.c


class NoVersionError(ValueError):
    """There is no such version."""

    def __init__(self, version: int) -> None:
        super().__init__(f"there is no calibration {version}: see roundtrip calibration list")


def active_calibration(engine: Engine) -> Calibration:
    """The active version, else version 0, the prior."""
    return running_calibration(engine).calibration


def running_calibration(engine: Engine, known: Running | None = None) -> Running:
    """What streams run under now: the active version, else version 0, the prior.

    Its parameters are read only when it is another than ``known``.
    """
    with engine.connect() as connection:
        found = connection.execute(select(_C.version, _C.activation, _C.switching).where(_C.active)).first()
        if found is None:
            return Running(Calibration())
        if known is not None and (known.calibration.version, known.activation) == (found.version, found.activation):
            return known._replace(switching=found.switching)
        return Running(_load(connection, found.version), found.activation, found.switching)


def calibration(engine: Engine, version: int) -> Calibration:
    """One version; raises NoVersionError. Version 0 is the prior."""
    with engine.connect() as connection:
        return _load(connection, version) if version else Calibration()


def rows(engine: Engine) -> Sequence[RowMapping]:
    """All versions without their parameters, the first one first."""
    columns = [column for column in calibrations.columns if column.name != "parameters"]
    with engine.connect() as connection:
        return connection.execute(select(*columns).order_by(_C.version)).mappings().all()


def next_version(engine: Engine) -> int:
    """The number that the next version gets."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.max(_C.version))).scalar() or 0) + 1


def keep(engine: Engine, fitted: Fitted, seed: int, metrics: Mapping[str, Any], now_us: int) -> None:
    """Store a version, which nothing runs under; raises IntegrityError when its number was taken meanwhile."""
    with engine.begin() as connection:
        connection.execute(
            insert(calibrations).values(
                version=fitted.calibration.version, active=False, created_at=now_us, attempts=fitted.attempts,
                seed=seed, fingerprint=fitted.fingerprint, metrics=msgspec.json.encode(metrics).decode(),
                parameters=fitted.calibration.dumps(),
            )
        )  # fmt: skip


def prepare(engine: Engine, version: int) -> Running:
    """Begin, or go on with, a switch to a version: its number is higher than that of all earlier switches.

    Raises NoVersionError.
    """
    with engine.begin() as connection:
        loaded = _load(connection, version)
        last = int(connection.execute(select(func.max(_C.activation))).scalar() or 0)
        own = connection.execute(select(_C.activation, _C.active).where(_C.version == version)).one()
        begun = own.activation == last and last > _active_activation(connection)
        if own.active or begun:
            return Running(loaded, own.activation, switching=True)
        connection.execute(update(calibrations).where(_C.version == version).values(activation=last + 1))
        return Running(loaded, last + 1, switching=True)


def activate(engine: Engine, version: int) -> None:
    """From now on streams run under this version; what they read back may still stand under another."""
    with engine.begin() as connection:
        connection.execute(update(calibrations).where(_C.version != version).values(active=False, switching=False))
        connection.execute(
            update(calibrations).where(_C.version == version, ~_C.active).values(active=True, switching=True)
        )


def settle(engine: Engine, version: int) -> None:
    """All states stand under this version."""
    with engine.begin() as connection:
        connection.execute(update(calibrations).where(_C.version == version).values(switching=False))


def _active_activation(connection: Connection) -> int:
    return int(connection.execute(select(_C.activation).where(_C.active)).scalar() or 0)


def _load(connection: Connection, version: int) -> Calibration:
    found = connection.execute(select(_C.parameters).where(_C.version == version)).scalar()
    if found is None:
        raise NoVersionError(version)
    return loads(version, found)
