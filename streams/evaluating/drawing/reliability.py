"""The reliability diagram: observed over predicted share, with intervals, and below it how many there were."""

from __future__ import annotations

from typing import Final

from schemas.reports import Figure
from streams.evaluating.drawing.parts import apart, dot, frame, mark, stroke, text, upright

_LEFT: Final = 48.0
_TOP: Final = 30.0
_WIDE: Final = 400.0
_HIGH: Final = 300.0
_COUNTS: Final = 52.0
_STEPS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def draw(figure: Figure) -> str:
    """The first series has the counts below; a second one is drawn beside it for comparison."""

    def x(value: float) -> float:
        return _LEFT + _WIDE * value

    def y(value: float) -> float:
        return _TOP + _HIGH * (1 - value)

    right, base = x(1), _TOP + _HIGH + 12 + _COUNTS
    parts = [text(0, 14, figure.y.title)]
    for value in _STEPS:
        parts += [stroke(_LEFT, y(value), right, y(value), "grid"), stroke(x(value), y(1), x(value), y(0), "grid")]
        parts += [text(_LEFT - 7, y(value) + 4, mark(value, figure.y.form), anchor="end")]
        parts += [text(x(value), base + 18, mark(value, figure.x.form), anchor="middle")]
    parts += [stroke(x(0), y(0), x(1), y(1), "ideal")]
    counted = [point for point in figure.series[0].points if point.n]
    most = max((point.n or 0 for point in counted), default=1)
    for point in counted:
        tall = max(1.0, _COUNTS * (point.n or 0) / most)
        place = x(float(point.x)) - 8
        parts.append(
            f'<rect x="{place:.1f}" y="{base - tall:.1f}" width="16" height="{tall:.1f}" class="bar">'
            f"<title>{point.n:,}</title></rect>"
        )
    parts += [stroke(_LEFT, base, right, base, "axis")]
    parts += [
        text(right + 10, base - _COUNTS + 10, "how many:"),
        text(right + 10, base - _COUNTS + 26, f"up to {most:,}"),
    ]
    for number, line in reversed(list(enumerate(figure.series))):
        known = [point for point in line.points if point.y is not None]
        parts += [upright(x(float(point.x)), point, y, number) for point in known]
    wanted = [y(line.points[-1].y or 0.0) + 4 for line in figure.series if line.points]
    if len(figure.series) == 1:
        parts += [
            text(right + 10, y(1) + 4, "line: as predicted"),
            text(right + 10, y(1) + 22, "upright: 95% interval"),
        ]
    else:
        for number, (line, place) in enumerate(zip(figure.series, apart(wanted, 18), strict=True)):
            parts += [dot(right + 14, place - 4, number), text(right + 24, place, line.name, f"label s{number}")]
    parts.append(text(right, base + 36, figure.x.title, anchor="end"))
    return frame(figure, base + 44, parts)
