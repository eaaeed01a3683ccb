"""Corrections on their way into the log, each once: until its owner has written it, it is found again.

What is found again after that did not hold: a worker that was paused, or that had just lost the first partition, may
have put into the log what it had found before. It goes into the log again then, after ever longer pauses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, cast

from schemas.events import Item
from streams.corrections.items import Correction, Name

MOST_SECONDS: Final = 3600.0
"""Longest that a correction is held back."""
PAUSE_SECONDS: Final = 2.0
"""Before a correction that was written goes into the log a third time; twice as long before each further time."""
MOST_REMEMBERED: Final = 200_000

Offsets = Mapping[int, int]
"""Partition of the statements topic to an offset."""


class _Sent(NamedTuple):
    """When it went into the log last, the last offsets of what went there with it, and how often it did."""

    at: float
    offsets: Offsets
    times: int


class Lately:
    """Names of what went into the log lately; ``seconds`` runs steadily. Used by one thread at a time."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sent: dict[Name, _Sent] = {}
        self._written: Offsets = {}

    def __contains__(self, name: object) -> bool:
        sent = self._sent.get(cast("Name", name))
        if sent is None:
            return False
        waited = self._seconds() - sent.at
        if any(self._written.get(partition, -1) < offset for partition, offset in sent.offsets.items()):
            return waited <= MOST_SECONDS
        return sent.times > 1 and waited <= min(PAUSE_SECONDS * 2.0 ** (sent.times - 2), MOST_SECONDS)

    def written(self, offsets: Offsets) -> None:
        """How far the sinks are; the store is read after this."""
        self._written = offsets

    def add(self, names: Iterable[Name], offsets: Offsets) -> None:
        """These are in the log now, up to these offsets."""
        now = self._seconds()
        for name in names:
            before = self._sent.pop(name, None)
            self._sent[name] = _Sent(now, offsets, before.times + 1 if before else 1)

    def trim(self) -> None:
        """Forget what is old, and the oldest beyond the limit."""
        now = self._seconds()
        surplus = len(self._sent) - MOST_REMEMBERED
        old = [name for name, sent in self._sent.items() if now - sent.at > MOST_SECONDS]
        for name in {*old, *islice(self._sent, max(surplus, 0))}:
            del self._sent[name]


class Outbox:
    """Publishes what was not published lately."""

    def __init__(self, publish: Callable[[Sequence[Item]], Awaitable[Offsets]], lately: Lately) -> None:
        """``publish`` returns the last offset of each partition when all items are in the log."""
        self._publish = publish
        self._lately = lately

    async def put(self, corrections: Iterable[Correction]) -> list[Correction]:
        """Return those that are new, when they are in the log. Raises what ``publish`` raises."""
        self._lately.trim()
        new = list({one.name: one for one in corrections if one.name not in self._lately}.values())
        if new:
            offsets = await self._publish([one.item for one in new])
            self._lately.add((one.name for one in new), offsets)
        return new
