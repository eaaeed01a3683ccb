"""Child processes that leave nothing behind.

A child leads a session of its own, so that Ctrl-C in the terminal reaches only the parent, which stops its children
in order, and so that a signal to the group reaches the child's own children too.

On Linux a child is killed by the kernel when its parent dies, however that dies (prctl, PR_SET_PDEATHSIG). Other
systems have no such thing: there a parent killed with -9 leaves its children running, and the next start says so
(the data directory is locked, the ports are taken). The kernel counts the *thread* that started the child as its
parent: start children from a thread that lives as long as they shall.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def spawn(argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a child whose output is appended to ``log``; raises OSError when there is no such program.

    ``environment`` is the whole of the child's; None: that of this process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
        )


def stop(process: subprocess.Popen[bytes], grace_seconds: float) -> bool:
    """Ask the child's group to end, and kill what is left after ``grace_seconds``; True when it ended by itself."""
    signal_group(process, signal.SIGTERM)
    try:
        process.wait(grace_seconds)
        gentle = True
    except subprocess.TimeoutExpired:
        gentle = False
    kill(process)
    return gentle


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and its own children at once (SIGKILL)."""
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the child and its own children; one that is gone is no error."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        # PermissionError: what macOS answers for a group of which only an unreaped leader is left.
        return


def last_lines(log: Path, count: int = 20) -> list[str]:
    """The last lines of a log, without line ends; none when there is no such file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 16_384))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def die_with(parent: int) -> Callable[[], None]:
    """What a child has to do so that it is killed when the process that it was started by dies; Linux only."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return arrange
