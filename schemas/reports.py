"""The report on the quality of models: made by ``roundtrip evaluate``, kept in quality_reports, shown by the pages.

Its JSON is the struct. Everything in it is an aggregate: no student's id, and no group below the threshold.
"""

from __future__ import annotations

from math import isfinite
from typing import Literal

import msgspec
from msgspec.structs import replace

Kind = Literal["skills", "warnings"]
Form = Literal["text", "count", "number", "percent", "microseconds", "days"]
"""How a column's or axis's values are written: a number with three decimals, a share as percent, ..."""
FigureKind = Literal["reliability", "lines", "intervals"]


class Estimate(msgspec.Struct, frozen=True):
    """A value with what it rests on: a share of ``n``, or a measure over ``n`` rows. None: there is no interval."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None


Cell = str | int | float | Estimate | None
"""None: not known or not to be told; a text says why ("n<10")."""


class Column(msgspec.Struct, frozen=True):
    """A column's heading and how its values are written."""

    title: str
    form: Form = "text"


class Table(msgspec.Struct, frozen=True):
    """Rows of as many cells as there are columns. ``note`` stands below."""

    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    note: str = ""


class Point(msgspec.Struct, frozen=True):
    """One point. ``x`` is a name where the figure is of groups."""

    x: float | str
    y: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Series(msgspec.Struct, frozen=True):
    """What is drawn as one, labelled with its name."""

    name: str
    points: list[Point]


class Axis(msgspec.Struct, frozen=True):
    """What an axis counts."""

    title: str
    form: Form = "number"


class Figure(msgspec.Struct, frozen=True):
    """A picture. ``says``: the same in words, for those who cannot see it.

    reliability: predicted (x) against observed (y) with intervals and counts; lines: over x, one line a series;
    intervals: one row a group (x is its name), one mark a series.
    """

    kind: FigureKind
    title: str
    series: list[Series]
    x: Axis
    y: Axis
    says: str


class Section(msgspec.Struct, frozen=True):
    """A part of the report. ``text``: what a reader should take from it."""

    title: str
    text: str = ""
    tables: list[Table] = []
    figures: list[Figure] = []


class Report(msgspec.Struct, frozen=True):
    """A whole report.

    ``data`` says in words what it was made on. ``made_at``: microseconds since 1970. ``headlines`` are sentences that a
    tired person understands. ``measures`` are the same figures for machines, by names such as ``auc`` or
    ``week8.no_clicks.auc``; those of the main table are printed by the command.
    """

    kind: Kind
    title: str
    data: str
    made_at: int
    headlines: list[str]
    sections: list[Section]
    measures: dict[str, float] = {}


def encode(report: Report) -> bytes:
    """The report as JSON. What is not defined (NaN) is left out of the measures, and is null in tables."""
    known = {name: value for name, value in report.measures.items() if isfinite(value)}
    return msgspec.json.encode(replace(report, measures=known, sections=[_defined(one) for one in report.sections]))


def decode(data: bytes | str) -> Report:
    """The report from its JSON; msgspec.ValidationError where it is none."""
    return msgspec.json.decode(data, type=Report)


def _defined(section: Section) -> Section:
    tables = [replace(table, rows=[[_cell(cell) for cell in row] for row in table.rows]) for table in section.tables]
    return replace(section, tables=tables)


def _cell(cell: Cell) -> Cell:
    return None if isinstance(cell, Estimate) and not isfinite(cell.value) else cell
