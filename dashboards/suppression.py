"""Small groups are not shown: pure rules that turn counts into cells fit to be shown.

A cell of a table has ``size`` (students in the group) and ``count`` (those of them that something is true of).

1. A group smaller than the threshold is hidden: "n<10".
2. A count that leaves fewer than FLOOR students on one side is capped: "<3", or "all but 2 at most"; 0 is shown.
3. Where totals are shown beside the cells, one hidden or capped cell could be found by subtraction. So hidden
   groups number at least two and the threshold together, and a capped cell never stands alone: the next smallest
   cells are held back until that is so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infra.runtime.shares import hidden_groups

FLOOR: Final = 3


class Shown(StrEnum):
    """How a cell is shown."""

    EXACT = "exact"
    BELOW = "below"  # between one and FLOOR - 1
    ABOVE = "above"  # all but FLOOR - 1 at most
    SMALL = "small"  # the group is too small
    HELD_BACK = "held back"  # shown, it would give away another cell


@dataclass(frozen=True)
class Cell:
    """One cell as it may be shown. ``size`` and ``count`` are None where they may not be."""

    shown: Shown
    size: int | None
    count: int | None

    @property
    def rate(self) -> float | None:
        """Share of the group, or the bound of a capped cell."""
        if self.size is None or self.count is None or self.size == 0:
            return None
        return self.count / self.size


def cell(size: int, count: int, threshold: int) -> Cell:
    """One cell by itself, rules 1 and 2. A capped cell carries its bound as ``count``."""
    if size < threshold:
        return Cell(Shown.SMALL, None, None)
    if 0 < count < FLOOR:
        return Cell(Shown.BELOW, size, FLOOR)
    if count > size - FLOOR:
        return Cell(Shown.ABOVE, size, size - FLOOR)
    return Cell(Shown.EXACT, size, count)


def column(groups: Mapping[str, tuple[int, int]], threshold: int) -> dict[str, Cell]:
    """The cells of one column: group to (size, count) in, group to cell out, so that no total gives one away."""
    hidden = hidden_groups({name: size for name, (size, _) in groups.items()}, threshold)
    cells: dict[str, Cell] = {}
    for name, (size, count) in groups.items():
        found = cell(size, count, threshold)
        complement = name in hidden and found.shown is not Shown.SMALL
        cells[name] = Cell(Shown.HELD_BACK, None, None) if complement else found
    capped = [name for name, found in cells.items() if found.shown in (Shown.BELOW, Shown.ABOVE)]
    if len(capped) == 1 and not hidden:
        exact = [name for name, found in cells.items() if found.shown is Shown.EXACT and groups[name][0] > 0]
        if exact:
            next_smallest = min(exact, key=lambda name: (groups[name][1], name))
            cells[next_smallest] = Cell(Shown.HELD_BACK, groups[next_smallest][0], None)
    return cells


def suppress(
    rows: Sequence[Mapping[str, object]], *, group: str, size: str, counts: Sequence[str], threshold: int
) -> list[dict[str, object]]:
    """Rows of groups with each column of ``counts`` turned into cells and ``size`` None where the group is hidden."""
    sizes = {str(row[group]): _whole(row[size]) for row in rows}
    hidden = hidden_groups(sizes, threshold)
    columns = {
        name: column({str(row[group]): (_whole(row[size]), _whole(row[name])) for row in rows}, threshold)
        for name in counts
    }
    shown = []
    for row in rows:
        key = str(row[group])
        safe = {name: value for name, value in row.items() if name not in counts}
        safe[size] = None if key in hidden else row[size]
        shown.append(safe | {name: cells[key] for name, cells in columns.items()})
    return shown


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
