"""Lines over an axis of numbers, as by week: each labelled at its end, intervals where points have them."""

from __future__ import annotations

from typing import Final

from schemas.reports import Figure
from streams.evaluating.drawing.parts import KINDS, WIDTH, apart, dot, frame, mark, stroke, text, ticks, upright

_LEFT: Final = 48.0
_TOP: Final = 30.0
_HIGH: Final = 210.0
_LETTER: Final = 6.4


def draw(figure: Figure) -> str:
    """Its y axis begins near the lowest value: differences are what lines are read for."""
    series = [(line, [point for point in line.points if point.y is not None]) for line in figure.series]
    shown = [(number, line.name, known) for number, (line, known) in enumerate(series) if known]
    points = [point for _, _, known in shown for point in known]
    values = [value for point in points for value in (point.y, point.low, point.high) if value is not None]
    steps = ticks(min(values), max(values))
    across = sorted({float(point.x) for point in points})
    span = (across[-1] - across[0]) or 1.0
    wide = WIDTH - _LEFT - 24 - _LETTER * max(len(name) for _, name, _ in shown)

    def x(value: float) -> float:
        return _LEFT + 8 + (wide - 8) * (value - across[0]) / span

    def y(value: float) -> float:
        return _TOP + _HIGH * (1 - (value - steps[0]) / (steps[-1] - steps[0]))

    parts = [text(0, 14, figure.y.title)]
    for step in steps:
        parts += [stroke(_LEFT, y(step), _LEFT + wide, y(step), "grid")]
        parts += [text(_LEFT - 7, y(step) + 4, mark(step, figure.y.form), anchor="end")]
    for value in across if len(across) <= 14 else ticks(across[0], across[-1], 8):
        if across[0] <= value <= across[-1]:
            parts.append(text(x(value), _TOP + _HIGH + 19, mark(value, figure.x.form), anchor="middle"))
    for number, _, known in shown:
        path = " ".join(f"{x(float(point.x)):.1f},{y(point.y or 0.0):.1f}" for point in known)
        parts.append(f'<polyline points="{path}" class="line s{number % KINDS}"/>')
        parts += [upright(x(float(point.x)), point, y, number) for point in known]
    places = apart([y(known[-1].y or 0.0) + 4 for _, _, known in shown], 16)
    for (number, name, _), place in zip(shown, places, strict=True):
        parts += [
            dot(_LEFT + wide + 10, place - 4, number),
            text(_LEFT + wide + 19, place, name, f"label s{number % KINDS}"),
        ]
    parts.append(text(_LEFT + wide, _TOP + _HIGH + 37, figure.x.title, anchor="end"))
    return frame(figure, _TOP + _HIGH + 45, parts)
