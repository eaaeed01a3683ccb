"""What a student's progress says by itself at the end of a day, before it is set beside the course."""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p
from typing import Any

from streams.ranking.events import FORUM, QUIZ, TYPES
from streams.ranking.progress import Clicks, Item, Progress

MOST_DAYS = 14
"""Days early or late beyond which more of them tell nothing."""
MOST_LEAD = 200


@dataclass(frozen=True, slots=True)
class Own:
    """Facts of one student; None where there is nothing to tell from.

    Attributes:
        lead: days from registration to the start.
        due, missing, late: pieces of work that fell due, of these not handed in by now, and handed in late.
        missing_share: of what fell due, by weight.
        score: share of all that could be had by now, by weight: missing work counts 0, work that waits for its mark
            does not count.
        early, early_last: days before the due day of what was handed in: mean, and of the latest that fell due.
        since: days since the last submission; since the start where there was none.
        marks: visible marks by item, in the order in which the items fall due.
        decayed: activity by half-life (3, 7, 21 days), as log1p of the decayed number of clicks; so are
            ``before_start``, ``forum`` and ``quiz`` of plain numbers.
        inactive: days since the last activity, 60 at most.
        active_days: of the last fourteen.
        missed_days, days_told: share missed of the school days that were told of, and how many these are.
        incidents: reports of behaviour.
        change: log1p of the clicks of the last seven days, less that of the seven before.
    """

    lead: float
    due: int
    missing: int
    late: int
    missing_share: float
    score: float | None
    early: float | None
    early_last: float | None
    since: int
    marks: tuple[tuple[str, float], ...]
    decayed: tuple[float, ...]
    inactive: float
    active_days: float
    change: float
    before_start: float
    forum: float
    quiz: float
    missed_days: float
    days_told: int
    incidents: int


def own(progress: Progress, day: int) -> Own:
    """Facts at the end of ``day``; all events up to it were taken in, and none after it."""
    items = sorted(progress.items.items(), key=_place)
    due = [item for _, item in items if item.due is not None and item.due <= day]
    done = [item for item in due if item.submitted is not None]
    # What was carried over from an earlier attempt says nothing about this one's days.
    days_early = [_early(item) for item in done if not item.carried_over]
    weight = sum(item.weight for item in due)
    counted = [item for item in due if item.mark is not None or item.submitted is None]
    possible = sum(item.weight for item in counted)
    fresh = [item.submitted for item in progress.items.values() if item.submitted is not None and not item.carried_over]
    told = progress.attended + progress.missed
    return Own(
        lead=float(min(-progress.registered, MOST_LEAD)),
        due=len(due),
        missing=len(due) - len(done),
        late=sum(early < 0 for early in days_early),
        missing_share=sum(item.weight for item in due if item.submitted is None) / weight if weight else 0.0,
        score=sum(item.weight * (item.mark or 0.0) for item in counted) / possible if possible else None,
        early=sum(days_early) / len(days_early) if days_early else None,
        early_last=float(days_early[-1]) if days_early else None,
        since=day - max(fresh, default=0),
        marks=tuple((name, item.mark) for name, item in items if item.mark is not None),
        missed_days=progress.missed / told if told else 0.0,
        days_told=told,
        incidents=progress.incidents,
        **_activity(progress.clicks, day),
    )


def _place(entry: tuple[str, Item]) -> tuple[bool, int, str]:
    name, item = entry
    return item.due is None, item.due or 0, name


def _early(item: Item) -> int:
    assert item.due is not None
    assert item.submitted is not None
    return max(-MOST_DAYS, min(MOST_DAYS, item.due - item.submitted))


def _activity(clicks: Clicks, day: int) -> dict[str, Any]:
    clicks.advance(day + 1)
    this, before = sum(clicks.recent[:7]), sum(clicks.recent[7:])
    typed = {kind: log1p(count) for kind, count in zip(TYPES, clicks.types, strict=True)}
    return {
        "decayed": tuple(log1p(value) for value in clicks.decayed),
        "inactive": float(min(day - clicks.active_on, 60) if clicks.active_on is not None else 60),
        "active_days": float(sum(count > 0 for count in clicks.recent)),
        "change": log1p(this) - log1p(before),
        "before_start": log1p(clicks.before_start),
        "forum": typed[FORUM],
        "quiz": typed[QUIZ],
    }
