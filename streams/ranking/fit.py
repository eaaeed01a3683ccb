"""The fit of the score's weights: a ridge logistic regression for each week, and a shrunken offset for each course.

In batch, apart from the stream, deterministic: the same rows in the same order give the same weights. No isotonic or
Platt step follows: in cross-validation over the training courses chances were good without (docs/models.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from streams.ranking.features import LEFT
from streams.ranking.scoring import Ranking, WeekWeights

INVERSE_PENALTY: Final = 0.1
"""C of scikit-learn, on standardised features; between 0.01 and 0.1 cross-validation sees no difference."""
LEFT_WEIGHT: Final = 0.25
"""Weight of the log odds of having left so far. A handful of courses cannot fit it; chosen by cross-validation."""
LEFT_FROM: Final = 3
"""Week before which too few have left for it to tell anything; also by cross-validation."""
COURSE_PRIOR: Final = 100.0
"""Information (sum of p(1 − p)) that a course's offset is shrunk by: another year is not the same course."""
LEAST_ROWS: Final = 50
"""Rows with, and rows without the outcome, below which a week gets no weights of its own."""

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """A student on the last day of a week: features by name, and whether the outcome came in the end."""

    course: str
    student: str
    week: int
    features: Mapping[str, float]
    had: bool


def fit(rows: Sequence[Row], names: Sequence[str], outcome: str, within_days: int, version: int = 0) -> Ranking:
    """Weights from rows of any weeks. ValueError: in no week are there enough rows of both kinds."""
    weeks = []
    for week in sorted({row.week for row in rows}):
        here = [row for row in rows if row.week == week]
        had = sum(row.had for row in here)
        if min(had, len(here) - had) >= LEAST_ROWS:
            weeks.append(_fit_week(week, here, names))
    if not weeks:
        raise ValueError(
            f"there is no week with {LEAST_ROWS} students who had the outcome and {LEAST_ROWS} who had not: the score"
            " needs more history"
        )
    return Ranking(outcome, within_days, list(names), weeks, version)


def matrix(rows: Sequence[Row], names: Sequence[str]) -> Floats:
    """Features, shape (rows, names)."""
    return np.array([[row.features[name] for name in names] for row in rows], dtype=np.float64)


def _fit_week(week: int, rows: Sequence[Row], names: Sequence[str]) -> WeekWeights:
    values, had = matrix(rows, names), np.array([row.had for row in rows], dtype=np.float64)
    courses = [row.course for row in rows]
    means, spreads = values.mean(axis=0), values.std(axis=0)
    spreads[spreads < 1e-9] = 1.0
    if LEFT in names:  # its weight is per unit, around the mean of courses, large or small
        place = names.index(LEFT)
        means[place], spreads[place] = np.unique(values[:, place]).mean(), 1.0
    scaled = (values - means) / spreads
    free = np.array([name != LEFT for name in names])
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000, tol=1e-8).fit(scaled[:, free], had)
    weights, base = np.full(len(names), LEFT_WEIGHT if week >= LEFT_FROM else 0.0), float(model.intercept_[0])
    weights[free] = model.coef_[0]
    said = 1.0 / (1.0 + np.exp(-(scaled @ weights + base)))
    return WeekWeights(
        week=week,
        base=base,
        means=means.tolist(),
        spreads=spreads.tolist(),
        weights=weights.tolist(),
        courses=_offsets(courses, had - said, said * (1.0 - said)),
    )


def _offsets(courses: Sequence[str], residuals: Floats, information: Floats) -> dict[str, float]:
    """One Newton step for an offset of each course with a normal prior around 0."""
    named = np.array(courses)
    return {
        course: float(residuals[named == course].sum() / (information[named == course].sum() + COURSE_PRIOR))
        for course in sorted(set(courses))
    }
