"""For whom it is wrong: error rates by group, small groups left out and those that would give them away."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from infra.runtime.shares import hidden_groups
from schemas.reports import Estimate
from streams.measures.intervals import share
from streams.measures.scores import pair

LEAST: Final = 10
"""Students below which a group is not told."""


class Errors(NamedTuple):
    """Errors of a yes-or-no list in one group. None: the group, or what the rate is a share of, is too small.

    ``false_positive``: share of those without the outcome that were listed. ``false_negative``: share of those with it
    that were not. ``precision``: share of the listed that had it.
    """

    group: str
    n: int | None
    base: Estimate | None
    false_positive: Estimate | None
    false_negative: Estimate | None
    precision: Estimate | None


def in_order(names: Iterable[str]) -> list[str]:
    """Names as people order them: "grade 6" before "grade 10"."""
    return sorted(names, key=lambda name: [(int(part), "") if part.isdigit() else (-1, part) for part in _parts(name)])


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]


def members(
    groups: Sequence[str], who: Sequence[Hashable] | None = None, least: int = LEAST
) -> dict[str, NDArray[np.intp] | None]:
    """Row indices of each group, by name in order; None where it must not be told.

    ``who``: the student of each row, where a student has several; sizes are of students.
    """
    names = np.asarray(groups, dtype=object)
    rows = {name: np.flatnonzero(names == name) for name in in_order(set(groups))}
    sizes = {name: len(found if who is None else {who[int(row)] for row in found}) for name, found in rows.items()}
    hidden = hidden_groups(sizes, least)
    return {name: None if name in hidden else found for name, found in rows.items()}


def error_rates(outcomes: ArrayLike, listed: ArrayLike, groups: Sequence[str], least: int = LEAST) -> list[Errors]:
    """Errors in each group, one row a student, by name of the group.

    Of groups below ``least`` nothing is told, nor of further ones where a total would give them away; the same holds
    for each rate and the number that it is a share of.
    """
    true, said = pair(outcomes, listed)
    told = members(groups, least=least)
    shown = {name: rows for name, rows in told.items() if rows is not None}
    counts = {name: (true[rows] == 1, said[rows] == 1) for name, rows in shown.items()}

    def rates(of: dict[str, tuple[int, int]]) -> dict[str, Estimate | None]:
        hidden = hidden_groups({name: size for name, (_, size) in of.items()}, least)
        return {name: None if name in hidden else share(count, size) for name, (count, size) in of.items()}

    base = rates({name: (int(had.sum()), had.size) for name, (had, _) in counts.items()})
    wrong = rates({name: (int((on & ~had).sum()), int((~had).sum())) for name, (had, on) in counts.items()})
    missed = rates({name: (int((had & ~on).sum()), int(had.sum())) for name, (had, on) in counts.items()})
    right = rates({name: (int((had & on).sum()), int(on.sum())) for name, (had, on) in counts.items()})
    return [
        Errors(name, len(rows), base[name], wrong[name], missed[name], right[name])
        if rows is not None
        else Errors(name, None, None, None, None, None)
        for name, rows in told.items()
    ]
