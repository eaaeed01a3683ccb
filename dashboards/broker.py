"""What Kafka and the worker next door say about the way of the data, asked every few seconds for all open pages."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kafka.errors import KafkaError

from infra.runtime.kafka import PartitionLag, lag, owners, statements_topic
from infra.runtime.settings import Settings

ASK_AGAIN_SECONDS = 5.0
_GOOD_FOR_SECONDS = 20.0
_PATIENCE_SECONDS = 1.0
_HEALTH_SECONDS = 0.5
_KEPT = 180
"""Looks that are remembered: a quarter of an hour."""


@dataclass(frozen=True)
class Look:
    """What was seen at ``at``.

    Attributes:
        lags: lag per partition; None: Kafka did not answer.
        owners: partitions by the member of the workers' group that reads them; None: not known.
        fault: what the worker on this machine says is wrong with it, in its words; empty: nothing, or none is here.
    """

    at: datetime
    lags: Sequence[PartitionLag] | None
    owners: Mapping[str, Sequence[int]] | None
    fault: str = ""


class LagReader:
    """Safe to share between threads. A broker that is away keeps a client for half a minute, but no page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_at = float("-inf")
        self._looks: deque[Look] = deque(maxlen=_KEPT)
        self._watching: threading.Thread | None = None
        self._stopped = threading.Event()

    def look(self) -> Look | None:
        """The last look; None when no Kafka is set, or it is too old to tell anything."""
        if not self._settings.kafka.bootstrap_servers:
            return None
        with self._lock:
            if self._asking is None and time.monotonic() - self._asked_at >= ASK_AGAIN_SECONDS:
                self._asking = threading.Thread(target=self._ask_once, name="lag", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(_PATIENCE_SECONDS)
        with self._lock:
            fresh = time.monotonic() - self._asked_at < _GOOD_FOR_SECONDS
            return self._looks[-1] if self._looks and fresh else None

    def watch(self) -> None:
        """Look by itself from now on, until stop(): who opens the page in the middle of a fault sees how it came."""
        if self._settings.kafka.bootstrap_servers:
            self._watching = threading.Thread(target=self._watch, name="lag-watch", daemon=True)
            self._watching.start()

    def stop(self) -> None:
        """Look no more unless asked."""
        self._stopped.set()
        if self._watching is not None:
            self._watching.join(2 * _PATIENCE_SECONDS)

    def read(self) -> Sequence[PartitionLag] | None:
        """Lag per partition; None when Kafka does not answer, or is not set."""
        look = self.look()
        return None if look is None else look.lags

    def history(self) -> list[Look]:
        """What was seen lately, in order."""
        with self._lock:
            return list(self._looks)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self.look()
            self._stopped.wait(ASK_AGAIN_SECONDS)

    def _ask_once(self) -> None:
        look = self._ask()
        with self._lock:
            self._looks.append(look)
            self._asking, self._asked_at = None, time.monotonic()

    def _ask(self) -> Look:
        kafka = self._settings.kafka
        topic = statements_topic(kafka)
        found: Sequence[PartitionLag] | None = None
        members: Mapping[str, Sequence[int]] | None = None
        try:
            found = lag(kafka, topic)
            members = owners(kafka, topic)
        except (KafkaError, OSError, ValueError):
            pass  # what was found until then is told
        return Look(datetime.now(UTC), found, members, _fault(self._settings))


def _fault(settings: Settings) -> str:
    address = f"http://{settings.streams.host}:{settings.streams.port}/health/live"
    try:
        with urllib.request.urlopen(address, timeout=_HEALTH_SECONDS) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return ""
    try:
        return str(json.loads(body)["fault"])
    except (ValueError, KeyError, TypeError):
        return ""
