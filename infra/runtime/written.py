"""How values of reports are written: in the report itself, in its figures, on pages, and on the terminal. Pure."""

from __future__ import annotations

import math

from schemas.reports import Cell, Estimate, Form, Table

NOTHING = "–"
"""Stands where there is no value."""


def written(value: Cell, form: Form) -> str:
    """A value as text; of an estimate its value alone."""
    if isinstance(value, Estimate):
        value = value.value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    match form:
        case "text":
            return f"{value:.3f}" if isinstance(value, float) else str(value)
        case "count":
            return f"{round(value):,}"
        case "percent":
            return f"{100 * value:.1f}%"
        case "microseconds":
            return f"{value:.1f} µs"
        case "days":
            return f"{value:.0f} d"
        case "number":
            return f"{value:.3f}"


def interval(value: Cell, form: Form) -> str:
    """As "58.0–66.1" where a value has an interval, else empty."""
    if not isinstance(value, Estimate) or value.low is None or value.high is None:
        return ""
    low, high = written(value.low, form), written(value.high, form)
    return f"{low.removesuffix('%')}–{high.removesuffix('%')}"


def plain(value: Cell, form: Form) -> str:
    """A whole cell in one line of text: "62.1% (58.0–66.1), n 512"."""
    said = written(value, form)
    if not isinstance(value, Estimate):
        return said
    between = interval(value, form)
    return f"{said}{f' ({between})' if between else ''}, n {value.n:,}"


def lines(table: Table) -> list[str]:
    """A table for a terminal: its heading and its rows, columns aligned, numbers to the right."""
    heads = [column.title for column in table.columns]
    rows = [[plain(cell, column.form) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]
    widths = [max(map(len, texts)) for texts in zip(heads, *rows, strict=True)]
    kinds = ["<" if column.form == "text" else ">" for column in table.columns]
    ruled = [heads, ["─" * width for width in widths], *rows]
    return [
        "  ".join(f"{said:{kind}{width}}" for said, kind, width in zip(row, kinds, widths, strict=True)).rstrip()
        for row in ruled
    ]
