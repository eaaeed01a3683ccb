"""Waiting for a process to answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from infra.dev.errors import LocalStackError
from infra.dev.processes import last_lines


def until_ready(
    name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, timeout_seconds: float
) -> None:
    """Return when ``ready`` says so.

    Raises LocalStackError with the last lines of the log when the process ends first or the time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"ended with code {process.returncode}" if ended else f"did not answer in {timeout_seconds:g} s"
            tail = "\n".join(last_lines(log))
            raise LocalStackError(f"{name} {what}; the end of its log, {log}:\n{tail}")
        time.sleep(0.03)
