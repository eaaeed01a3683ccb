"""Rates by provider: a token bucket of statements."""

from __future__ import annotations


class RateLimit:
    """Statements a second for each provider, averaged, with a burst; a rate of 0 limits nothing."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._rate = per_second
        self._burst = float(burst)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, provider_id: str, statements: int, now: float) -> float:
        """Seconds to wait before trying again; 0 where the statements may pass, which are then counted.

        ``now`` in seconds of any steady clock. More than a whole burst passes when the bucket is full.
        """
        if not self._rate:
            return 0.0
        tokens, since = self._buckets.get(provider_id, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        needed = min(float(statements), self._burst)
        if tokens >= needed:
            self._buckets[provider_id] = (tokens - statements, now)
            return 0.0
        self._buckets[provider_id] = (tokens, now)
        return (needed - tokens) / self._rate
