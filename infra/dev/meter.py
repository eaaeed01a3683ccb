"""How much flows through the running stack, asked of the services themselves, never waited for."""

from __future__ import annotations

import urllib.request
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client.parser import text_string_to_metric_families

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import Settings

EVERY_SECONDS = 1.0
WINDOW = 6  # rates over so many readings: steady enough to read, quick enough to believe

Reading = tuple[float | None, int | None]


def rate(readings: deque[tuple[float, float]]) -> float | None:
    """A second, from (time, total) readings; None before there are two. A total that fell began anew at zero."""
    grown = sum(max(new - old, 0.0) for (_, old), (_, new) in zip(readings, list(readings)[1:], strict=False))
    seconds = readings[-1][0] - readings[0][0] if readings else 0.0
    return grown / seconds if seconds > 0 else None


def accepted_total(metrics: str) -> float:
    """Statements that ingest has accepted since it started, from its metrics page."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "ingest_statements_accepted_total"
    )


class Meter:
    """Reads once a second beside the caller; ``rate`` and ``stored`` are None while nothing is known."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.rate: float | None = None
        self.stored: int | None = None
        self._settings = settings
        self._clock = clock
        self._readings: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="meter")
        self._asked: Future[Reading] | None = None
        self._asked_at = float("-inf")
        self._client: Client | None = None

    def tick(self) -> None:
        """Take the last answer, and ask again when it is time."""
        now = self._clock()
        if self._asked is not None and self._asked.done():
            accepted, stored = self._asked.result()
            self._asked = None
            if accepted is not None:
                self._readings.append((now, accepted))
                self.rate = rate(self._readings)
            self.stored = stored if stored is not None else self.stored
        if self._asked is None and now - self._asked_at >= EVERY_SECONDS:
            self._asked_at = now
            self._asked = self._pool.submit(self._ask)

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _ask(self) -> Reading:
        ingest = self._settings.ingest
        try:
            with urllib.request.urlopen(f"http://{ingest.host}:{ingest.port}/metrics", timeout=2.0) as answer:
                accepted = accepted_total(answer.read().decode())
        except (OSError, ValueError):
            accepted = None
        try:
            if self._client is None:
                self._client = open_clickhouse(self._settings.clickhouse)
            stored = int(self._client.query("SELECT count() FROM statements").result_rows[0][0])
        except (ClickHouseError, OSError):
            stored = None
        return accepted, stored
