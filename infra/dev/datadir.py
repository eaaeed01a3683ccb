"""The directory in which one local stack keeps all its state: what it holds, of which layout, and whose it is now."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import IO, Any, Self

from infra.dev.errors import LocalStackError

LAYOUT = 1
"""Number of the layout; raised when an older program could not go on with what a newer one left."""

LARGE_LOG_BYTES = 16 * 1024 * 1024

_MARK = "layout.json"
_LOCK = "lock"
_RUNNING = "stack.json"
_BEFORE_ANY_STACK = "registry.sqlite3"  # commands on an external broker and store leave no more than this


class DataDir:
    """An opened directory: nobody else opens it until it is closed or its process ends, however it ends."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @property
    def logs(self) -> Path:
        """Where each process has its log."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """Log of a process, to append to; a large one is put aside first, as ``.1``."""
        log = self.logs / f"{name}.log"
        if log.exists() and log.stat().st_size > LARGE_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    @property
    def broker(self) -> Path:
        """State of the broker."""
        return self.path / "kafka"

    @property
    def clickhouse(self) -> Path:
        """Store of the ClickHouse front."""
        return self.path / "clickhouse"

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the directory or go on with it; raises LocalStackError when it is in use, or of another layout."""
        path = path.absolute()
        _check_ours(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        mark = path / _MARK
        if not mark.exists():
            mark.write_text(json.dumps({"layout": LAYOUT}))
        (path / "logs").mkdir(exist_ok=True)
        return cls(path, lock)

    def tell_running(self, facts: dict[str, Any]) -> None:
        """Leave facts about the running stack for other commands; only the user may read them."""
        file = os.open(self.path / _RUNNING, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as opened:
            json.dump(facts, opened)

    def close(self) -> None:
        """Let others open it."""
        (self.path / _RUNNING).unlink(missing_ok=True)
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def is_used(path: Path) -> bool:
    """Whether there is anything in it."""
    return path.is_dir() and any(path.iterdir())


def empty(path: Path) -> None:
    """Remove all that a stack keeps there, of whatever layout.

    Raises LocalStackError when a stack runs on it, or when it is no data directory: nobody's files are removed.
    """
    path = path.absolute()
    if not is_used(path):
        return
    if not (path / _MARK).exists():
        raise LocalStackError(f"{path} is no data directory of Roundtrip (it has no {_MARK}): it is left as it is")
    with _lock(path):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def running(path: Path) -> dict[str, Any]:
    """Facts that the running stack left; empty when none runs on the directory."""
    try:
        with (path / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            facts: dict[str, Any] = json.loads((path / _RUNNING).read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # it is about to start, or to end
            return {}
        return facts
    except OSError:
        return {}
    return {}


def _check_ours(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise LocalStackError(f"{path} is not a directory: choose another one with --data-dir")
    mark = path / _MARK
    if not mark.exists():
        strange = [
            path for path in path.glob("*") if path.name != _LOCK and not path.name.startswith(_BEFORE_ANY_STACK)
        ]
        if strange:
            raise LocalStackError(
                f"{path} holds files that are not Roundtrip's: choose an empty directory with --data-dir"
            )
        return
    found = json.loads(mark.read_text()).get("layout")
    if found != LAYOUT:
        raise LocalStackError(
            f"{path} is of layout {found}, this version of Roundtrip keeps layout {LAYOUT}: "
            "start with --fresh to empty it, or use another directory with --data-dir"
        )


def _lock(path: Path) -> IO[str]:
    lock = (path / _LOCK).open("a+")
    for _ in range(5):  # another command that only looks whether a stack runs holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.1)
    else:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise LocalStackError(
            f"a stack runs on {path} already (process {holder}): stop it, or use another directory with --data-dir"
        )
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
