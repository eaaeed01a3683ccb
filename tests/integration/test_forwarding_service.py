"""The local stack starts the forwarding once there is something to forward, and the service stops when told to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

from infra.dev.datadir import DataDir
from infra.dev.ports import any_free
from infra.dev.stack import Options, Places, Stack
from infra.runtime.registry import migrate, open_registry
from infra.runtime.settings import ClickHouseSettings, ForwardingSettings, KafkaSettings, Settings
from ingest.forwarding import store
from ingest.forwarding.rules import Filter, Forward


def test_the_forwarding_starts_with_the_first_forward(tmp_path: Path) -> None:
    port = any_free()
    # Nothing listens at either address: the service waits for its log.
    settings = Settings(
        data_dir=tmp_path / "data",
        kafka=KafkaSettings(bootstrap_servers=f"127.0.0.1:{any_free()}"),
        clickhouse=ClickHouseSettings(host="127.0.0.1", port=any_free()),
        forwarding=ForwardingSettings(port=port),
    )
    with DataDir.open(settings.data_dir) as data:
        terminal = cast(Any, SimpleNamespace(show=lambda view, now: None))
        places = Places(broker=0, clickhouse=0, ingest=0, pages=0, workers=())
        stack = Stack(settings, Options(), data, terminal, places, settings)
        engine = open_registry(settings.registry_url())
        migrate(engine)
        with stack._supervisor as supervisor:
            stack._start_forwarding()
            assert not supervisor.statuses(), "most districts have none"
            with engine.begin() as connection:
                store.add(connection, Forward("other", "http://127.0.0.1:9", "k", "V", "1.0.3", Filter()), 1)
            stack._look_at = 0.0
            stack._start_forwarding()
            [status] = supervisor.statuses()
            assert (status.name, status.state) == ("forwarding", "up")
            assert "forward_lag_records" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert [one.state for one in supervisor.statuses()] == ["stopped"]
        stack._meter.close()
        engine.dispose()
