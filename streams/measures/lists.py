"""How good a list of the highest scores is: precision, recall and lead time at a share of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from schemas.reports import Estimate
from streams.measures.intervals import share
from streams.measures.scores import pair


class Top(NamedTuple):
    """The list of the highest scores.

    ``listed``: its length. ``threshold``: the lowest score on it. ``hits``: those of it with the outcome; of equal
    scores at its end, the part that a random order would list, so it may be broken. Precision is the share of the
    list that had the outcome, recall the share of all with the outcome that was listed. None: of nothing.
    """

    share: float
    listed: int
    threshold: float
    hits: float
    precision: Estimate | None
    recall: Estimate | None


def top(outcomes: ArrayLike, scores: ArrayLike, share_listed: float) -> Top:
    """The list of the highest ``share_listed`` of all, rounded, one at least. ValueError: not above 0 and up to 1."""
    true, said = pair(outcomes, scores)
    if not 0 < share_listed <= 1:
        raise ValueError(f"a share to list lies above 0 and up to 1, not {share_listed}")
    if not said.size:
        return Top(share_listed, 0, float("nan"), 0.0, None, None)
    listed = max(1, int(np.floor(share_listed * said.size + 0.5)))
    cut = np.partition(said, said.size - listed)[said.size - listed]
    above, tied = said > cut, said == cut
    room = listed - int(above.sum())
    hits = float(true[above].sum() + true[tied].sum() * room / int(tied.sum()))
    return Top(share_listed, listed, float(cut), hits, share(hits, listed), share(hits, int(true.sum())))


def flagged(outcomes: ArrayLike, flags: ArrayLike) -> Top:
    """The list of those that a yes-or-no rule flags, as long as it comes."""
    true, said = pair(outcomes, flags)
    listed, hits = int(said.astype(bool).sum()), float(true[said.astype(bool)].sum())
    part = listed / said.size if said.size else 0.0
    return Top(part, listed, 1.0, hits, share(hits, listed), share(hits, int(true.sum())))


class Lead(NamedTuple):
    """Time from the first listing to the outcome, for those who had it and were listed before.

    Quartiles in the unit given. ``caught`` of ``happened`` were listed before it.
    """

    happened: int
    caught: int
    lower: float
    median: float
    upper: float


def lead_time(listed_at: Sequence[float | None], happened_at: Sequence[float | None]) -> Lead:
    """One pair a student: when first listed (None: never), when it happened (None: it did not). NaN of nobody."""
    happened = [(first, when) for first, when in zip(listed_at, happened_at, strict=True) if when is not None]
    ahead = [when - first for first, when in happened if first is not None and first < when]
    if not ahead:
        return Lead(len(happened), 0, float("nan"), float("nan"), float("nan"))
    lower, middle, upper = np.quantile(ahead, (0.25, 0.5, 0.75))
    return Lead(len(happened), len(ahead), float(lower), float(middle), float(upper))
