"""How good the ranking score is on OULAD: fitted on some presentations, tested once on later ones, beside baselines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from schemas.reports import Report
from streams.evaluating import warnings_report as parts
from streams.evaluating.asking import DataFaultError, Tell, quiet
from streams.evaluating.baselines import baselines
from streams.evaluating.oulad import courses, presentations
from streams.evaluating.weeks import Cost, Seen, rows_of
from streams.ranking.features import ACTIVITY, LEFT, WORK
from streams.ranking.fit import Floats, Row, fit
from streams.ranking.scoring import Ranking, chance, logit

OUTCOME: Final = "withdraws from the course or fails it"
LONGEST: Final = 280
"""Days within which it is told: the longest course has 269 days."""
REPORTED: Final = (2, 4, 8, 12)
"""Weeks that are reported."""
FITTED: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 24, 28)
"""Weeks that get weights of their own."""


class Scored(NamedTuple):
    """Rows of one week of the test, and each model's score of them; ``ours`` under the name of ``parts.OURS``."""

    week: int
    rows: list[Seen]
    scores: dict[str, Floats]

    @property
    def had(self) -> Floats:
        """Whether the outcome came."""
        return np.array([seen.row.had for seen in self.rows], dtype=np.float64)


class Variant(NamedTuple):
    """One set of inputs: with or without clicks."""

    name: str
    words: str
    ranking: Ranking
    weeks: list[Scored]
    score_us: float


def run(data: Path, train: str, test: str, clicks: bool | None = None, seed: int = 1, tell: Tell = quiet) -> Report:
    """The report. ``train`` and ``test`` name presentations, as 2013B+2013J; ``clicks`` None: with and without.

    Raises DataFaultError: something is missing in the folder, or there is too little to fit on.
    """
    fitted_on, tested_on = presentations(train), presentations(test)
    if not fitted_on or not tested_on:
        raise DataFaultError("name a presentation to fit on and one to test on, as 2013B and 2013J")
    if both := sorted(set(fitted_on) & set(tested_on)):
        raise DataFaultError(f"{', '.join(both)} cannot be fitted on and tested on: name another presentation")
    cost = Cost()
    past: list[Seen] = []
    future: list[Seen] = []
    for course in courses(data, [*fitted_on, *tested_on], tell):  # one at a time: the events of all may not fit
        if course.presentation in fitted_on:
            past += rows_of(course, FITTED, cost)
        else:
            future += rows_of(course, REPORTED, cost)
    wanted = [False, True] if clicks is None else [clicks]
    variants = []
    for with_clicks in wanted:
        some = [seen for seen in past if seen.clicks or not with_clicks]
        later = [seen for seen in future if seen.clicks or not with_clicks]
        if with_clicks and not (some and later):
            if clicks:
                raise DataFaultError("no course has clicks in both: studentVle.csv lacks them; try --no-clicks")
            continue
        variants.append(_variant(some, later, with_clicks, seed, tell))
    return parts.report(data.name, train, test, variants, cost, int(time.time() * 1e6), seed)


def _variant(past: list[Seen], future: list[Seen], with_clicks: bool, seed: int, tell: Tell) -> Variant:
    names = (*WORK, *ACTIVITY, LEFT) if with_clicks else (*WORK, LEFT)
    words = "with clicks" if with_clicks else "without clicks"
    rows = [seen.row for seen in past]
    try:
        ranking = fit(rows, names, OUTCOME, LONGEST)
    except ValueError as error:
        raise DataFaultError(str(error)) from None
    weeks = []
    spent = scored = 0.0
    for number, week in enumerate(REPORTED):
        tell(f"score {words}", number, len(REPORTED))
        here = [seen for seen in future if seen.row.week == week]
        before = [seen for seen in past if seen.row.week == week]
        if not here or not before:
            continue
        began = time.thread_time()
        ours = score(ranking, [seen.row for seen in here])
        spent += time.thread_time() - began
        scored += len(here)
        weeks.append(Scored(week, here, {parts.OURS: ours, **baselines(before, here, names, seed)}))
    tell(f"score {words}", len(REPORTED), len(REPORTED))
    if not weeks:
        raise DataFaultError(f"no student was active in week {REPORTED[0]} of both presentations")
    return Variant("clicks" if with_clicks else "no_clicks", words, ranking, weeks, 1e6 * spent / scored)


def score(ranking: Ranking, rows: list[Row]) -> Floats:
    """Chances of rows, by the code of the stream."""
    return np.array([chance(logit(ranking, row.features, 7 * row.week, row.course)) for row in rows])
