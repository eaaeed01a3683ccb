"""Ids of statements that came without one."""

from __future__ import annotations

import os
import uuid

_TAKEN = 256


class StatementIds:
    """Random UUIDs of version 4 (RFC 9562, 5.4), their bits drawn from the system for many at once."""

    def __init__(self) -> None:
        self._bits = b""
        self._used = 0

    def new(self) -> str:
        """An id that was never given before."""
        if self._used == len(self._bits):
            self._bits = os.urandom(16 * _TAKEN)
            self._used = 0
        self._used += 16
        return str(uuid.UUID(bytes=self._bits[self._used - 16 : self._used], version=4))
