"""``roundtrip up`` and the commands beside it, typed as a user types them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil
from clickhouse_connect.driver.client import Client

from infra.dev import ports
from infra.dev.stack import read_environment
from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import Settings

COMMAND = (sys.executable, "-m", "infra.cli")
PORTS = ("INGEST", "DASHBOARDS", "STREAMS", "CLICKHOUSE")


def quiet_environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROUNDTRIP_")} | more


class Platform:
    """One run of ``roundtrip up`` on a data directory; a context manager that leaves no process behind."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_name(f"{data_dir.name}-{time.monotonic_ns()}.out")
        chosen = {f"ROUNDTRIP_{name}__PORT": str(ports.any_free()) for name in PORTS}
        short = {"ROUNDTRIP_INGEST__CATALOGUE_REFRESH_SECONDS": "0.5", "ROUNDTRIP_KAFKA__SESSION_TIMEOUT_SECONDS": "3"}
        self.environment = quiet_environment(**{**chosen, **short, **environment})
        with self.output.open("w") as output:
            self.process = psutil.Popen(
                [*COMMAND, "up", "--data-dir", str(data_dir), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )

    def said(self) -> str:
        return self.output.read_text()

    def until_up(self) -> Self:
        wait(lambda: "Roundtrip runs" in self.said(), self.said, 180, self.process)
        return self

    def settings(self) -> Settings:
        """What the commands beside it find out."""
        told = read_environment(self.data_dir)
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            return Settings()
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    @contextmanager
    def store(self) -> Iterator[Client]:
        with open_clickhouse(self.settings().clickhouse) as client:
            yield client

    def ask(self, query: str, **parameters: Any) -> Any:
        """The only value of a query."""
        with self.store() as client:
            return client.query(query, parameters=parameters).result_rows[0][0]

    def command(self, *arguments: str) -> list[str]:
        return [*COMMAND, *arguments, "--data-dir", str(self.data_dir)]

    def type(self, *arguments: str, seconds: float = 240) -> str:
        """Type a command beside the platform; what it says. It must succeed."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=quiet_environment(),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def child(self, *words: str) -> psutil.Process:
        """The running child whose command line ends in a word, or holds it."""
        for child in self.process.children(recursive=True):
            with suppress(psutil.Error):
                if any(word in child.cmdline() for word in words) and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        raise AssertionError(f"no {words} among the children")

    def end(self, number: int = signal.SIGINT) -> list[psutil.Process]:
        """Send a signal, wait for the end; the processes that are left."""
        everyone = [self.process, *self.process.children(recursive=True)]
        assert len(everyone) > 5
        self.process.send_signal(number)
        left: list[psutil.Process] = psutil.wait_procs(everyone, timeout=60)[1]
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(psutil.Error):
            self.process.kill()
        self.process.wait()


def wait(
    condition: Callable[[], bool], said: Callable[[], str], seconds: float = 90, process: psutil.Popen | None = None
) -> None:
    """Return when it holds; fails with what was said meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, said()
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)
