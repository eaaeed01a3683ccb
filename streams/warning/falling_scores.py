"""Rule: lower scores of work than in the student's own past, by more than their spread explains.

The last five scored pieces of work stand against the twenty before them. While a warning is open, the past is the one
that it was raised against.

Source: falling marks (Bowers, Sprott & Taff 2013, The High School Journal 96(2), 77-100), seen before the term's end.
"""

from __future__ import annotations

from streams.warning.facts import StudentFacts
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import Series

RULE = "falling_scores"
RECENT = 5
PAST = 20
LEAST_PAST = 8
LINES = Lines(clear_days=2, cool_down=3)


def episodes(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are days on which work was scored."""
    scored = sorted(
        (work.scored, work.item, work.score, work.providers)
        for work in facts.work
        if work.scored is not None and work.score is not None and work.scored < frame.today
    )
    days = [day for day, *_ in scored]
    ends = [place + 1 for place, day in enumerate(days) if place + 1 == len(days) or days[place + 1] != day]
    series, drop = Series([score for _, _, score, _ in scored]), frame.thresholds.marks_drop

    def judge(place: int, raised: Reading | None) -> Reading | None:
        end = ends[place]
        start = end - RECENT
        first = max(start - PAST, 0)
        if start - first < LEAST_PAST:
            return None
        recent = series.mean(start, end)
        if raised is None:
            past = series.mean(first, start)
            if past.mean - recent.mean < drop or not recent.below(past):
                return None
            level, usual, count = RAISE, past.mean, float(start - first)
        else:
            usual, (count,) = raised.baseline, raised.figures
            level = CLEAR if usual - recent.mean < drop / 2 else HOLD
        backing = tuple(sorted({provider for *_, providers in scored[start:end] for provider in providers}))
        return Reading(days[end - 1], level, recent.mean, usual, days[start], days[end - 1], (count,), backing)

    def words(reading: Reading) -> str:
        (count,) = reading.figures
        return (
            f"{reading.value:.0%} on average for the last {RECENT} scored pieces of work;"
            f" {reading.baseline:.0%} for the {count:.0f} before."
        ).replace("%", " %")

    return fold(RULE, frame, LINES, len(ends), judge, words, drop)
