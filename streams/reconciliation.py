"""Watches that everything accepted is accounted for: a metric, and an alarm when it is not for five minutes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any, Final

from infra.runtime.logging import get_logger
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.reconciliation import EPOCH, Balance, Verdict, judge, settled_through
from infra.runtime.settings import KafkaSettings
from streams.alarms import Alarms
from streams.sink import Sink, StoppedError

log = get_logger(__name__)

LOOK_SECONDS: Final = 15.0
PATIENCE: Final = timedelta(minutes=5)
"""A balance that is off for so long raises an alarm; so does a partition that is not written for so long."""
LOOK_BACK: Final = timedelta(hours=3)
DAY: Final = timedelta(hours=24)

_PROGRESS = Template(
    "SELECT partition, max(offset), max(end_offset), toUnixTimestamp64Micro(max(stored_until)),"
    " toUnixTimestamp64Micro(max(checked_at)) FROM sink_progress WHERE generation = $generation GROUP BY partition"
)
_FIELDS: Final = (
    "accepted", "answered", "stored", "duplicates", "dead", "settled_accepted", "settled_answered", "settled_accounted",
)  # fmt: skip
_BALANCES = Template(
    "SELECT provider_id, toUnixTimestamp(hour), accepted, answered, stored, duplicates, dead, settled_accepted,"
    " settled_answered, settled_accounted"
    " FROM reconciliation(since = '$since', through = '$through')"
)
_WORDS: Final = {
    Verdict.MISSING: "{n:,} statements are in the log, but neither stored nor dead-lettered nor duplicates",
    Verdict.LOST: "{n:,} statements were answered as kept and are not in the log",
    Verdict.SURPLUS: "{n:,} statements more are stored than the log holds",
}
_FIXES: Final = {
    Verdict.MISSING: "Put them back from the log: roundtrip replay --from {hour:%Y-%m-%dT%H:%MZ}.",
    Verdict.LOST: "Look for data loss at Kafka in that hour, and ask the provider to send it again.",
    Verdict.SURPLUS: "Was the log's topic made anew, or the store restored? Then a new generation is due.",
}


class Watch:
    """Looks at the last hours each time, and at a whole day once an hour; one thread at a time."""

    def __init__(self, sink: Sink, kafka: KafkaSettings, metrics: StreamsMetrics, clock: Callable[[], int]) -> None:
        """``clock`` tells now in µs."""
        self._sink = sink
        self._kafka = kafka
        self._metrics = metrics
        self._clock = clock
        self._unbalanced = Alarms(sink, "unbalanced", clock)
        self._behind = Alarms(sink, "behind", clock)
        self._off: dict[tuple[str, datetime], tuple[datetime, Balance]] = {}
        self._moved: dict[int, tuple[int, datetime]] = {}
        self._whole_day_at = EPOCH

    async def run(self, responsible: Callable[[], bool]) -> None:
        """Look every LOOK_SECONDS while this worker is the one to do it, until cancelled or stopped."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not responsible():
                self.forget()
                continue
            try:
                await asyncio.to_thread(self.look)
            except StoppedError:
                return
            except Exception:
                log.exception("the reconciliation could not be looked at")

    def forget(self) -> None:
        """Somebody else looks from now on."""
        self._off, self._moved, self._whole_day_at = {}, {}, EPOCH
        self._unbalanced.forget()
        self._behind.forget()
        self._metrics.unaccounted.clear()

    def look(self) -> None:
        """Read both ends, set the metric, raise and clear alarms. Raises StoppedError."""
        now = _moment(self._clock())
        progress = self._progress()
        self._behind.set(self._standing_still(progress, now))
        whole = now - self._whole_day_at >= timedelta(hours=1)
        if whole:
            self._whole_day_at = now
        since = (now - (DAY if whole else LOOK_BACK)).replace(minute=0, second=0, microsecond=0)
        found = self._balances(since, settled_through(progress, self._kafka.partitions))
        # What a look at the last hours does not see stays as it was seen last.
        before = self._off
        self._off = {key: seen for key, seen in before.items() if key[1] < since}
        for key, balance in found.items():
            self._off[key] = (before[key][0] if key in before else now), balance
        totals: dict[str, int] = defaultdict(int)
        for (provider, _), (_, balance) in self._off.items():
            totals[provider] += abs(balance.difference)
        self._metrics.unaccounted.clear()
        for provider, total in totals.items():
            self._metrics.unaccounted.labels(provider=provider).set(total)
        self._unbalanced.set(
            {
                f"{provider}, {hour:%Y-%m-%dT%H:%MZ}": _words(balance, hour)
                for (provider, hour), (first, balance) in sorted(self._off.items())
                if now - first >= PATIENCE
            }
        )

    def _balances(self, since: datetime, through: datetime) -> dict[tuple[str, datetime], Balance]:
        sql = _BALANCES.substitute(since=_text(since), through=_text(through))
        found = {}
        for provider, hour, *counts in zip(*self._sink.read(sql), strict=True):
            balance = judge(dict(zip(_FIELDS, counts, strict=True)))
            if balance.off:
                found[provider, datetime.fromtimestamp(hour, UTC)] = balance
        return found

    def _progress(self) -> list[dict[str, Any]]:
        columns = self._sink.read(_PROGRESS.substitute(generation=self._kafka.generation))
        return [
            {
                "partition": partition, "offset": offset, "end_offset": end,
                "stored_until": _moment(stored_until), "checked_at": _moment(checked_at),
            }
            for partition, offset, end, stored_until, checked_at in zip(*columns, strict=True)
        ]  # fmt: skip

    def _standing_still(self, progress: list[dict[str, Any]], now: datetime) -> dict[str, str]:
        said = {}
        for row in progress:
            partition, offset, waiting = row["partition"], row["offset"], row["end_offset"] - row["offset"]
            seen, since = self._moved.get(partition, (None, now))
            if seen != offset or waiting <= 0:
                since = now
            self._moved[partition] = offset, since
            if now - since >= PATIENCE:
                said[f"partition {partition}"] = (
                    f"{waiting:,} records wait and none was written since {since:%H:%M} UTC. Does its worker run? See"
                    " its log and /health/live."
                )
        return said


def _words(balance: Balance, hour: datetime) -> str:
    what = _WORDS[balance.verdict].format(n=abs(balance.difference))
    return f"{what}. {_FIXES[balance.verdict].format(hour=hour)}"


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
