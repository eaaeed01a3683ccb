"""The front as a child process: for the local stack and for tests."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from pathlib import Path

from infra.dev.errors import require
from infra.dev.ports import any_free
from infra.dev.server import Server

HOST = "127.0.0.1"


class Front(Server):
    """A front with its store in ``data_dir``; start() goes on with what is there, after kill -9 too.

    The port is chosen at construction and kept over restarts. It listens on the loopback address only.
    """

    name = "the ClickHouse front"
    start_seconds = 60.0
    grace_seconds = 15.0

    def __init__(
        self, data_dir: Path, port: int | None = None, *, log: Path | None = None, memory_mib: int = 2048
    ) -> None:
        super().__init__()
        self.data_dir = data_dir.absolute()
        self.host = HOST
        self.port = port or any_free(HOST)
        self.log_path = log or self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._memory_mib = memory_mib

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """The command line that runs the front; raises LocalStackError when chdb is not installed."""
        require("chdb", "the ClickHouse front")
        return [
            *(sys.executable, "-m", "infra.dev.front"),
            *("--path", str(self.data_dir), "--host", self.host, "--port", str(self.port)),
            *("--memory-mib", str(self._memory_mib)),
        ]

    def answers(self) -> bool:
        """Whether it answers /ping."""
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1.0) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
