"""Rules on expected work: not handed in, and handed in late.

Of the last twenty school days, less two of grace (scores and hand-ins are often told later), the work that was due
counts. Work that hardly anyone of the section handed in was not collected here and counts for nobody, and neither
does work that was due before the student was first heard of.

Sources: work that is not handed in is the strongest early sign in course data (Kuzilek et al. 2017, Scientific Data 4,
170171: the last due item missed, precision .76 for withdrawing or failing, measured for this product); effort as a part
of course performance (Allensworth & Easton 2007, What Matters for Staying On-Track and Graduating).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from streams.warning.facts import StudentFacts, Work
from streams.warning.frame import Frame
from streams.warning.history import Episode
from streams.warning.hysteresis import CLEAR, HOLD, RAISE, Lines, Reading
from streams.warning.hysteresis import episodes as fold
from streams.warning.rates import Rate

MISSING = "missing_work"
LATE = "late_work"
WINDOW = 20
GRACE = 2
MISSING_SHARE = 1 / 3
LATE_SHARE = 1 / 2
LINES = Lines(clear_days=3, cool_down=10)


def is_missing(work: Work, day: int) -> bool:
    """Whether it is known on a day that a piece of work was not handed in. A score above zero tells that it was."""
    return not _by(work.submitted, day) and not (_by(work.scored, day) and bool(work.score))


def is_late(work: Work, day: int) -> bool:
    """Whether it was handed in by a day, and after it was due."""
    return work.submitted is not None and work.due < work.submitted <= day


def missing(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days."""
    least = frame.thresholds.missing_work

    def rate(some: Sequence[Work], day: int) -> Rate:
        return Rate(sum(is_missing(work, day) for work in some), len(some))

    return _episodes(MISSING, facts, frame, least, MISSING_SHARE, rate, "are missing")


def late(facts: StudentFacts, frame: Frame) -> list[Episode]:
    """Episodes in order; places are school days. Only what was handed in counts."""
    least = frame.thresholds.late_work

    def rate(some: Sequence[Work], day: int) -> Rate:
        handed_in = [work for work in some if _by(work.submitted, day)]
        return Rate(sum(is_late(work, day) for work in handed_in), len(handed_in))

    return _episodes(LATE, facts, frame, least, LATE_SHARE, rate, "came late")


def _episodes(
    rule: str,
    facts: StudentFacts,
    frame: Frame,
    least: int,
    share: float,
    rate: Callable[[Sequence[Work], int], Rate],
    words: str,
) -> list[Episode]:
    begun = min((day.day for day in facts.days), default=frame.today)
    expected = sorted((work for work in facts.work if work.due >= begun and work.heard is not None), key=_by_due)
    dues, held = [work.due for work in expected], frame.held
    every = sorted(work.due for work in facts.work)
    if sum(work.submitted is None or work.submitted > work.due for work in expected) < least:
        return []

    def judge(place: int, raised: Reading | None) -> Reading | None:
        if place < GRACE:
            return None
        day, until = held[place], held[place - GRACE]
        year = frame.year_of(day) - 1
        since = max(held[place - WINDOW] if place >= WINDOW else 0, year)
        first, last = bisect_right(dues, since), bisect_right(dues, until)
        if raised is None and last - first < least:
            return None
        some = [work for work in expected[first:last] if _by(work.heard, day)]
        now = rate(some, day)
        if now.hits >= least and now.share >= share:
            level = RAISE
        elif raised is None:
            return None
        else:
            level = HOLD if 2 * now.hits > least and 2 * now.share > share else CLEAR
        earlier = [work for work in expected[bisect_right(dues, year) : first] if _by(work.heard, day)]
        past = rate(earlier, day)
        before = f"; {past.hits} of {past.of} before that" if past.of else ""
        backing = tuple(sorted({provider for work in expected[:last] for provider in work.providers}))
        return Reading(
            day, level, now.share, past.share, some[0].due if some else day, some[-1].due if some else day, (), backing,
            f"{now.hits} of the {now.of} pieces of work due in {WINDOW - GRACE} school days {words}{before}.",
            len(some) / max(bisect_right(every, until) - bisect_right(every, since), 1),
        )  # fmt: skip

    return fold(rule, frame, LINES, len(held), judge, None, float(least), ends=frame.turns)


def _by(when: int | None, day: int) -> bool:
    return when is not None and when <= day


def _by_due(work: Work) -> tuple[int, str]:
    return work.due, work.item
