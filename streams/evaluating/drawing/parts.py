"""What all figures are put together from. Lengths are in the figure's own units, 640 of them across."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import floor, log10
from typing import Final

from schemas.reports import Figure, Form, Point

WIDTH: Final = 640.0
KINDS: Final = 5
"""Series that can be told apart; a further one looks like the first again, and has its label."""

Scale = Callable[[float], float]


def frame(figure: Figure, height: float, parts: Sequence[str]) -> str:
    """The whole figure."""
    said = escape(f"{figure.title}. {figure.says}", quote=True)
    return f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{said}">{"".join(parts)}</svg>'


def text(x: float, y: float, said: str, kind: str = "soft", anchor: str = "start") -> str:
    """One line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x: float, y: float, number: int) -> str:
    """A series' mark: a disc, a square, a diamond, a ring, a bar, so that colour is not all that tells them apart."""
    kind = f"dot s{number % KINDS}"
    match number % KINDS:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{kind}"/>'
        case 1:
            return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" class="{kind}"/>'
        case 2:
            return f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" class="{kind}"/>'
        case 3:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" class="ring s3"/>'
        case _:
            return f'<rect x="{x - 5:.1f}" y="{y - 1.5:.1f}" width="10" height="3" class="{kind}"/>'


def upright(x: float, point: Point, y: Scale, number: int) -> str:
    """A point with its interval, standing."""
    assert point.y is not None
    between = ""
    if point.low is not None and point.high is not None:
        between = stroke(x, y(point.low), x, y(point.high), f"between s{number % KINDS}")
    return between + dot(x, y(point.y), number)


def ticks(low: float, high: float, number: int = 5) -> list[float]:
    """Round values from the last below ``low`` to the first above ``high``, about ``number`` of them."""
    span = max(high - low, 1e-6)
    power = 10.0 ** floor(log10(span / number))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor * number >= span * 0.999)
    first = floor(low / step + 1e-9)
    found = [round(first * step, 9)]
    while found[-1] < high - step * 1e-6 or len(found) < 2:
        found.append(round((first + len(found)) * step, 9))
    return found


def mark(value: float, form: Form) -> str:
    """A tick's label, as short as it may be."""
    return f"{round(100 * value, 6):g}%" if form == "percent" else f"{value:,g}"


def apart(wanted: Sequence[float], least: float) -> list[float]:
    """Places for labels near the wanted ones, at least so far from one another, in the same order."""
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    places = [0.0] * len(wanted)
    before = float("-inf")
    for number in order:
        places[number] = before = max(wanted[number], before + least)
    # Those pushed down only by their neighbours come back up by half of it.
    shift = sum(places[number] - wanted[number] for number in order) / max(len(order), 1)
    return [place - shift for place in places]
