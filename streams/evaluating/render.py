"""The report as one HTML file: no script, no address outside it, for a screen by day and night and for paper."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from infra.runtime.written import interval, written
from schemas.reports import Column, Estimate, Report, Table
from streams.evaluating.drawing import svg

_NUMERIC: Final = Markup(' class="num"')
_NAME: Final = Markup(' class="name"')
_SHORT: Final = 34
_STACKED: Final = Markup(' class="stacked"')
_ABREAST: Final = 3
"""Estimates in a row that have room for their intervals beside them; with more, the intervals stand below."""


def html(report: Report) -> str:
    """The whole page."""
    made_at = datetime.fromtimestamp(report.made_at / 1e6, UTC)
    return _template().render(report=report, made_at=f"{made_at:%-d %B %Y, %H:%M}")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("streams.evaluating", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals |= {
        "svg": svg, "written": written, "interval": interval, "numeric": _numeric, "stacked": _stacked,
    }  # fmt: skip
    return environment.get_template("report.html.j2")


def _numeric(column: Column, said: str = "") -> str:
    """The class of a cell; a short text is not broken."""
    if column.form != "text":
        return _NUMERIC
    return _NAME if said and len(said) <= _SHORT else ""


def _stacked(table: Table) -> str:
    estimates = [sum(isinstance(cell, Estimate) for cell in row) for row in table.rows]
    return _STACKED if max(estimates, default=0) > _ABREAST else ""
