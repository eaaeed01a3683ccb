"""Where the score counts days from: the first school day of the term that a day lies in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Engine, select

from schemas.registry.insight import line_items
from schemas.registry.tables import calendar
from streams.rows.days import as_number

LONGEST_BREAK: Final = 28
"""Days without school that begin a new school year, and with it a new term."""


class Terms:
    """The district's school days, and its terms as line items of marks tell them."""

    def __init__(self, school_days: Iterable[int], ends: Iterable[int]) -> None:
        """Days on which any school is held, and last days of terms; days since 1970-01-01."""
        self.days = sorted(set(school_days))
        self.starts = _starts(self.days, sorted(set(ends)))

    def start_of(self, day: int) -> int | None:
        """First school day of the term of a day; None: no school was held until then."""
        place = bisect_right(self.starts, day)
        return self.starts[place - 1] if place else None

    def last_before(self, day: int) -> int | None:
        """The last school day before a day."""
        place = bisect_right(self.days, day - 1)
        return self.days[place - 1] if place else None


def read_terms(engine: Engine) -> Terms:
    """From the calendar and the line items of the registry."""
    with engine.connect() as connection:
        held = connection.execute(select(calendar.c.day).where(calendar.c.in_session).distinct()).scalars().all()
        ends = connection.execute(
            select(line_items.c.due_on).where(line_items.c.kind == "mark", line_items.c.due_on.is_not(None)).distinct()
        ).scalars()
        return Terms((as_number(day) for day in held), [as_number(day) for day in ends if day is not None])


def _starts(days: Sequence[int], ends: Sequence[int]) -> list[int]:
    """The first school day, each one after a long break, and each first one after the end of a term."""
    starts = [day for place, day in enumerate(days) if place == 0 or day - days[place - 1] > LONGEST_BREAK]
    for end in ends:
        place = bisect_right(days, end)
        if 0 < place < len(days):
            starts.append(days[place])
    return sorted(set(starts))
