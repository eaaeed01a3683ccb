"""All rules over one student."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from streams.warning import (
    absence,
    activity_time,
    falling_scores,
    falling_success,
    inactivity,
    incidents,
    marks,
    on_track,
    work,
)
from streams.warning.facts import StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode

_Rule = Callable[[StudentFacts, Frame], list[Episode]]
_RECORDED: Final[tuple[_Rule, ...]] = (
    absence.episodes,
    incidents.episodes,
    marks.failing_core,
    marks.falling_marks,
    on_track.episodes,
    work.missing,
    work.late,
    falling_scores.episodes,
)
_ACTIVITY: Final[tuple[_Rule, ...]] = (
    falling_success.episodes,
    inactivity.episodes,
    activity_time.less_time,
    activity_time.slower_pace,
)
"""Rules whose evidence is activity: what is known of it is on how many days the student could be heard of."""


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Every episode of every rule: a function of what is known of the student and of the school, and the date, alone.

    Living through a term day by day, or looking at it once at its end, gives the same episodes on the same dates.
    Below the lowest grade that is watched there are none.
    """
    if frame.raises_from > frame.today:
        return []
    recorded = [one for rule in _RECORDED for one in rule(facts, frame)]
    active = [one for rule in _ACTIVITY for one in rule(facts, frame)]
    return [*recorded, *(replace(one, coverage=_coverage(one, frame)) for one in active)]


def _coverage(episode: Episode, frame: Frame) -> float:
    """Share of the evidence's school days on which the school, and one of the providers, was heard of."""
    held, known = frame.held, frame.known
    days = held[bisect_left(held, episode.evidence_from) : bisect_right(held, episode.evidence_to)]
    unheard = frame.unheard
    told = sum(day not in unheard and known.tells_of(day, episode.providers) for day in days)
    return told / len(days) if days else 1.0
