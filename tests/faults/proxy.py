"""A proxy between a worker and the front that fails, delays or forgets by rule; one port a worker."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from infra.dev import ports
from tests.faults.schedule import TABLES, Deed

INSERT = re.compile(rb"INSERT\s+INTO\s+(?:`?roundtrip`?\.)?`?(\w+)", re.IGNORECASE)


ZOMBIE_SECONDS = 0.5
"""What a worker writes so soon after it was woken, it had in hand when it was stopped."""


class Rule(NamedTuple):
    """Waits for a request on ``table``.

    After ``seconds`` a stopped worker goes on, a hanging request is let go, a late one reaches the store.
    """

    deed: Deed
    table: str
    seconds: float


class Proxy:
    """``pid`` tells the process of the worker that talks through it; ``on_stopped`` hears when it was stopped."""

    def __init__(self, front_port: int, pid: Callable[[], int | None], on_stopped: Callable[[float], None]) -> None:
        self.front_port = front_port
        self.rules: list[Rule] = []
        self.done: list[str] = []
        self.woken_at = -ZOMBIE_SECONDS
        self._pid = pid
        self._on_stopped = on_stopped
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", ports.any_free()), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def arm(self, rule: Rule, times: int = 1) -> None:
        with self._lock:
            self.rules += [rule] * times

    def disarm(self) -> None:
        with self._lock:
            self.rules.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, table: str) -> Rule | None:
        """The rule for a request, used up."""
        with self._lock:
            for rule in self.rules:
                if rule.table == table:
                    self.rules.remove(rule)
                    self.done.append(f"{rule.deed} at {table}")
                    return rule
        return None

    def watch(self, table: str) -> None:
        """Tell of the first insert of a worker that was woken after others took over."""
        if table in TABLES and time.monotonic() - self.woken_at < ZOMBIE_SECONDS:
            self.woken_at = -ZOMBIE_SECONDS
            self.done.append("zombie wrote")

    def end_worker(self) -> None:
        if pid := self._pid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop_worker(self, seconds: float) -> None:
        if pid := self._pid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._on_stopped(seconds)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._relay(b"")

        def do_POST(self) -> None:
            self._relay(self._body())

        def _relay(self, body: bytes) -> None:
            found = INSERT.search(unquote_plus(urlsplit(self.path).query).encode()) or INSERT.search(body[:400])
            table = found[1].decode() if found else "reads"
            proxy.watch(table)
            rule = proxy.take(table)
            if rule is None:
                self._answer(self._forward(body))
                return
            deed, _, after = rule.deed.partition(" ")
            if deed == "late":
                self.close_connection = True
                time.sleep(rule.seconds)
                self._forward(body)
                return
            if deed == "kill" and not after:
                proxy.end_worker()
            answer = self._forward(body) if after or deed == "cut" else None
            if deed == "kill":
                proxy.end_worker()
            elif deed == "stop":
                proxy.stop_worker(rule.seconds)
                self._answer(answer)
                return
            elif deed == "refuse":
                self._answer((500, {"X-ClickHouse-Exception-Code": "319"}, b"Code: 319. DB::Exception: injected fault"))
                return
            elif deed == "hang":
                time.sleep(rule.seconds)
            self.close_connection = True

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "host")
            }
            connection = http.client.HTTPConnection("127.0.0.1", proxy.front_port, timeout=60)
            try:
                connection.request(self.command, self.path, body if self.command == "POST" else None, headers)
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()

        def _answer(self, answer: tuple[int, dict[str, str], bytes] | None) -> None:
            if answer is None:  # the front is away: so is the proxy
                self.close_connection = True
                return
            status, headers, body = answer
            with suppress(OSError):
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
