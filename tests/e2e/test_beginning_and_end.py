"""Starting, stopping, starting again: what a user does to the platform."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.e2e.platform import COMMAND, Platform, quiet_environment, wait
from tests.e2e.test_round_trip import STATEMENT, a_new_provider, call

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

KEPT = "SELECT count() FROM statements FINAL"


def refusal(data_dir: Path) -> str:
    """What ``roundtrip up`` says when it does not start."""
    refused = subprocess.run(
        [*COMMAND, "up", "--data-dir", str(data_dir)],
        env=quiet_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    return refused.stderr


def test_it_goes_on_where_it_ended_and_leaves_no_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Platform(tmp_path / "data", ROUNDTRIP_INGEST__PORT=str(port)).until_up() as first:
            # Mostly the next one; on a busy machine that may be taken too.
            assert re.search(rf"ingest: port {port} is taken, using (?!{port}$)\d+$", first.said(), re.MULTILINE)
            endpoint, credential = a_new_provider(first, "mathlab")
            assert f":{port}/" not in endpoint
            ids = call(f"{endpoint}/statements", credential, [STATEMENT, STATEMENT, STATEMENT])
            assert len(ids) == 3
            wait(lambda: first.ask(KEPT) == 3, first.said)

            told = refusal(tmp_path / "data")
            assert f"a stack runs on {tmp_path / 'data'} already (process {first.process.pid})" in told
            assert first.end(signal.SIGINT) == [], "processes that are left after Ctrl-C"
            assert first.process.wait() == 0
            assert first.said().rstrip().endswith("Roundtrip has stopped")

    with Platform(tmp_path / "data").until_up() as second:
        assert second.ask(KEPT) == 3
        endpoint = f"http://127.0.0.1:{second.settings().ingest.port}/xapi"
        assert call(f"{endpoint}/statements", credential, {"id": str(uuid.uuid4()), **STATEMENT})
        wait(lambda: second.ask(KEPT) == 4, second.said)
        assert len(call(f"{endpoint}/statements", credential)["statements"]) == 4
        assert second.end(signal.SIGKILL) == [], "processes that are left after kill -9"


def test_a_data_directory_of_another_layout_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text(json.dumps({"layout": 99}))
    assert f"{tmp_path} is of layout 99" in refusal(tmp_path)
    assert "--fresh" in refusal(tmp_path)
