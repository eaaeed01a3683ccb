"""Reservations of the processes on one data directory: a file that each of them appends to and reads, under a lock.

A round costs tens of µs, whatever came before it, and is done in the event loop. The file is a log of 24 bytes an id;
what it says is kept in memory by each process. There are two of them, the one that is written and the one before; when
the store is sure to know the older one's ids, the next one is begun and the older one is removed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from infra.runtime.logging import get_logger
from ingest.duplicates.taking import ReservationsAwayError, Taking, decide

log = get_logger(__name__)

_ENTRY: Final = struct.Struct(">16sq")
_HEAD: Final = struct.Struct(">8s8xq")
_MAGIC: Final = b"rtids\0\0\1"
_READ_BYTES: Final = 4000 * _ENTRY.size
_TRIES: Final = 400
_PAUSE_SECONDS: Final = 0.0001
_TAIL_SECONDS: Final = 0.25
MOST_IDS: Final = 1_000_000
"""Ids in one file, at some 130 bytes of memory each: at very high rates less is told than the time asks for."""


class LocalReservations:
    """Used by one event loop; several processes, and several of these in one process, share a directory."""

    def __init__(
        self,
        directory: Path,
        seconds: float,
        clock: Callable[[], int],
        readable: Callable[[], int],
        most: int = MOST_IDS,
    ) -> None:
        """``clock`` gives µs since the epoch, ``readable`` the moment up to which all that was stored can be read in
        the store. Raises OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._kept_us = int(seconds * 1e6)
        self._clock = clock
        self._readable = readable
        self._most = most
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}
        self._number = -1
        self._file = -1
        self._read_to = 0
        self._began = 0
        self._lock = os.open(directory / "ids.lock", os.O_RDWR | os.O_CREAT, 0o600)

    async def take(self, requests: Sequence[Sequence[Taking]]) -> list[list[int]]:
        try:
            with self._alone():
                self._catch_up()
                # What only the older file has is written again: an id is remembered from when it was last taken.
                conflicts, taken = decide(requests, self._now, self._before)
                if taken:
                    self._append(taken)
                return conflicts
        except OSError as error:
            self._forget()
            raise ReservationsAwayError(repr(error)) from error

    async def run(self) -> None:
        """Read what others take before a request waits for it, and begin the next file in time."""
        while True:
            await asyncio.sleep(_TAIL_SECONDS)
            try:
                more = self._number >= 0
                while more:
                    more = self._read_some()
                    await asyncio.sleep(0)
                self.look_after()
            except (OSError, ReservationsAwayError) as error:
                log.warning("the ids that are taken cannot be read", error=repr(error))
                self._forget()

    def look_after(self) -> None:
        """Begin the next file when it is time. Raises OSError, ReservationsAwayError."""
        if self._is_due():
            with self._alone():
                self._catch_up()
                if self._is_due():
                    self._begin(self._number + 1)

    def close(self) -> None:
        self._forget()
        os.close(self._lock)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock. Whoever has it keeps it for less than a millisecond; a process that is stopped meanwhile
        must not stop this one."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE_SECONDS)
        else:
            raise ReservationsAwayError("the lock is not given back")
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Under the lock: know all that is taken. What a killed process wrote half is cut off."""
        told = os.pread(self._lock, 8, 0)
        number = int.from_bytes(told, "big") if len(told) == 8 else -1
        if number < 0:
            self._begin(0)
        elif number != self._number:
            self._change_to(number)
        while self._read_some():
            pass
        if os.fstat(self._file).st_size != self._read_to:
            os.ftruncate(self._file, self._read_to)

    def _change_to(self, number: int) -> None:
        if number == self._number + 1 and self._file >= 0:
            while self._read_some():
                pass
            self._before = self._now
        else:
            self._before = {}
            if number and (previous := self._path(number - 1)).exists():
                self._open(number - 1)
                while self._read_some():
                    pass
                self._before = self._now
                log.info("ids that are taken", file=previous.name, ids=len(self._before))
        self._open(number)

    def _open(self, number: int) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._now = {}
        self._file = os.open(self._path(number), os.O_RDWR | os.O_APPEND)
        magic, self._began = _HEAD.unpack(os.pread(self._file, _HEAD.size, 0))
        if magic != _MAGIC:
            raise OSError(f"{self._path(number)} is not a file of ids")
        self._number, self._read_to = number, _HEAD.size

    def _read_some(self) -> bool:
        """Whole entries that were not read yet, some thousand at most; whether there were any."""
        data = os.pread(self._file, _READ_BYTES, self._read_to)
        whole = len(data) - len(data) % _ENTRY.size
        if not whole:
            return False
        self._now.update(_ENTRY.iter_unpack(data[:whole]))
        self._read_to += whole
        return True

    def _append(self, taken: dict[bytes, int]) -> None:
        data = struct.pack(">" + _ENTRY.format[1:] * len(taken), *chain.from_iterable(taken.items()))
        if os.write(self._file, data) != len(data):
            raise OSError("no room for the ids that are taken")
        self._read_to += len(data)
        self._now.update(taken)

    def _is_due(self) -> bool:
        if self._number < 0 or not self._now:
            return False
        # What is in the older file was taken before this one began.
        known = not self._before or self._readable() > self._began + self._kept_us // 10
        return len(self._now) >= self._most or (known and self._clock() > self._began + self._kept_us)

    def _begin(self, number: int) -> None:
        """Under the lock: the next file. Its number is told last: killed before that, a process has changed nothing."""
        path = self._path(number)
        path.unlink(missing_ok=True)
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(made, _HEAD.pack(_MAGIC, self._clock()))
        finally:
            os.close(made)
        os.pwrite(self._lock, number.to_bytes(8, "big"), 0)
        self._change_to(number)
        self._path(number - 2).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._directory / f"ids.{number}"

    def _forget(self) -> None:
        """Read all of it again at the next round."""
        if self._file >= 0:
            os.close(self._file)
        self._file = self._number = -1
        self._now, self._before = {}, {}
