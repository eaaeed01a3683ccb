"""One listener's events between the log and its connection: bounded, and told when some are left out."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from ingest.tail.choosing import Asked

MAX_EVENTS: Final = 2_000
MAX_BYTES: Final = 4 * 1024 * 1024


def event(kind: str, event_id: str, data: bytes) -> bytes:
    """A server-sent event (HTML Living Standard, 9.2.5); the data has no line end, as compact JSON has none."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), event_id.encode(), data)


def heartbeat(event_id: str) -> bytes:
    """A sign of life that moves the listener's last id on and is no event."""
    return b": still here\nid: %b\n\n" % event_id.encode()


class Listener:
    """Events that wait for one connection.

    Who reads too slowly loses the newest ones: they are counted, and told by an event ``gap`` in their place.
    """

    def __init__(self, asked: Asked, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.asked = asked
        self._max_events, self._max_bytes = max_events, max_bytes
        self._events: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._last_id = self._dropped_id = ""
        self._wake = asyncio.Event()
        self.closed = False

    def push(self, event_id: str, data: bytes) -> None:
        """Add a statement, or count it as dropped where too much waits."""
        if self._dropped or len(self._events) >= self._max_events or self._size >= self._max_bytes:
            self._dropped += 1
            self._dropped_id = event_id
            return
        self._events.append(event("statement", event_id, data))
        self._size += len(self._events[-1])
        self._last_id = event_id
        self._wake.set()

    def close(self) -> None:
        """Let whoever waits go on and end."""
        self.closed = True
        self._wake.set()

    async def take(self, timeout_seconds: float) -> bytes:
        """All events that wait; waits for one, and returns nothing where none came in time or it was closed."""
        if not self._events and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._wake.wait()
            except TimeoutError:
                return b""
        told, self._events, self._size = b"".join(self._events), [], 0
        if self._dropped:
            # The id before the gap is told, so that who wants the dropped ones can ask again from there.
            words = msgspec.json.encode({"dropped": self._dropped, "after": self._last_id})
            told += event("gap", self._dropped_id, words)
            self._dropped = 0
        return told
