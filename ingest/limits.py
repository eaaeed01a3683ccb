"""What a provider may send: statements a second, by a token bucket, and statements a day of UTC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from clickhouse_connect.driver.client import Client

from infra.runtime.logging import get_logger
from ingest.credentials import Credential
from ingest.errors import ApiError, retry_after
from ingest.minutes import DAY_US, Minutes
from ingest.xapi.faults import Faults, Rule

log = get_logger(__name__)

RATE = Rule("limit.rate", "1.0.3 Communication 3.2", "Send again after the seconds of Retry-After, and slower.")
QUOTA = Rule("limit.quota", "1.0.3 Communication 3.2", "Send again after midnight UTC, or ask for a larger quota.")

_BURST_SECONDS: Final = 10.0
_READ_EVERY_SECONDS: Final = 15.0
_OTHERS: Final = """
SELECT provider_id, sum(accepted) FROM provider_minutes FINAL
WHERE minute >= toDateTime({day:UInt32}, 'UTC') AND instance != {instance:String}
GROUP BY provider_id
"""


class RateLimit:
    """Statements a second for each provider, averaged, with a burst; a rate of 0 limits nothing."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._rate = per_second
        self._burst = float(burst)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, provider_id: str, statements: int, now: float, own_rate: int | None = None) -> float:
        """Seconds to wait before trying again; 0 where the statements may pass, which are then counted.

        ``now`` in seconds of any steady clock. ``own_rate``: the provider's own, whose burst is what it may send in ten
        seconds. More than a whole burst passes when the bucket is full.
        """
        rate, burst = self._rate, self._burst
        if own_rate is not None:
            rate, burst = float(own_rate), min(self._burst, own_rate * _BURST_SECONDS)
        elif not rate:
            return 0.0
        tokens, since = self._buckets.get(provider_id, (burst, now))
        tokens = min(burst, tokens + (now - since) * rate)
        needed = min(float(statements), burst)
        if tokens >= needed:
            self._buckets[provider_id] = (tokens - statements, now)
            return 0.0
        self._buckets[provider_id] = (tokens, now)
        return (needed - tokens) / rate


class Quotas:
    """Statements that were accepted today: of this process exactly, of others as their published counts tell.

    Others, earlier runs of this one among them, are seen some seconds late, and requests that are under way together
    are judged apart: so much may pass above a quota.
    """

    def __init__(
        self,
        minutes: Minutes,
        instance: str,
        run_query: Callable[[Callable[[Client], object]], asyncio.Future[object]],
        clock: Callable[[], int],
        wanted: Callable[[], bool],
    ) -> None:
        """``clock``: µs since the epoch; ``wanted``: whether any provider has a quota."""
        self._minutes = minutes
        self._instance = instance
        self._run_query = run_query
        self._clock = clock
        self._wanted = wanted
        self._day = 0
        self._others: dict[str, int] = {}

    def wait(self, provider_id: str, quota: int, statements: int) -> float:
        """Seconds until midnight UTC where the statements are more than is left of the quota; else 0."""
        now = self._clock()
        day = now - now % DAY_US
        others = self._others.get(provider_id, 0) if day == self._day else 0
        if others + self._minutes.accepted_on(provider_id, day) + statements <= quota:
            return 0.0
        return (day + DAY_US - now) / 1e6

    async def run(self) -> None:
        """Read the counts of others again and again, until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(_READ_EVERY_SECONDS)

    async def once(self) -> None:
        """Read them now, where a quota needs them; what cannot be read stays as it was."""
        if not self._wanted():
            return
        now = self._clock()
        day = now - now % DAY_US
        asked = {"day": day // 1_000_000, "instance": self._instance}
        try:
            rows = await self._run_query(lambda client: client.query(_OTHERS, parameters=asked).result_rows)
        except Exception as error:
            log.warning("counts of the day cannot be read", error=type(error).__name__)
            return
        assert isinstance(rows, list | tuple)
        self._others = {str(provider_id): int(accepted) for provider_id, accepted in rows}
        self._day = day


class Allowance:
    """Both limits in front of acceptance."""

    def __init__(self, rate: RateLimit, quotas: Quotas) -> None:
        self._rate = rate
        self._quotas = quotas

    def check(self, by: Credential, statements: int) -> None:
        """Raises ApiError 429, with Retry-After, for more than the provider may send now."""
        wait = self._rate.take(by.provider_id, statements, time.monotonic(), by.rate_per_second)
        if wait:
            raise _refused(RATE, "more statements than this provider's rate allows", wait, statements)
        if by.daily_quota is not None and not by.sandbox:
            wait = self._quotas.wait(by.provider_id, by.daily_quota, statements)
            if wait:
                words = f"more than {by.daily_quota} statements a day, this provider's quota"
                raise _refused(QUOTA, words, wait, statements)


def _refused(rule: Rule, message: str, wait: float, statements: int) -> ApiError:
    error = retry_after(429, message, wait, statements=statements)
    error.faults = Faults()
    error.faults.add(rule, "", message)
    return error
