"""What the local stack decides before anything runs, and what it shows of what runs."""

from __future__ import annotations

import io
import socket
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from infra.dev import ports
from infra.dev.meter import accepted_total, rate
from infra.dev.stack import Options, Places, child_environment, find_places, local_settings, told_environment
from infra.dev.terminal import LiveTerminal, PlainTerminal, Service, View, changes, open_terminal, picture
from infra.runtime.settings import ClickHouseSettings, IngestSettings, KafkaSettings, RegistrySettings, Settings

PLACES = Places(broker=19092, clickhouse=18123, ingest=18080, pages=18501, workers=(16067,))


def test_what_is_left_open_is_started_here_and_sized_for_one_machine() -> None:
    local = local_settings(Settings(data_dir=Path("here")), Options(demo=True), PLACES)
    assert local.kafka.bootstrap_servers == "127.0.0.1:19092"
    assert (local.kafka.partitions, local.kafka.replication_factor) == (4, 1)
    assert (local.clickhouse.host, local.clickhouse.port) == ("127.0.0.1", 18123)
    assert local.dashboards.demo_sign_in
    assert local.data_dir.is_absolute()
    assert Settings(**local.model_dump()).registry_url().endswith("/here/registry.sqlite3")


def test_what_is_given_stays_as_it_is() -> None:
    given = Settings(
        kafka=KafkaSettings(bootstrap_servers="broker.example:9093", security_protocol="SASL_SSL"),
        clickhouse=ClickHouseSettings(host="store.example", port=9440, secure=True),
        registry=RegistrySettings(url="postgresql+psycopg://registry.example/r"),
    )
    local = local_settings(given, Options(), PLACES)
    assert local.kafka == given.kafka
    assert local.clickhouse == given.clickhouse
    assert local.registry == given.registry
    assert not local.dashboards.demo_sign_in


def test_a_number_of_partitions_that_is_asked_for_is_kept() -> None:
    asked = Settings(kafka=KafkaSettings(partitions=8))
    assert local_settings(asked, Options(), PLACES).kafka.partitions == 8


def test_ports_that_are_taken_are_replaced_and_said_so() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        found = find_places(Settings(ingest=IngestSettings(port=taken)), Options(workers=3))
    assert found.ingest > taken
    assert f"ingest: port {taken} is taken, using {found.ingest}" in found.notices
    assert len({found.broker, found.clickhouse, found.ingest, found.pages, *found.workers}) == 7


def test_children_know_the_settings_of_the_tree_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = ports.any_free()
    monkeypatch.setenv("ROUNDTRIP_INGEST__PORT", str(taken))
    local = local_settings(Settings(), Options(), replace(PLACES, ingest=8080))
    environment = child_environment(local)
    assert "ROUNDTRIP_INGEST__PORT" not in environment, "8080 is the default: the old variable must not come through"
    assert environment["ROUNDTRIP_KAFKA__BOOTSTRAP_SERVERS"] == "127.0.0.1:19092"
    assert "PATH" in environment


def test_no_password_is_left_in_the_data_directory() -> None:
    given = Settings(clickhouse=ClickHouseSettings(host="store.example", password=SecretStr("hush")))
    environment = given.environment()
    assert "hush" in environment.values()
    assert "hush" not in told_environment(environment).values()


VIEW = View(
    "running",
    (Service("broker", "up", 42, 95.0), Service("worker", "restarting", None, 1.0, 2, "was killed by SIGKILL")),
    (("pages", "http://127.0.0.1:8501"),),
    1234.4,
    1_000_000,
    ("pages: port 8500 is taken, using 8501",),
)


def shown(view: View) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(picture(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_says_what_is_up_how_fast_it_is_and_where() -> None:
    text = shown(VIEW)
    for part in (
        "1,234 statements a second",
        "1,000,000 in ClickHouse",
        "broker",
        "42",
        "2 min",
        "http://127.0.0.1:8501",
    ):
        assert part in text
    for part in ("restarting", "was killed by SIGKILL", "port 8500 is taken, using 8501", "Ctrl-C"):
        assert part in text


def test_only_the_newest_notice_shows_its_lines_of_a_log() -> None:
    text = shown(
        replace(VIEW, notices=("ingest died; the end of its log:\n    old words", "worker died:\n    new words"))
    )
    assert "ingest died" in text
    assert "old words" not in text
    assert "new words" in text


def test_lines_tell_what_is_new_and_nothing_twice() -> None:
    started = View("starting", (Service("broker", "starting"),), doing="starting the broker")
    assert list(changes(View("starting"), started)) == ["starting the broker", "broker: starting"]
    assert list(changes(started, replace(started, services=(Service("broker", "starting", 42, 3.0),)))) == []
    lines = list(changes(started, VIEW))
    assert lines[0] == VIEW.notices[0]
    assert "broker: up" in lines
    assert "worker: restarting (was killed by SIGKILL)" in lines
    assert lines[-1] == "  pages: http://127.0.0.1:8501"
    assert list(changes(VIEW, VIEW)) == []


def test_where_nobody_watches_plain_lines_are_written() -> None:
    stream = io.StringIO()
    terminal = open_terminal(stream)
    assert isinstance(terminal, PlainTerminal)
    with terminal:
        terminal.show(VIEW, 0.0)
        terminal.show(VIEW, 5.0)
        terminal.show(VIEW, 11.0)
    assert stream.getvalue().count("1,234 statements a second accepted") == 3  # headline, then every ten seconds
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_live_view() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    with LiveTerminal(console) as terminal:
        terminal.show(VIEW, 0.0)
    assert isinstance(console.file, io.StringIO)
    assert "broker" in console.file.getvalue()


def test_the_rate_is_over_a_window_and_survives_a_restart_of_what_is_counted() -> None:
    assert rate(deque()) is None
    assert rate(deque([(0.0, 100.0)])) is None
    assert rate(deque([(0.0, 100.0), (1.0, 200.0), (2.0, 400.0)])) == 150.0
    assert rate(deque([(0.0, 100.0), (1.0, 0.0), (2.0, 50.0)])) == 25.0


def test_accepted_statements_are_summed_over_providers() -> None:
    page = (
        "# TYPE ingest_statements_accepted_total counter\n"
        'ingest_statements_accepted_total{provider="a"} 3.0\n'
        'ingest_statements_accepted_total{provider="b"} 4.0\n'
        'ingest_statements_rejected_total{provider="a",rule="x"} 9.0\n'
    )
    assert accepted_total(page) == 7.0
