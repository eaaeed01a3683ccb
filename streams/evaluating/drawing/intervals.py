"""Groups compared: one row each, one panel a series, every value with its interval, its number and its n."""

from __future__ import annotations

from typing import Final

from infra.runtime.written import written
from schemas.reports import Figure, Point
from streams.evaluating.drawing.parts import WIDTH, frame, mark, stroke, text, ticks

_ROW: Final = 26.0
_TOP: Final = 34.0
_LETTER: Final = 6.6
_BESIDE: Final = 108.0


def draw(figure: Figure) -> str:
    """Panels share their axis, so that they can be compared."""
    shown = [line for line in figure.series if line.points]
    groups = list(dict.fromkeys(str(point.x) for line in shown for point in line.points))
    left = min(210.0, 14 + _LETTER * max(len(group) for group in groups))
    wide = (WIDTH - left) / len(shown) - _BESIDE
    values = [value for line in shown for point in line.points for value in (point.high, point.y) if value is not None]
    lows = [value for line in shown for point in line.points for value in (point.low, point.y) if value is not None]
    steps = ticks(0.0 if figure.y.form == "percent" else min(lows), max(values), 4)
    bottom = _TOP + _ROW * len(groups)
    parts = [text(0, _TOP + _ROW * row + 17, group, "ink") for row, group in enumerate(groups)]
    for panel, line in enumerate(shown):
        start = left + panel * (wide + _BESIDE)

        def x(value: float, start: float = start) -> float:
            return start + wide * (value - steps[0]) / (steps[-1] - steps[0])

        parts.append(text(start, 14, line.name, "ink strong"))
        for step in steps:
            parts += [stroke(x(step), _TOP, x(step), bottom, "grid")]
            parts += [text(x(step), bottom + 17, mark(step, figure.y.form), anchor="middle")]
        for point in line.points:
            if point.y is not None:
                middle = _TOP + _ROW * groups.index(str(point.x)) + 13
                parts += _row(figure, point, point.y, middle, x(point.y), start + wide)
                if point.low is not None and point.high is not None:
                    parts.insert(0, stroke(x(point.low), middle, x(point.high), middle, "between wide s0"))
    parts.append(text(left, bottom + 36, f"{figure.y.title}, with 95% intervals"))
    return frame(figure, bottom + 44, parts)


def _row(figure: Figure, point: Point, value: float, middle: float, place: float, right: float) -> list[str]:
    small = f" n {point.n:,}" if point.n is not None else ""
    return [
        f'<circle cx="{place:.1f}" cy="{middle:.1f}" r="4" class="dot s0"/>',
        f'<text x="{right + 8:.1f}" y="{middle + 4:.1f}" class="ink">{written(value, figure.y.form)}'
        f'<tspan class="soft">{small}</tspan></text>',
    ]
