"""The front as a child process: for the local stack and for tests."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from infra.dev import processes
from infra.dev.errors import LocalStackError, require
from infra.dev.ports import any_free
from infra.dev.waiting import until_ready

HOST = "127.0.0.1"


class Front:
    """A front with its store in ``data_dir``; start() goes on with what is there, after kill -9 too.

    The port is chosen at construction and kept over restarts. It listens on the loopback address only.
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, *, log: Path | None = None, memory_mib: int = 2048
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.host = HOST
        self.port = port or any_free(HOST)
        self.log_path = log or self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._memory_mib = memory_mib
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running front."""
        if self._process is None:
            raise LocalStackError("the front is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def prepare(self) -> list[str]:
        """The command line that runs the front; raises LocalStackError when chdb is not installed."""
        require("chdb", "the ClickHouse front")
        return [
            *(sys.executable, "-m", "infra.dev.front"),
            *("--path", str(self.data_dir), "--host", self.host, "--port", str(self.port)),
            *("--memory-mib", str(self._memory_mib)),
        ]

    def start(self, timeout_seconds: float = 60.0) -> Self:
        """Start and wait until it answers; raises LocalStackError with the end of its log when it does not."""
        if self.running:
            return self
        self._process = processes.spawn(self.prepare(), self.log_path)
        try:
            until_ready("the ClickHouse front", self._process, self.answers, self.log_path, timeout_seconds)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, grace_seconds: float = 15.0) -> None:
        """Shut down in order; what does not end in time is killed."""
        if self._process is not None:
            processes.stop(self._process, grace_seconds)
            self._process = None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            processes.kill(self._process)
            self._process = None

    def restart(self) -> None:
        """Stop in order and start again on the same port."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether it answers /ping."""
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1.0) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
