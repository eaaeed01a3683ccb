"""A worker that is stuck is started again by its supervisor; a store that is slow is waited for, in bounded memory."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from infra.dev import health
from infra.dev.supervisor import Spec, Supervisor
from tests.fixtures.envelopes import Mix, make_items
from tests.fixtures.workers import Lab
from tests.integration.test_streams_worker import assert_equals_the_reference

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MIX = Mix(students=40, skills=8, items=30, attempts=0.5, filler=50)
_STALLING = """
import asyncio, os, pathlib, sys, time
from infra.runtime.settings import Settings
from streams.agents.transport import ReadCommittedThread
from streams.app import Worker, serve
told = pathlib.Path(sys.argv[1])
def mine(what):
    return told.exists() and told.read_text() == f"{what} {os.getpid()}"
fetch, look = ReadCommittedThread._fetch_records, Worker._look
async def fetch_or_stall(self, *args, **kwargs):
    if mine("consumer"):
        await asyncio.sleep(3600)
    return await fetch(self, *args, **kwargs)
async def look_or_hang(self):
    async def hang():
        while self.health._pulse is None or not mine("loop"):
            await asyncio.sleep(0.2)
        time.sleep(3600)
    await asyncio.gather(look(self), hang())
ReadCommittedThread._fetch_records, Worker._look = fetch_or_stall, look_or_hang
sys.exit(serve(Settings()))
"""


@pytest.mark.parametrize(
    ("what", "fault"), [("consumer", "nothing was fetched of it"), ("loop", "the event loop has not come round")]
)
def test_a_worker_that_is_stuck_is_started_again_and_catches_up(
    lab: Lab, tmp_path: Path, what: str, fault: str
) -> None:
    told, base = tmp_path / "told", f"http://127.0.0.1:{lab.settings.streams.port}/health"
    shorter = lab.settings.streams.model_copy(update={"liveness_timeout_seconds": 10.0})
    lab.settings = lab.settings.model_copy(update={"streams": shorter})
    notices: list[str] = []
    with Supervisor(notices.append) as supervisor:
        argv = [sys.executable, "-c", _STALLING, str(told)]
        environment = {**os.environ, **lab.settings.environment()}
        supervisor.start(
            Spec("worker", argv, tmp_path / "worker.log", environment, health.http(f"{base}/live"), unhealthy_seconds=5)
        )

        def until(reached: object) -> None:
            deadline = time.monotonic() + 240
            while not reached():  # type: ignore[operator]
                supervisor.tick()
                assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()[-3_000:]
                time.sleep(0.1)

        def written() -> int:
            with suppress(Exception):
                return lab.count("statements")
            return -1

        lab.publish(make_items(300, 1, MIX))
        until(lambda: written() == 300)
        first = supervisor.statuses()[0].pid
        told.write_text(f"{what} {first}")
        time.sleep(2)
        lab.publish(make_items(300, 2, MIX))
        faults: set[str] = set()

        def restarted() -> bool:
            with suppress(OSError):
                faults.add(asked(f"{base}/live")["fault"])
            return supervisor.statuses()[0].restarts > 0

        until(restarted)
        assert any(fault in said for said in faults), faults
        until(lambda: written() == 600)
        assert any("gave no sign of health" in notice for notice in notices)
    assert_equals_the_reference(lab)


def asked(url: str) -> dict[str, Any]:
    """What health says, be it well or not."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return msgspec.json.decode(answer.read(), type=dict[str, Any])
    except urllib.error.HTTPError as error:
        with error:
            return msgspec.json.decode(error.read(), type=dict[str, Any])


class Way:
    """A way to the store over which every request takes ``seconds`` more."""

    def __init__(self, port: int) -> None:
        self.seconds = 0.0
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client), closing(socket.create_connection(("127.0.0.1", self._port))) as store:
            threading.Thread(target=self._copy, args=(store, client, False), daemon=True).start()
            self._copy(client, store, True)

    def _copy(self, source: socket.socket, target: socket.socket, slowly: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                if slowly and data[:5] in (b"POST ", b"GET /"):
                    time.sleep(self.seconds)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def a_way_to(lab: Lab) -> Iterator[Way]:
    way = Way(lab.settings.clickhouse.port)
    slower = lab.settings.clickhouse.model_copy(update={"port": way.port})
    direct, lab.settings = lab.settings, lab.settings.model_copy(update={"clickhouse": slower})
    try:
        yield way
    finally:
        lab.settings = direct
        way.close()


def test_a_slow_store_is_waited_for_in_bounded_memory_and_the_lag_is_shown(lab: Lab) -> None:
    with a_way_to(lab) as way:
        worker = lab.start_worker()
        lab.publish(make_items(2_000, 1, MIX), size=100)
        lab.wait_for_the_end()
        process = psutil.Process(worker.pid)
        before = process.memory_info().rss
        way.seconds = 2.5
        wide = Mix(students=400, skills=8, items=30, attempts=0.3, filler=3_000)
        lab.publish(make_items(20_000, 2, wide), size=100)
        most = shown = 0
        url = f"http://127.0.0.1:{lab.settings.streams.port}/health/live"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            most = max(most, process.memory_info().rss)
            report = asked(url)
            assert report["live"], report
            shown = max(shown, report["lag"])
            time.sleep(0.5)
        assert worker.poll() is None
        assert shown > 100
        # 70 MB of statements wait in the log; two batches and what the consumer has fetched are in memory.
        assert most - before < 250_000_000
        way.seconds = 0.0
        lab.wait_for_the_end()
    assert lab.count("statements") == 22_000
