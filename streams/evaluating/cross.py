"""How good a fit of the score is on students that it was not fitted on: kept with each version."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from streams.measures.groups import LEAST, error_rates
from streams.measures.lists import top
from streams.measures.reliability import ece
from streams.measures.scores import auc, log_loss
from streams.ranking.fit import Floats, Row, fit
from streams.ranking.scoring import chance, logit

FOLDS: Final = 5
SHARE: Final = 0.1
"""Of the list whose errors are told by group."""

Groups = Callable[[Row], Mapping[str, str]]
"""Who a row's student is, by kind of group: for the audit, after the scores are made."""


def cross_validated(
    rows: Sequence[Row], names: Sequence[str], groups: Groups, seed: int, done: Callable[[int], None]
) -> dict[str, Any]:
    """Measures of folds over students, of all together by week, and errors by group (top tenth of each week).

    ``done`` is told the number of folds done. ValueError as in ``fit``.
    """
    fold_of = [zlib.crc32(f"{seed}/{row.student}".encode()) % FOLDS for row in rows]
    said = np.zeros(len(rows))
    folds = []
    for fold in range(FOLDS):
        ranking = fit([row for row, mine in zip(rows, fold_of, strict=True) if mine != fold], names, "", 0)
        places = np.array([place for place, mine in enumerate(fold_of) if mine == fold], dtype=np.intp)
        for place in places:
            row = rows[place]
            said[place] = chance(logit(ranking, row.features, 7 * row.week, row.course))
        folds.append(_measures(rows, said, places))
        done(fold + 1)
    weeks = sorted({row.week for row in rows})
    by_week = {week: np.array([p for p, row in enumerate(rows) if row.week == week], dtype=np.intp) for week in weeks}
    return {
        "folds": folds,
        "all": _measures(rows, said, np.arange(len(rows))),
        "weeks": {str(week): _measures(rows, said, places) for week, places in by_week.items()},
        "groups": _errors(rows, said, by_week, groups),
    }


def _measures(rows: Sequence[Row], said: Floats, places: Any) -> dict[str, float | None]:
    had = np.array([rows[place].had for place in places], dtype=np.float64)
    ours = said[places]
    found = {"auc": auc(had, ours), "log_loss": log_loss(had, ours), "ece": ece(had, ours)}
    tenth = top(had, ours, SHARE).precision
    told = {name: value if np.isfinite(value) else None for name, value in found.items()}
    return {
        **told,
        "precision10": None if tenth is None else tenth.value,
        "base": float(had.mean()) if had.size else None,
        "n": had.size,
    }


def _errors(rows: Sequence[Row], said: Floats, by_week: Mapping[int, Any], groups: Groups) -> dict[str, Any]:
    """Of the week with most rows, so that each student counts once."""
    places = max(by_week.values(), key=len)
    had = np.array([rows[place].had for place in places], dtype=np.float64)
    listed = said[places] >= top(had, said[places], SHARE).threshold
    who = [groups(rows[place]) for place in places]
    found: dict[str, Any] = {}
    for kind in who[0]:
        errors = error_rates(had, listed, [one[kind] for one in who])
        found[kind] = {
            one.group: {"suppressed": f"n<{LEAST}"}
            if one.n is None
            else {
                "n": one.n,
                "false_positive": one.false_positive and one.false_positive.value,
                "false_negative": one.false_negative and one.false_negative.value,
            }
            for one in errors
        }
    return found
