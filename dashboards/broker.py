"""How far the workers are behind, asked of Kafka at most once in a few seconds whatever the number of open pages."""

from __future__ import annotations

import threading
import time

from kafka.errors import KafkaError

from infra.runtime.kafka import PartitionLag, lag, statements_topic
from infra.runtime.settings import KafkaSettings

_GOOD_FOR_SECONDS = 5.0


class LagReader:
    """Safe to share between threads."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._known: list[PartitionLag] | None = None
        self._until = 0.0

    def read(self) -> list[PartitionLag] | None:
        """Lag per partition; None when Kafka does not answer, or is not set."""
        if not self._settings.bootstrap_servers:
            return None
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._known = lag(self._settings, statements_topic(self._settings))
                except (KafkaError, OSError):
                    self._known = None
                self._until = time.monotonic() + _GOOD_FOR_SECONDS
            return self._known
