"""Model quality: how often is it right, how often wrong, and for whom?"""

from __future__ import annotations

from typing import Final, Literal

import streamlit as st

from dashboards import components as ui
from dashboards import quality_charts, words
from dashboards.session import Context
from infra.runtime import quality
from infra.runtime.quality import STORE, Kept
from infra.runtime.written import interval, written
from schemas.reports import Cell, Column, Estimate, Section, Table

_KINDS: Final = {"warnings": "Warnings", "skills": "Skill states"}
_COMMANDS: Final = {
    "warnings": "roundtrip evaluate warnings --from-store",
    "skills": "roundtrip evaluate skills --from-store",
}
_CHOICE: Final = "report"
_ABREAST: Final = 3
_SHORT: Final = 30


def page(context: Context) -> None:
    """Draw it."""
    ui.header(
        context,
        "Model quality",
        "How often is it right, how often wrong, and for whom?",
        f"{context.settings.district.name}, all schools",
    )

    @ui.live(context, "quality", 120, 260, 200, slower=12)
    def body() -> None:
        _body(context)

    body()


def _body(context: Context) -> None:
    reports = _reports(context)
    if not reports:
        ui.empty(
            "No report has been made yet",
            f"An operator makes one with: {_COMMANDS['warnings']}; and one on skill states with: {_COMMANDS['skills']}",
        )
        return
    _headlines(context, reports)
    chosen = _choose(context, reports)
    if chosen is not None:
        _report(context, chosen)


def _reports(context: Context) -> list[Kept]:
    """The newest report of each kind, the district's own before those on other data."""
    found = []
    with context.registry.connect() as connection:
        for kind in ("warnings", "skills"):
            own = quality.newest(connection, kind, STORE)
            other = quality.newest(connection, kind, elsewhere=True)
            found += [kept for kept in (own, other) if kept]
    return sorted(found, key=lambda kept: kept.source != STORE)


def _headlines(context: Context, reports: list[Kept]) -> None:
    """What a tired person should take from it: a card for warnings and one for skill states."""
    cards = []
    for kind, title in _KINDS.items():
        newest = next((kept for kept in reports if kept.report.kind == kind), None)
        if newest is None:
            said = f'<p class="rt-soft">No report yet. An operator makes one with: {ui.text(_COMMANDS[kind])}</p>'
            cards.append(f'<div class="rt-card"><h3>{ui.text(title)}</h3>{said}</div>')
            continue
        when = words.moment(newest.created_at, context.now(), context.zone)
        lines = "".join(f"<li>{ui.text(sentence)}</li>" for sentence in newest.report.headlines[:3])
        cards.append(
            f'<div class="rt-card"><h3>{ui.text(title)}</h3><ul>{lines}</ul>'
            f'<p class="rt-small rt-soft" title="{words.exact(newest.created_at, context.zone)}">'
            f"{ui.text(_where(newest))}, made {when}</p></div>"
        )
    st.html(f'<div class="rt-cards rt-two">{"".join(cards)}</div>')


def _where(kept: Kept) -> str:
    return "On the district's own records" if kept.source == STORE else f"On other data: {kept.source}"


def _choose(context: Context, reports: list[Kept]) -> Kept | None:
    """One report of those that are there; the address carries the choice."""
    names = {f"{kept.report.kind}-{'own' if kept.source == STORE else 'other'}": kept for kept in reports}
    said = {
        name: _KINDS[kept.report.kind] + ("" if kept.source == STORE else f" on {kept.source}")
        for name, kept in names.items()
    }
    asked = st.query_params.get(_CHOICE, "")
    first = asked if asked in names else next(iter(names))
    chosen = st.segmented_control(
        "Report", list(names), format_func=lambda name: said[name], default=first, label_visibility="collapsed",
        key="quality-report",
    ) or first  # fmt: skip
    if chosen != asked:
        st.query_params[_CHOICE] = chosen
    return names.get(chosen)


def _report(context: Context, kept: Kept) -> None:
    for number, section in enumerate(kept.report.sections):
        ui.section(section.title, ui.text(kept.report.data) if number == 0 else "")
        if section.text:
            st.html(f'<div class="rt-soft">{ui.text(section.text)}</div>')
        _section(context, section, f"{kept.report_id}-{number}")


def _section(context: Context, section: Section, key: str) -> None:
    """Figures stand beside the tables; where there is one for each table, beside its own."""
    if not section.figures:
        _tables(section, section.tables)
    elif len(section.figures) == len(section.tables):
        for number, table in enumerate(section.tables):
            left, right = st.columns([1.3, 1], gap="medium")
            with left:
                _table(table, section.title)
            with right:
                _figure(context, section, number, key)
    else:
        left, right = st.columns([1.15, 1], gap="medium") if section.tables else (st.container(), st.container())
        with left:
            _tables(section, section.tables)
        with right:
            for number in range(len(section.figures)):
                _figure(context, section, number, key)


def _figure(context: Context, section: Section, number: int, key: str) -> None:
    figure = section.figures[number]
    drawing = quality_charts.draw(figure, context.palette)
    if drawing is not None:
        # Streamlit does not count the axis into the width of charts that stand over one another.
        width: Literal["stretch", "content"] = "content" if figure.kind == "reliability" else "stretch"
        ui.chart(drawing, says=f"{figure.title}. {figure.says}", key=f"quality-{key}-{number}", width=width)


def _tables(section: Section, tables: list[Table]) -> None:
    for table in tables:
        _table(table, section.title)


def _table(table: Table, title: str) -> None:
    if not table.rows:
        return
    columns = {
        str(number): ("" if column.form == "text" else "#") + column.title
        for number, column in enumerate(table.columns)
    }
    stacked = any(sum(isinstance(cell, Estimate) for cell in row) > _ABREAST for row in table.rows)
    rows = [
        {
            str(number): _cell(cell, column, stacked)
            for number, (cell, column) in enumerate(zip(row, table.columns, strict=True))
        }
        for row in table.rows
    ]
    ui.table(columns, rows, says=table.title or title)
    if table.note:
        st.html(f'<div class="rt-small rt-soft">{ui.text(table.note)}</div>')


def _cell(cell: Cell, column: Column, stacked: bool) -> str:
    """A cell as HTML; with many estimates in a row their intervals stand below (``stacked``)."""
    said = ui.text(written(cell, column.form))
    if column.form == "text" and len(said) <= _SHORT:
        return f'<span class="rt-nowrap">{said}</span>'
    if not isinstance(cell, Estimate):
        return f'<span class="rt-soft">{said}</span>' if isinstance(cell, str) and column.form != "text" else said
    between = interval(cell, column.form)
    apart = "<br>" if stacked else " "
    return f'{said}{apart}<span class="rt-small rt-soft">{f"{between}, " if between else ""}n {cell.n:,}</span>'
