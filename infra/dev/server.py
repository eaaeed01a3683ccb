"""A server as one process of this machine: started until it answers, stopped in order, killed, started again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import ClassVar, Self

from infra.dev import processes
from infra.dev.errors import LocalStackError
from infra.dev.waiting import until_ready


class Server:
    """A context manager; ``name`` as in the broker. A subclass says how it is run and whether it answers."""

    name: ClassVar[str]
    start_seconds: ClassVar[float]
    grace_seconds: ClassVar[float]
    log_path: Path

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line that runs it, with all prepared that it needs; raises LocalStackError."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers now."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise LocalStackError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start and wait until it answers; raises LocalStackError with the end of its log when it does not."""
        if self.running:
            return self
        self._process = processes.spawn(self.command(), self.log_path)
        try:
            until_ready(self.name, self._process, self.answers, self.log_path, self.start_seconds)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Shut down in order; what does not end in time is killed."""
        if self._process is not None:
            processes.stop(self._process, self.grace_seconds)
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
