"""The front as a process: what a contract with a server does not say."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import psutil
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from infra.dev.errors import LocalStackError
from infra.dev.front.process import Front

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with Front(tmp_path / "store") as front:
        yield front


def connect(front: Front, **options: Any) -> Client:
    return clickhouse_connect.get_client(
        host=front.host, port=front.port, autogenerate_session_id=False, query_retries=0, **options
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_no_acknowledged_insert_is_lost_when_the_front_is_killed_in_the_middle_of_inserts(front: Front) -> None:
    with connect(front) as client:
        client.command("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    acknowledged: list[int] = []

    def insert(first: int) -> None:
        number = first
        try:
            with connect(front) as client:
                while True:
                    client.insert("kept", [[number]], column_names=["n"])
                    acknowledged.append(number)
                    number += 4
        except (ClickHouseError, OSError):
            return

    writers = [threading.Thread(target=insert, args=(first,)) for first in range(4)]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(acknowledged) > 100)
    front.kill()
    for writer in writers:
        writer.join()
    front.start()
    with connect(front) as client:
        stored = {row[0] for row in client.query("SELECT n FROM kept").result_rows}
    assert set(acknowledged) <= stored


def test_a_stopped_front_goes_on_with_its_tables(front: Front) -> None:
    with connect(front) as client:
        client.command("CREATE DATABASE kept")
        client.command("CREATE TABLE kept.t (n UInt64) ENGINE = ReplacingMergeTree ORDER BY n")
        client.insert("t", [[1]], column_names=["n"], database="kept")
    front.restart()
    with connect(front) as client:
        assert client.query("SELECT n FROM kept.t").result_rows == [(1,)]


def test_a_large_result_passes_through_bounded_memory(front: Front) -> None:
    process = psutil.Process(front.pid)
    rows, most = 0, 0
    with connect(front) as client:
        query = "SELECT number, repeat(toString(number), 20) FROM numbers(1000000)"
        with client.query_row_block_stream(query) as stream:
            for block in stream:
                rows += len(block)
                most = max(most, process.memory_info().rss)
    assert rows == 1_000_000
    assert most < 1024**3, "some 130 MB of result: the front held it all, and more than once"


def test_a_query_that_takes_too_much_memory_fails_and_the_front_lives_on(front: Front) -> None:
    with connect(front) as client:
        query = "SELECT length(groupArray(toString(number))) FROM numbers(100000000)"
        with pytest.raises(DatabaseError) as failed:
            client.query(query)
        assert failed.value.code == 241
        assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_query_whose_client_went_away_is_ended(front: Front) -> None:
    with connect(front) as client:
        stream = client.raw_stream("SELECT number FROM numbers(100000000000)", fmt="Native")
        assert stream.read(1000)
        stream.close()
        running = (
            "SELECT count() FROM system.processes WHERE query LIKE '%100000000000%' AND query NOT LIKE '%processes%'"
        )
        wait_for(lambda: client.query(running).result_rows == [(0,)])


def test_a_second_front_on_the_same_directory_names_the_process_that_holds_it(front: Front) -> None:
    second = Front(front.data_dir, log=front.data_dir.with_name("second.log"))
    with pytest.raises(LocalStackError, match=f"is in use by another process: PID: {front.pid}"):
        second.start()


def test_a_directory_written_by_a_newer_engine_is_refused_with_what_to_do(front: Front) -> None:
    front.stop()
    (front.data_dir / "engine_version").write_text("99.1.0.0")
    with pytest.raises(LocalStackError, match=r"was written by chdb 99\.1\.0\.0.*install the newer chdb"):
        front.start()


def test_it_says_at_start_that_it_is_a_stand_in(front: Front) -> None:
    assert "a stand-in for a ClickHouse server, for one machine" in front.log_path.read_text()


def test_a_credential_is_asked_for_when_it_is_told_to(tmp_path: Path) -> None:
    front = Front(tmp_path / "store")
    environment = {**os.environ, "ROUNDTRIP_CLICKHOUSE__PASSWORD": "secret"}
    server = subprocess.Popen([*front.command(), "--check-credentials"], env=environment)
    try:
        wait_for(front.answers)
        with pytest.raises(DatabaseError) as refused:
            connect(front, password="wrong")
        assert refused.value.code == 516
        with connect(front, password="secret") as client:
            assert client.query("SELECT 1").result_rows == [(1,)]
    finally:
        server.terminate()
        server.wait()


def test_a_command_line_client_can_ask_too(front: Front) -> None:
    with urllib.request.urlopen(f"{front.url}/?query=SELECT%201%2B1") as answer:
        assert answer.read() == b"2\n"
        assert answer.headers["X-ClickHouse-Format"] == "TabSeparated"
        assert answer.headers["X-ClickHouse-Query-Id"]


def test_help_is_shown_without_touching_anything() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "infra.dev.front", "--help"], capture_output=True, text=True, check=True
    )
    assert "stand-in for a ClickHouse server" in shown.stdout
