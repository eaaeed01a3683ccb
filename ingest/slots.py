"""Which of the ingest processes on a data directory this one is: a slot, held by a file lock for its lifetime."""

from __future__ import annotations

import fcntl
import secrets
from pathlib import Path
from typing import IO, Final, NamedTuple

_SLOTS: Final = 256


class Slot(NamedTuple):
    """``name`` is the same for each process that ever holds the slot, and for no other slot anywhere."""

    name: str
    lock: IO[str]


def take_slot(directory: Path) -> Slot:
    """Take the lowest free slot; raises OSError when none is free.

    The lock goes with the process, by kill -9 too: whoever starts next takes the same slot, and the name with it, so
    that Kafka ends the transaction that its predecessor left open.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(_SLOTS):
        lock = (directory / f"{number}.slot").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        lock.seek(0)
        name = lock.read().strip()
        if not name:
            name = secrets.token_hex(8)
            lock.write(name)
            lock.flush()
        return Slot(name, lock)
    raise OSError(f"no free slot in {directory}: {_SLOTS} ingest processes run on it already")
