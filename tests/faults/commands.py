"""Commands of an administrator beside workers and faults, one at a time, each again until it ends well."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from infra.dev import processes
from streams.calibrations import running_calibration
from tests.faults.calibrated import VERSIONS
from tests.faults.schedule import Fault

CHANGED = 1
"""Exit code of a rebuild or a replay that put something right, and of a command that broke down."""


class Commands:
    """Those that are waiting or running. ``done``: what ended, in words."""

    def __init__(self, engine: Engine, log: Path, environment: Callable[[], Mapping[str, str]]) -> None:
        self.done: list[str] = []
        self._engine = engine
        self._log = log
        self._environment = environment
        self._waiting: deque[Fault] = deque()
        self._arguments: list[str] = []
        self._began = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    @property
    def idle(self) -> bool:
        """Whether all have ended well."""
        return not self._waiting

    def tick(self) -> None:
        """Start what has to be started, kill what has to be killed."""
        if not self._waiting:
            return
        fault = self._waiting[0]
        if self._process is None:
            self._arguments = self._arguments or self._arguments_of(fault)
            self._began = time.monotonic()
            argv = [sys.executable, "-m", "infra.cli", *self._arguments]
            self._process = processes.spawn(argv, self._log, self._environment())
        elif (code := self._process.poll()) is not None:
            self._process = None
            if self._well(fault, code):
                self.done.append(fault.kind)
                self._waiting.popleft()
                self._arguments = []
        elif fault.sigkill and time.monotonic() > self._began + fault.seconds:
            self.done.append(f"kill {fault.kind}")
            processes.kill(self._process)
            self._process = None
            self._waiting[0] = replace(fault, sigkill=False)

    def kill(self) -> None:
        """End what runs, for good."""
        self._waiting.clear()
        if self._process is not None:
            processes.kill(self._process)

    def _arguments_of(self, fault: Fault) -> list[str]:
        if fault.kind == "rebuild":
            return ["rebuild", "--all"]
        if fault.kind == "replay":
            return ["replay", "--from", "3m"]
        now = running_calibration(self._engine).calibration.version
        return ["calibration", "use", str(VERSIONS[VERSIONS.index(now) - 1])]

    def _well(self, fault: Fault, code: int) -> bool:
        if fault.kind == "calibration use":  # killed when it had just ended, it refuses to do it again
            running = running_calibration(self._engine)
            return str(running.calibration.version) == self._arguments[-1] and not running.switching
        if code == CHANGED:
            self.done.append(f"{fault.kind} again")
        return code == 0
