"""Measures as parts of a report: tables and figures that every report draws alike."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.reports import Axis, Cell, Column, Estimate, Figure, Point, Report, Section, Series, Table
from streams.measures.groups import LEAST, Errors
from streams.measures.lists import Top
from streams.measures.reliability import Bin, distance

__all__ = [
    "Axis", "Cell", "Column", "Estimate", "Figure", "Point", "Report", "Section", "Series", "Table",
    "error_figure", "error_table", "line_figure", "reliability_figure", "top_table",
]  # fmt: skip


def reliability_figure(title: str, bins: Sequence[Bin], what: str) -> Figure:
    """The reliability diagram. ``what`` is predicted, as in "correct answers"."""
    worst = max(bins, key=lambda found: abs(found.predicted - found.observed), default=None)
    says = f"Predicted against observed share of {what} in {len(bins)} bins; mean distance {distance(bins):.3f}."
    if worst is not None:
        says += f" Farthest: predicted {worst.predicted:.2f}, observed {worst.observed:.2f} of {worst.n:,}."
    points = [Point(found.predicted, found.observed, found.low, found.high, found.n) for found in bins]
    axes = Axis(f"predicted chance of {what}", "percent"), Axis("observed share", "percent")
    return Figure("reliability", title, [Series("observed", points)], *axes, says)


def line_figure(title: str, lines: Sequence[Series], x: Axis, y: Axis) -> Figure:
    """Lines over x, each labelled at its end; what it says is each line's first and last value."""

    def told(line: Series) -> str:
        known = [point for point in line.points if point.y is not None]
        return f"{line.name}: {known[0].y:.3f} at {known[0].x}, {known[-1].y:.3f} at {known[-1].x}" if known else ""

    ends = [sentence for line in lines if (sentence := told(line))]
    return Figure("lines", title, list(lines), x, y, f"{y.title} by {x.title}. {'; '.join(ends)}.")


def top_table(title: str, tops: Sequence[tuple[str, Top]], note: str = "") -> Table:
    """Precision and recall of lists, one row a list, with the list's name."""
    columns = [Column("List"), Column("Listed", "count"), Column("Precision", "percent"), Column("Recall", "percent")]
    return Table(title, columns, [[name, one.listed, one.precision, one.recall] for name, one in tops], note)


def error_table(title: str, errors: Sequence[Errors], kind: str = "Group", least: int = LEAST) -> Table:
    """Errors by group, one row each. ``kind``: what the groups are, as in "School"."""
    columns = [Column(kind), Column("Students", "count"), Column("Had the outcome", "percent")]
    columns += [Column("Listed without cause", "percent"), Column("Missed", "percent"), Column("Precision", "percent")]
    small = f"n<{least}"
    rows: list[list[Cell]] = [
        [
            one.group,
            one.n if one.n is not None else small,
            *(rate or small for rate in (one.base, one.false_positive, one.false_negative, one.precision)),
        ]
        for one in errors
    ]
    note = (
        "Listed without cause: share of those without the outcome who were listed (false positives). Missed: share of "
        "those with it who were not (false negatives). With 95% intervals; "
        f"{small}: fewer than {least} students, or a group that would give such a one away."
    )
    return Table(title, columns, rows, note)


def error_figure(title: str, errors: Sequence[Errors]) -> Figure:
    """False-positive and false-negative rates of the groups that may be told, with intervals."""

    def series(name: str, rates: Sequence[tuple[str, Estimate | None]]) -> Series:
        told = [Point(group, rate.value, rate.low, rate.high, rate.n) for group, rate in rates if rate is not None]
        return Series(name, told)

    wrong = series("Listed without cause", [(one.group, one.false_positive) for one in errors])
    missed = series("Missed", [(one.group, one.false_negative) for one in errors])
    parts = [
        f"{line.name}: " + ", ".join(f"{point.x} {100 * (point.y or 0):.0f}% of {point.n:,}" for point in line.points)
        for line in (wrong, missed)
        if line.points
    ]
    says = f"Error rates by group. {'; '.join(parts)}."
    return Figure("intervals", title, [wrong, missed], Axis("group", "text"), Axis("share", "percent"), says)
