"""The composition over a real broker, front and migrations; one script plays ingest, workers, pages and providers.

The services themselves have tests of their own; here it is that they are started in order with the right settings,
started again when they die, and gone at the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import psutil
import pytest
from kafka import KafkaAdminClient

from infra.dev import ports
from infra.dev.stack import read_environment
from infra.runtime.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

PLAYED = """
    import http.server, sys, time
    from infra.runtime.settings import Settings
    settings, role = Settings(), sys.argv[1]
    print(f"{role} plays", flush=True)
    if role == "simulate":
        time.sleep(600)
    sections = {"ingest": settings.ingest, "worker": settings.streams, "pages": settings.dashboards}
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b"")
    http.server.ThreadingHTTPServer(("127.0.0.1", sections[role].port), Answer).serve_forever()
"""

STACK = """
    import sys
    from infra.dev import children
    from infra.dev.errors import LocalStackError
    from infra.dev.stack import Options, run
    from infra.runtime.settings import Settings
    children.COMMAND = (sys.executable, sys.argv[1])
    try:
        sys.exit(run(Settings(), Options(demo=True, workers=2, fresh="fresh" in sys.argv, yes=True)))
    except LocalStackError as error:
        sys.exit(f"refused: {error}")
"""


class Running:
    """A stack in a process of its own."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        script = tmp_path / "played.py"
        script.write_text(textwrap.dedent(PLAYED))
        self.data_dir = tmp_path / "data"
        self.output = tmp_path / f"output-{time.monotonic_ns()}"
        first = ports.any_free()
        environment = {
            **os.environ,
            "ROUNDTRIP_DATA_DIR": str(self.data_dir),
            "ROUNDTRIP_INGEST__PORT": str(first),
            "ROUNDTRIP_DASHBOARDS__PORT": str(ports.any_free()),
            "ROUNDTRIP_STREAMS__PORT": str(ports.any_free()),
            "ROUNDTRIP_CLICKHOUSE__PORT": str(ports.any_free()),
        }
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(STACK), str(script), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def told(self) -> str:
        return self.output.read_text()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self.told()
            assert self.process.poll() is None, self.told()
            time.sleep(0.1)

    def wait_until_running(self) -> None:
        self.wait_for(lambda: "Roundtrip runs" in self.told())

    def settings(self) -> Settings:
        """What other commands find out."""
        return Settings.model_validate(nested(read_environment(self.data_dir)))

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def nested(environment: dict[str, str]) -> dict[str, object]:
    tree: dict[str, dict[str, str] | str] = {}
    for name, value in environment.items():
        section, _, key = name.removeprefix("ROUNDTRIP_").lower().partition("__")
        if key:
            branch = tree.setdefault(section, {})
            assert isinstance(branch, dict)
            branch[key] = value
        else:
            tree[section] = value
    return dict(tree)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        running.wait_for(lambda: "Roundtrip runs" in running.told())
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_all_is_started_in_order_on_migrated_services(stack: Running) -> None:
    up = [line.removesuffix(": up") for line in stack.told().splitlines() if line.endswith(": up")]
    assert set(up[:2]) == {"broker", "ClickHouse front"}
    assert set(up[2:-1]) == {"ingest", "worker 1", "worker 2", "pages"}
    assert up[-1] == "providers"
    settings = stack.settings()
    with clickhouse_connect.get_client(
        host=settings.clickhouse.host, port=settings.clickhouse.port, database="roundtrip"
    ) as client:
        assert client.command("EXISTS TABLE statements") == 1
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    try:
        [described] = admin.describe_topics(["statements"])
        assert len(described["partitions"]) == 4
    finally:
        admin.close()
    assert (stack.data_dir / "registry.sqlite3").exists()
    assert {log.stem for log in (stack.data_dir / "logs").iterdir()} == {
        *("broker", "clickhouse", "ingest", "worker-1", "worker-2", "pages", "providers")
    }


def test_a_child_that_is_killed_is_named_and_started_again_and_ctrl_c_leaves_no_process(stack: Running) -> None:
    children = psutil.Process(stack.process.pid).children(recursive=True)
    for child in children:
        if "worker" in child.cmdline() or "kafka.Kafka" in child.cmdline():
            child.kill()
    stack.wait_for(lambda: stack.told().count(": up") >= 7 + 3)
    assert "worker 1 was killed by SIGKILL, starting it again" in stack.told()
    assert "broker was killed by SIGKILL, starting it again" in stack.told()
    assert "worker plays" in stack.told(), "the end of its log"
    everyone = psutil.Process(stack.process.pid).children(recursive=True)
    assert stack.end() == 0
    assert psutil.wait_procs(everyone, timeout=30)[1] == [], "processes that are left"
    assert stack.told().rstrip().endswith("Roundtrip has stopped")
    assert read_environment(stack.data_dir) == {}


def test_a_second_start_goes_on_and_a_fresh_one_begins_anew(stack: Running, tmp_path: Path) -> None:
    store = stack.settings().clickhouse

    def count(insert: bool) -> int:
        where = stack.settings().clickhouse
        with clickhouse_connect.get_client(host=where.host, port=where.port, database="roundtrip") as client:
            if insert:
                client.command("CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n")
                client.insert("kept", [[1]], column_names=["n"])
            return int(str(client.command("EXISTS TABLE kept")))

    assert store.host
    assert count(insert=True) == 1
    stack.end()
    for arguments, expected in (((), 1), (("fresh",), 0)):
        again = Running(tmp_path, *arguments)
        try:
            again.wait_until_running()
            assert count(insert=False) == expected
            assert again.end() == 0
        finally:
            again.process.kill()
            again.process.wait()


def test_a_second_stack_on_the_same_directory_is_refused_in_words(stack: Running, tmp_path: Path) -> None:
    second = Running(tmp_path)
    assert second.process.wait(60) == 1
    assert f"refused: a stack runs on {stack.data_dir} already (process {stack.process.pid})" in second.told()


def test_a_data_directory_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "layout.json").write_text(json.dumps({"layout": 99}))
    refused = Running(tmp_path)
    assert refused.process.wait(60) == 1
    assert "--fresh" in refused.told()
