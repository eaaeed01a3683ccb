"""Health and metrics of a worker over HTTP, from a thread of its own: it answers also when the event loop hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry

from infra.runtime.logging import get_logger
from infra.runtime.metrics import exposition

log = get_logger(__name__)

_PORTS_TRIED = 100


class Health:
    """Liveness by progress, not by pulse: with lag there must have been a flush within ``timeout_seconds``.

    ``clock`` is monotonic, in seconds. ``store_away`` says in words that the store is away, which is no stall: to
    start the worker again would not bring the store back, and would cost its place in the group.
    """

    def __init__(self, timeout_seconds: float, clock: Callable[[], float]) -> None:
        self._timeout = timeout_seconds
        self._clock = clock
        self._lags: dict[int, int] = {}
        self._waiting_since: float | None = None
        self._pulse = clock()
        self.ready = False
        self.store_away: Callable[[], str] = lambda: ""

    def progress(self) -> None:
        """A batch was written."""
        self._waiting_since = self._clock() if any(self._lags.values()) else None

    def look(self, lags: dict[int, int]) -> None:
        """What is not written yet, by partition; said every few seconds."""
        self._lags = dict(lags)
        self._pulse = self._clock()
        if not any(lags.values()):
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._clock()

    def report(self) -> Report:
        """Whether the worker lives, and why not."""
        now = self._clock()
        waiting = 0.0 if self._waiting_since is None else now - self._waiting_since
        silent = now - self._pulse
        lag = sum(self._lags.values())
        away = self.store_away()
        if silent > self._timeout:
            return Report(False, self.ready, lag, f"the event loop has not come round for {silent:.0f} s")
        if waiting > self._timeout and not away:
            return Report(False, self.ready, lag, f"{lag} records wait and nothing was written for {waiting:.0f} s")
        return Report(True, self.ready and not away, lag, away)


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
