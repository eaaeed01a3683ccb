"""Who watches Kafka for the pages stops when told to."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dashboards import broker
from dashboards.broker import LagReader
from infra.runtime.kafka import PartitionLag
from infra.runtime.settings import KafkaSettings, Settings


def watching() -> bool:
    return any(thread.name == "lag-watch" for thread in threading.enumerate())


def test_the_watch_looks_by_itself_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(broker, "ASK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(broker, "lag", lambda *_: [PartitionLag(0, 12, 10)])
    monkeypatch.setattr(broker, "owners", lambda *_: {"worker-1": [0]})
    assert not watching(), "the watch of other pages goes on"
    reader = LagReader(Settings(data_dir=tmp_path, kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1")))
    reader.watch()
    deadline = time.monotonic() + 30
    while len(reader.history()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [one.lag for look in reader.history()[:2] for one in look.lags or ()] == [2, 2]
    assert watching()
    reader.stop()
    assert not watching()


def test_one_that_never_watched_is_stopped_all_the_same(tmp_path: Path) -> None:
    LagReader(Settings(data_dir=tmp_path, kafka=KafkaSettings(bootstrap_servers=""))).stop()
