"""Corrections on their way into the log, each once for a while: until its owner has written it, it is found again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from schemas.events import Item
from streams.corrections.items import Correction, Name

REMEMBERED_SECONDS: Final = 3600.0
"""Longer than the owner of a partition needs to write what it reads; what is found later goes into the log again."""
MOST_REMEMBERED: Final = 200_000


class Lately:
    """Names of what went into the log lately; ``seconds`` runs steadily. Used by one thread at a time."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._at: dict[Name, float] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._at

    def add(self, names: Iterable[Name]) -> None:
        """These are in the log now."""
        now = self._seconds()
        for name in names:
            self._at.pop(name, None)
            self._at[name] = now

    def trim(self) -> None:
        """Forget what is old, and the oldest beyond the limit."""
        now = self._seconds()
        surplus = len(self._at) - MOST_REMEMBERED
        old = [name for name, at in self._at.items() if now - at > REMEMBERED_SECONDS]
        for name in {*old, *islice(self._at, max(surplus, 0))}:
            del self._at[name]


class Outbox:
    """Publishes what was not published lately."""

    def __init__(self, publish: Callable[[Sequence[Item]], Awaitable[None]], lately: Lately) -> None:
        """``publish`` returns when all items are in the log."""
        self._publish = publish
        self._lately = lately

    async def put(self, corrections: Iterable[Correction]) -> list[Correction]:
        """Return those that are new, when they are in the log. Raises what ``publish`` raises."""
        self._lately.trim()
        new = list({one.name: one for one in corrections if one.name not in self._lately}.values())
        if new:
            await self._publish([one.item for one in new])
            self._lately.add(one.name for one in new)
        return new
