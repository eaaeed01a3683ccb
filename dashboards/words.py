"""Sentences and numbers as people read them. Pure: the time of day is an argument."""

from __future__ import annotations

import html
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dashboards.suppression import FLOOR, Cell, Shown
from schemas.events import LATENCY_BOUNDS_MS

_DISMISSALS: Final = {
    "incorrect_data": "The data are wrong",
    "known_and_handled": "Known, and handled",
    "not_concerning": "Not concerning",
}
_STATES: Final = {"raised": "New", "intervention": "Intervention under way"}


def dismissal(code: str) -> str:
    """Why a case was dismissed."""
    return _DISMISSALS.get(code, code)


def state(code: str) -> str:
    """Where a case stands."""
    return _STATES.get(code, code.capitalize())


def count(number: float) -> str:
    """A whole number with separators."""
    return f"{round(number):,}"


def compact(number: float) -> str:
    """A number in at most five characters: 987, 12.4k, 3.1M."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return count(number)


def plural(number: int, one: str, many: str = "") -> str:
    """As in "1 student", "2 students"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """A share as a whole percentage; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f}%"


def milliseconds(value: float | None) -> str:
    """A duration: 8 ms, 1.2 s; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def latency(value: float | None) -> str:
    """A quantile of times counted in buckets: what lies at the last bound may be longer, and says so."""
    return milliseconds(value) + (" or more" if value is not None and value >= LATENCY_BOUNDS_MS[-1] else "")


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago, in the coarsest unit that still tells something."""
    if then is None:
        return "never"
    seconds = max(0, int((now - then).total_seconds()))
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h ago"
    return f"{seconds // 86400} days ago"


def duration(span: timedelta) -> str:
    """A span in one unit: 3 s, 12 min, 5 h, 2 days."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size * (2 if unit == "day" else 1):
            amount = seconds // size
            return plural(amount, unit) if unit == "day" else f"{amount} {unit}"
    return f"{seconds} s"


def clock(then: datetime, zone: ZoneInfo) -> str:
    """Time of day with seconds, in the district's zone."""
    return f"{then.astimezone(zone):%H:%M:%S}"


def exact(then: datetime, zone: ZoneInfo) -> str:
    """Day and time with the zone's name, for a tooltip."""
    return f"{then.astimezone(zone):%a %d %b %Y, %H:%M:%S %Z}"


def day(when: date) -> str:
    """A day, as in 3 Nov."""
    return f"{when.day} {when:%b}"


def moment(then: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """Relative time as HTML, with the exact time on hover."""
    if then is None:
        return "never"
    return f'<time title="{html.escape(exact(then, zone))}">{ago(then, now)}</time>'


def since(start: date, today: date) -> str:
    """A day and how far back it is, as in "3 Nov, 5 days"."""
    days = (today - start).days
    return "today" if days == 0 else f"{day(start)}, {plural(days, 'day')}"


def grade(number: int | None) -> str:
    """A grade, kindergarten being 0."""
    if number is None:
        return "no grade"
    return "Kindergarten" if number == 0 else f"Grade {number}"


def cell(shown: Cell, threshold: int, *, rate: bool = True) -> str:
    """A suppressed or exact cell: "12%", "under 7%", "n<10", "held back"."""
    if shown.shown is Shown.SMALL:
        return f"n<{threshold}"
    if shown.shown is Shown.HELD_BACK:
        return "held back"
    if not rate:
        words = {Shown.BELOW: f"<{FLOOR}", Shown.ABOVE: "nearly all"}
        return words.get(shown.shown) or count(shown.count or 0)
    prefix = {Shown.BELOW: "<", Shown.ABOVE: ">"}.get(shown.shown, "")
    return prefix + percent(shown.rate)


def names(items: list[str], most: int = 3) -> str:
    """A list in words, as in "a, b and 2 more"."""
    if len(items) > most:
        return ", ".join(items[:most]) + f" and {len(items) - most} more"
    return " and ".join(([", ".join(items[:-1])] if len(items) > 1 else []) + items[-1:])


def activity(iri: str) -> str:
    """The end of an activity's IRI, which is what a person can tell it by."""
    tail = iri.rstrip("/").rsplit("/", 2)[-2:] if iri.count("/") > 3 else [iri]
    return "/".join(tail)
