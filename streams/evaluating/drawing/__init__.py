"""Figures of a report as inline SVG: no script, nothing from outside, colours by classes of the report's style."""

from __future__ import annotations

from schemas.reports import Figure
from streams.evaluating.drawing import intervals, lines, reliability


def svg(figure: Figure) -> str:
    """The figure as one <svg> element with its words for those who cannot see it; empty where it has no point."""
    if not any(point.y is not None for line in figure.series for point in line.points):
        return ""
    match figure.kind:
        case "reliability":
            return reliability.draw(figure)
        case "lines":
            return lines.draw(figure)
        case "intervals":
            return intervals.draw(figure)
