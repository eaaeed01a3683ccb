"""How far the workers are behind, asked of Kafka at most once in a few seconds whatever the number of open pages."""

from __future__ import annotations

import threading
import time

from kafka.errors import KafkaError

from infra.runtime.kafka import PartitionLag, lag, statements_topic
from infra.runtime.settings import KafkaSettings

_ASK_AGAIN_SECONDS = 5.0
_GOOD_FOR_SECONDS = 20.0
_PATIENCE_SECONDS = 1.0


class LagReader:
    """Safe to share between threads. A broker that is away keeps a client for half a minute, but no page."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._known: list[PartitionLag] | None = None
        self._asked_at = self._known_at = float("-inf")

    def read(self) -> list[PartitionLag] | None:
        """Lag per partition; None when Kafka does not answer, or is not set."""
        if not self._settings.bootstrap_servers:
            return None
        with self._lock:
            if self._asking is None and time.monotonic() - self._asked_at >= _ASK_AGAIN_SECONDS:
                self._asking = threading.Thread(target=self._ask, name="lag", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(_PATIENCE_SECONDS)
        with self._lock:
            return self._known if time.monotonic() - self._known_at < _GOOD_FOR_SECONDS else None

    def _ask(self) -> None:
        try:
            found = lag(self._settings, statements_topic(self._settings))
        except (KafkaError, OSError):
            found = None
        with self._lock:
            self._asking, self._asked_at = None, time.monotonic()
            if found is not None:
                self._known, self._known_at = found, self._asked_at
