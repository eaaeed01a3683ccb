"""Health and metrics of a worker over HTTP, from a thread of its own: it answers also when the event loop hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry

from infra.runtime.logging import get_logger
from infra.runtime.metrics import exposition

log = get_logger(__name__)

_PORTS_TRIED = 100
START_SECONDS = 60.0
"""Until the first look the worker has so long: it waits for Kafka and the registry."""


class Health:
    """Liveness by progress, not by pulse: with lag there must be progress within ``timeout_seconds``.

    Progress is an answer of the store to what a batch asked or wrote: a batch may take long while the store is slow.
    What a restart would not mend is no stall, and told in words: a store or a broker that is away, a store that takes
    its time over one request, a partition that was stopped for its dead letters. ``clock`` is monotonic, in seconds.
    """

    def __init__(self, timeout_seconds: float, clock: Callable[[], float]) -> None:
        self._timeout = timeout_seconds
        self._clock = clock
        self._lags: dict[int, int] = {}
        self._waiting_since: float | None = None
        self._unfetched: dict[int, tuple[int, float]] = {}
        self._rebalancing_since: float | None = None
        self._began = clock()
        self._pulse: float | None = None
        self.ready = False
        self.stopped: Mapping[int, str] = {}
        """Partitions that were stopped, and why, in words."""
        self.store_away: Callable[[], str] = lambda: ""
        self.store_slow: Callable[[], str] = lambda: ""
        self.kafka_away: Callable[[], str] = lambda: ""

    def progress(self) -> None:
        """The store took or told something that a batch needs."""
        self._waiting_since = self._clock() if any(self._lags.values()) else None

    def look(
        self, lags: Mapping[int, int], unfetched: Mapping[int, int] | None = None, *, rebalancing: bool = False
    ) -> None:
        """What is not written yet, by partition; said every few hundred milliseconds.

        ``unfetched``: next offset to fetch, of partitions whose log goes on from there while none of it is in memory.
        """
        now = self._pulse = self._clock()
        self._lags = {partition: lag for partition, lag in lags.items() if partition not in self.stopped}
        if not any(self._lags.values()):
            self._waiting_since = None
        elif self._waiting_since is None or self.kafka_away():
            self._waiting_since = now
        before = {} if self.kafka_away() else self._unfetched
        self._unfetched = {}
        for partition, position in (unfetched or {}).items():
            known, since = before.get(partition, (position, now))
            self._unfetched[partition] = position, (since if known == position else now)
        if not rebalancing or self.kafka_away():
            self._rebalancing_since = None
        elif self._rebalancing_since is None:
            self._rebalancing_since = now

    def report(self) -> Report:
        """Whether the worker lives, and why not."""
        lag = sum(self._lags.values())
        away = self.store_away()
        if fault := self._fault():
            return Report(False, self.ready, lag, fault)
        stopped = "; ".join(f"partition {partition} is stopped: {why}" for partition, why in self.stopped.items())
        said = "; ".join(filter(None, (away, self.kafka_away(), self.store_slow(), stopped)))
        return Report(True, self.ready and not away, lag, said)

    def _fault(self) -> str:
        now = self._clock()
        if self._pulse is None:
            began = now - self._began
            return f"the worker has not started within {began:.0f} s" if began > START_SECONDS else ""
        if (silent := now - self._pulse) > self._timeout:
            return f"the event loop has not come round for {silent:.0f} s"
        if (since := self._rebalancing_since) is not None and now - since > self._timeout:
            return f"partitions have been shared out anew for {now - since:.0f} s without an end"
        for partition, (_, since) in self._unfetched.items():
            if now - since > self._timeout:
                return f"partition {partition} goes on, and nothing was fetched of it for {now - since:.0f} s"
        waiting = 0.0 if self._waiting_since is None else now - self._waiting_since
        if waiting > self._timeout and not (self.store_away() or self.store_slow()):
            return f"{sum(self._lags.values())} records wait and nothing was written for {waiting:.0f} s"
        return ""


class Report(NamedTuple):
    """What health says: live, ready (partitions assigned), lag in records, and what is wrong in words."""

    live: bool
    ready: bool
    lag: int
    fault: str


class HealthServer:
    """Serves /health/live, /health/ready and /metrics; a port that is taken is replaced by the next free one."""

    def __init__(self, host: str, port: int, health: Health, registry: CollectorRegistry) -> None:
        self._server = _bind(host, port, _handler(health, registry))
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self.port: int = self._server.server_address[1]
        if self.port != port:
            log.info("port taken", wanted=port, using=self.port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _bind(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    for number in range(port, min(port + _PORTS_TRIED, 65_535)):
        try:
            return ThreadingHTTPServer((host, number), handler)
        except OSError:
            continue
    return ThreadingHTTPServer((host, 0), handler)


def _handler(health: Health, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            report = health.report()
            if self.path == "/metrics":
                body, kind = exposition(registry)
                self._answer(HTTPStatus.OK, body, kind)
            elif self.path in ("/health/live", "/health/ready"):
                good = report.live and (report.ready or self.path == "/health/live")
                status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, msgspec.json.encode(report._asdict()), "application/json")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not worth a line each."""

    return Handler
