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
) -> list[Cause]:
    """What holds the statements up, the cause that explains most first.

    Args:
        lags, owners, fault: see dashboards.broker.Look.
        progress: rows of queries/progress.sql; empty when the store does not answer.
    """
    if lags is None:
        return [
            Cause("Kafka does not answer: nothing is accepted and nothing is read. Providers get a 503 and try again.")
        ]
    found = [Cause(f"The worker says: {fault}")] if fault else []
    waiting = sum(one.lag for one in lags)
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
    if still and not fault:
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


def _waits(waiting: int) -> str:
    return f", and {waiting:,} records wait" if waiting else ""


def _partitions(numbers: Sequence[int]) -> str:
    one = len(numbers) == 1
    shown = ", ".join(str(number) for number in numbers[:8]) + (", …" if len(numbers) > 8 else "")
    return f"Partition {shown} is" if one else f"Partitions {shown} are"
