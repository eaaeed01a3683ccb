"""Live traffic: what providers post now, at a chosen rate, by students who still take part.

It takes the clock as an argument and keeps sessions going over minutes, so a video that was started is paused later.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import accumulate, count
from typing import Final

from infra.dev.simulation import mishaps
from infra.dev.simulation.chance import chance, uuid4_of
from infra.dev.simulation.content import PROVIDERS, Provider
from infra.dev.simulation.district import District
from infra.dev.simulation.habits import attendance, course, lms, practice, video
from infra.dev.simulation.habits.telling import SECOND, Told, instant, skill_for
from infra.dev.simulation.people import Student
from infra.dev.simulation.timeline import Post, encode

_QUIET: Final = 0.15
"""Engagement below which a student does nothing live: else the silence of the fading would be filled."""
_HABITS: Final = (practice, video, course, lms)
_SHARES: Final = (0.42, 0.26, 0.16, 0.1, 0.06)
"""Of new sessions: the habits above, then attendance."""
_AWAY_EVERY: Final = 20 * 60 * SECOND
_AWAY_FOR: Final = 3 * 60 * SECOND
_LATE_EVERY: Final = 3 * 60 * SECOND
_LATE_BY: Final = 48 * 3600 * SECOND


class Live:
    """Makes live traffic from ``start`` on (µs since the epoch), the ``day``-th school day of the district."""

    def __init__(self, district: District, *, start: int, day: int) -> None:
        self._rng = chance(district.seed, "live", start)
        self._day = day
        self._term_days = district.term_days
        self._start = start
        self._late_at = start + _LATE_EVERY // 3
        self._active = [s for s in district.students if s.traits.engagement_on(day) >= _QUIET]
        self._weights = list(accumulate(s.traits.engagement_on(day) for s in self._active))
        self._due: list[tuple[int, int, Told]] = []
        self._number = count()
        self._held: list[Told] = []

    def tick(self, now: int, budget: int) -> list[Post]:
        """What is posted at ``now``: some ``budget`` statements, and what was held back while a provider was away."""
        told = list(self._released(now))
        for _ in range(budget):
            if not self._due or self._due[0][0] > now:
                self._begin(now)
            told.append(heapq.heappop(self._due)[2])
        if now >= self._late_at:
            self._late_at += _LATE_EVERY
            told += self._late(now)
        away = self.away(now)
        self._held += (t for t in told if t.provider is away)
        return [Post(t.at, t.statement["id"], t.provider, encode(t.statement)) for t in told if t.provider is not away]

    def away(self, now: int) -> Provider | None:
        """The provider that is off line at ``now``, if any: one for three minutes of each twenty."""
        turn, into = divmod(now - self._start - _AWAY_EVERY // 2, _AWAY_EVERY)
        return PROVIDERS[turn % len(PROVIDERS)] if 0 <= into < _AWAY_FOR and turn >= 0 else None

    def invalid(self, now: int) -> tuple[Provider, bytes]:
        """A statement that its provider will be refused."""
        rng = self._rng
        provider = rng.choice(PROVIDERS)
        return provider, encode(mishaps.invalid(rng, rng.choice(self._active), provider, uuid4_of(rng), now))

    def _released(self, now: int) -> Iterator[Told]:
        away = self.away(now)
        if self._held and self._held[0].provider is not away:
            yield from self._held
            self._held.clear()

    def _begin(self, now: int) -> None:
        """Start one session: its first statement is told now, the others when their time has come."""
        rng = self._rng
        student = rng.choices(self._active, cum_weights=self._weights)[0]
        told = list(self._session(student, now))
        early = told[0].at - now  # an answer is told when it is given: such a session began a little before
        for one in told:
            at = one.at - early
            one.statement["timestamp"] = instant(at)
            heapq.heappush(self._due, (at, next(self._number), Told(at, one.provider, one.statement)))

    def _session(self, student: Student, now: int) -> Iterator[Told]:
        rng = self._rng
        kind = rng.choices(range(len(_SHARES)), _SHARES)[0]
        if kind == len(_HABITS):
            yield attendance.mark(rng, student, now, present=True, what=rng.choice(("tutoring", "library", "club")))
            return
        skill = skill_for(rng, student, self._day, self._term_days)
        yield from _HABITS[kind].session(rng, student, skill, self._day, now)

    def _late(self, now: int) -> Iterator[Told]:
        """Some tablets come back on line with what was answered two days ago."""
        rng = self._rng
        for student in rng.sample(self._active, min(4, len(self._active))):
            skill = skill_for(rng, student, self._day, self._term_days)
            yield from practice.session(rng, student, skill, self._day, now - _LATE_BY)


def share_of_rate(hour: float) -> float:
    """Share of the chosen rate at an hour of the local day, 0 to 24: full in school hours, never silent."""
    if 8 <= hour < 15:
        return 1.0
    return 0.7 if 15 <= hour < 21 else 0.5
