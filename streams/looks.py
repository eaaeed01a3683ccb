"""What a worker knows of the calibration in use, and since when: what it folded under a former one too late for the
switch to see is not acknowledged. Used by the event loop's thread alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

RELIED_UPON_SECONDS: Final = 3.0
"""How long a look at the registry is relied upon, from the moment it began."""


class Looks:
    """Looks at which switch was the last one, by its number; until the first, anything goes. ``clock`` tells s and goes
    on while the process is paused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, float] = {}
        self._latest = 0
        self._blind = True
        self._news = asyncio.Event()

    def saw(self, activation: int, asked_at: float) -> None:
        """The registry answered a question of that time."""
        self._latest = activation
        self._seen[activation] = asked_at
        self._tell(blind=False)

    def failed(self) -> None:
        """The registry is away: nobody can switch, or at least not without waiting for the partitions to take it up."""
        self._tell(blind=True)

    async def confirm(self, activation: int) -> bool:
        """Whether what was folded under this switch, and is written, may be acknowledged: it was still the last one a
        moment ago. Waits for the next look where the last one is old, as after a pause of the process."""
        while not self._blind:
            if self._clock() - self._seen.get(activation, float("-inf")) <= RELIED_UPON_SECONDS:
                return True
            if self._latest != activation:
                return False
            self._news.clear()
            await self._news.wait()
        return True

    def _tell(self, *, blind: bool) -> None:
        self._blind = blind
        self._news.set()
