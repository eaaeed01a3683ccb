"""Raising and clearing: two lines apart, days on the better side of the lower one, and a cool-down.

Whoever stands between the two lines keeps what is: raised stays raised, clear stays clear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from streams.warning.frame import Frame
from streams.warning.history import Episode

RAISE, HOLD, CLEAR = 1, 0, -1


class Reading(NamedTuple):
    """An indicator on a day.

    Attributes:
        day: the day that is judged, which is over.
        level: RAISE beyond the line of raising, CLEAR on the better side of the line of clearing, else HOLD.
        value, baseline: the indicator, and the same in the student's own past.
        first, last: days of the evidence.
        figures: what the words are made of.
        providers: who backs it.
        says: the words, where figures alone do not make them.
        coverage: share of what the evidence is made of that is known.
    """

    day: int
    level: int
    value: float
    baseline: float
    first: int
    last: int
    figures: tuple[float, ...] = ()
    providers: tuple[str, ...] = ()
    says: str = ""
    coverage: float = 1.0


Judge = Callable[[int, Reading | None], Reading | None]
"""Reads the indicator at a place; gets the reading at which an open warning was raised, whose baseline stands while it
is open. None where nothing can be told: such a day counts for nothing."""


class Lines(NamedTuple):
    """How a rule keeps from flapping, in places (days that are judged).

    Attributes:
        clear_days: places in a row beyond the line of clearing that clear a warning: its least length.
        cool_down: places after a clearing at which nothing is raised.
    """

    clear_days: int
    cool_down: int


def episodes(
    rule: str,
    frame: Frame,
    lines: Lines,
    places: int,
    judge: Judge,
    words: Callable[[Reading], str] | None,
    threshold: Callable[[Reading], float] | float,
    *,
    ends: Collection[int] = (),
) -> list[Episode]:
    """Episodes of a rule in order: a fold over the places, so that none depends on what comes later.

    At a place in ``ends`` an open warning ends whatever is read: a new school year begins.
    """
    found: list[Episode] = []
    raised: Reading | None = None
    standing: Reading | None = None
    better = free = 0

    def close(cleared_on: int | None) -> Episode:
        assert raised is not None
        assert standing is not None
        return Episode(
            rule, raised.day, cleared_on, words(standing) if words else standing.says,
            standing.value, standing.baseline, threshold if isinstance(threshold, float) else threshold(standing),
            standing.first, standing.last, standing.providers, standing.coverage,
        )  # fmt: skip

    for place in range(places):
        reading = judge(place, raised if place not in ends else None)
        if raised is not None and place in ends:
            found.append(close(frame.held[place]))
            raised, free = None, place
        if reading is None:
            continue
        if raised is None:
            if reading.level == RAISE and place >= free and reading.day >= frame.raises_from:
                raised, standing, better = reading, reading, 0
        elif reading.level != CLEAR:
            standing, better = reading, 0
        else:
            better += 1
            if better == lines.clear_days:
                found.append(close(reading.day))
                raised, free = None, place + 1 + lines.cool_down
    if raised is not None:
        found.append(close(None))
    return found
