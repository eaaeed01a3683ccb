"""Why statements wait, in words that say what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from infra.runtime.kafka import PartitionLag

STANDSTILL: Final = timedelta(seconds=6)
"""Workers say every two seconds how far they are; one that is silent for so long does not come round."""

MANY: Final = 100
"""So many records wait at any moment, since they are written together a few times a second."""

_NO_STORE: Final = "ClickHouse does not answer"


@dataclass(frozen=True)
class Cause:
    """One sentence; ``grave``: somebody has to do something."""

    sentence: str
    grave: bool = True


def causes(
    lags: Sequence[PartitionLag] | None,
    owners: Mapping[str, Sequence[int]] | None,
    progress: Sequence[Mapping[str, Any]],
    fault: str,
    now: datetime,
    *,
    store: bool = True,
) -> list[Cause]:
    """What holds the statements up, the cause that explains most first.

    Args:
        lags, owners, fault: see dashboards.broker.Look.
        progress: rows of queries/progress.sql; empty when the store does not answer.
        store: whether ClickHouse answers the pages.
    """
    if lags is None:
        return [
            *_told("", 0, store=store),
            Cause("Kafka does not answer: nothing is accepted and nothing is read. Providers get a 503 and try again."),
        ]
    waiting = sum(one.lag for one in lags)
    found = _told(fault, waiting, store=store)
    if owners is not None and not owners:
        return [*found, Cause(f"No worker is running{_waits(waiting)}. Start one: roundtrip worker.")]
    behind = [one.partition for one in lags if one.lag]
    if owners is not None and (orphans := sorted(set(behind) - {p for mine in owners.values() for p in mine})):
        found.append(
            Cause(
                f"{_partitions(orphans)} without a worker: one that died leaves the group when its session has"
                " expired, and the others take over."
            )
        )
        behind = [partition for partition in behind if partition not in orphans]
    checked: dict[int, datetime] = {row["partition"]: row["checked_at"] for row in progress}
    still = [p for p in behind if p in checked and now - checked[p] > STANDSTILL]
    if still and not fault and store:
        since = min(checked[partition] for partition in still)
        found.append(
            Cause(
                f"{_partitions(still)} not written for {(now - since).total_seconds():.0f} s though a worker holds"
                " them: it hangs or is paused. A supervisor starts it again."
            )
        )
    if waiting > MANY and not found:
        found.append(Cause(f"{waiting:,} records wait and the workers write: they are catching up.", grave=False))
    return found


def _told(fault: str, waiting: int, *, store: bool) -> list[Cause]:
    """What the pages see of ClickHouse, and what the worker says of itself without the addresses that its log has."""
    if not store:
        lost = "workers wait for it and lose nothing, pages show nothing new until it is started again."
        return [Cause(f"{_NO_STORE}{_waits(waiting)}: {lost}")]
    if fault.startswith(_NO_STORE):
        return [Cause(f"The worker gets no answer from ClickHouse{_waits(waiting)}. It tries again; nothing is lost.")]
    return [Cause(f"The worker says: {fault}")] if fault else []


def _waits(waiting: int) -> str:
    if not waiting:
        return ""
    return ", and 1 record waits" if waiting == 1 else f", and {waiting:,} records wait"


def _partitions(numbers: Sequence[int]) -> str:
    one = len(numbers) == 1
    shown = ", ".join(str(number) for number in numbers[:8]) + (", …" if len(numbers) > 8 else "")
    return f"Partition {shown} is" if one else f"Partitions {shown} are"
