"""District: is the district on track right now, and is the data trustworthy?"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import streamlit as st

from dashboards import charts, charts_flow, words
from dashboards import components as ui
from dashboards.session import Context
from dashboards.store import Row
from dashboards.suppression import Cell, Shown
from infra.runtime.shares import wilson

_DAYS = 20


def page(context: Context) -> None:
    """Draw it."""
    scope = f"{context.settings.district.name}, all schools"
    ui.header(context, "District today", "Is the district on track right now, and is the data trustworthy?", scope)

    @ui.live(context, "district", 92, 240, 76, 160)
    def overview() -> None:
        _overview(context)

    overview()


def _overview(context: Context) -> None:
    midnight = datetime.combine(context.today(), time(), context.zone)
    since = min(midnight, (context.now() - timedelta(minutes=61)).replace(second=0, microsecond=0))
    by_minute = context.store.query(context.viewer, "district_minutes", since=since)
    from_day = context.today() - timedelta(days=_DAYS - 1)
    by_day = context.store.query(context.viewer, "district_days", since=from_day)
    [counts] = context.store.query(context.viewer, "district_counts", since=from_day)
    flow = context.store.query(context.viewer, "district_warnings", since=from_day)
    if not counts["enrolled"] and not by_minute and not by_day:
        ui.empty("Nothing has arrived yet", "The first statement a provider sends appears here within seconds.")
        return
    ui.staleness(context)
    hour = _last_hour(by_minute, context)
    _tiles(context, by_minute, midnight, hour, by_day, counts, flow)
    left, right = st.columns(2, gap="medium")
    with left:
        ui.section("Statements accepted", "the last 60 minutes, all providers")
        ui.chart(
            charts_flow.minutes(hour[:-1], context.palette, context.zone),
            says="Statements accepted in each of the last 60 minutes",
            key="district-minutes",
        )
    with right:
        ui.section("Warnings", f"new and cleared, the last {_DAYS} days")
        ui.chart(
            charts.raised_and_cleared(flow, charts.last_days(context.today(), _DAYS), context.palette),
            says=f"Warnings raised and cleared on each of the last {_DAYS} days",
            key="district-warnings",
        )
    _providers(context)
    _schools(context)


def _last_hour(by_minute: list[Row], context: Context) -> list[Row]:
    this_minute = context.now().replace(second=0, microsecond=0)
    known = {row["minute"]: row for row in by_minute}
    wanted = [this_minute - timedelta(minutes=back) for back in range(60, -1, -1)]
    return [{"at": at, "accepted": known[at]["accepted"] if at in known else 0} for at in wanted]


def _tiles(
    context: Context,
    by_minute: list[Row],
    midnight: datetime,
    hour: list[Row],
    by_day: list[Row],
    counts: Row,
    flow: list[Row],
) -> None:
    today = context.today()
    accepted = sum(row["accepted"] for row in by_minute if row["minute"] >= midnight)
    active = next((row["active"] for row in by_day if row["day"] == today), 0)
    week = [row for row in flow if row["day"] > today - timedelta(days=7)]
    raised, cleared = sum(row["raised"] for row in week), sum(row["cleared"] for row in week)
    fresh = ui.how_fresh(context)
    unlinked = counts["unlinked"]
    ui.tiles(
        [
            ui.tile(
                "Statements today",
                words.count(accepted),
                note=f"{words.count(hour[-2]['accepted'])} in the last full minute",
                spark=charts.spark([row["accepted"] for row in hour[:-1]], says="the last 60 minutes"),
                symbol="bolt",
                evidence=ui.address(context, "provider"),
            ),
            ui.tile(
                "Students active today",
                words.count(active),
                unit=f"of {words.count(counts['enrolled'])}",
                note=f"{words.plural(unlinked, 'student')} not linked to the roster" if unlinked else "all linked",
                spark=ui.spark_days(by_day, "active", context),
                symbol="group",
            ),
            ui.tile(
                "With an open warning",
                words.count(counts["warned"]),
                unit="students",
                note=words.plural(counts["open_warnings"], "open warning"),
                symbol="flag",
                evidence=ui.address(context, "queue"),
            ),
            ui.tile(
                "Warnings this week",
                f"{raised} new",
                unit=f"{cleared} cleared",
                note="seven days, today included",
                symbol="swap_vert",
            ),
            ui.tile(
                "Behind by",
                words.duration(fresh.lag) if fresh.as_of else "–",
                note=_trust(fresh.waiting, fresh.late),
                symbol="verified" if not fresh.late else "history_toggle_off",
                evidence=ui.address(context, "operations"),
            ),
        ]
    )


def _trust(waiting: int, late: int) -> str:
    if late:
        return "Not all is in: read with care"
    return f"{words.plural(waiting, 'record')} waiting" if waiting else "Everything accepted is shown"


def _providers(context: Context) -> None:
    now = context.now()
    since = (now - timedelta(hours=24)).replace(minute=0, second=0, microsecond=0)
    if not ui.may_see_providers(context):
        return
    rows = context.store.query(context.viewer, "provider_minutes", since=since, step_s=3600, provider="")
    cards = []
    for provider_id, (reports, last) in ui.provider_states(context).items():
        mine = [row for row in rows if row["provider_id"] == provider_id]
        accepted, rejected = (sum(row[name] for row in mine) for name in ("accepted", "rejected"))
        state = (
            f"{ui.icon('check_circle', 'rt-good')} reporting"
            if reports
            else f'{ui.icon("sensors_off", "rt-warn")} <span class="rt-warn">quiet</span>'
        )
        page = ui.address(context, "provider", provider=provider_id)
        share = rejected / (accepted + rejected) if accepted + rejected else 0.0
        cards.append(
            f"<div><b>{ui.anchor(context.catalogue.provider(provider_id), page)}</b>"
            f'<div class="rt-small">{state}, {words.moment(last, now, context.zone)}</div>'
            f'<div class="rt-small rt-soft">{words.compact(accepted)} in 24 h, {100 * share:.1f}% refused</div></div>'
        )
    ui.section("Providers", "what each sent, the last 24 hours")
    st.html(f'<div class="rt-strip">{"".join(cards)}</div>')


def _schools(context: Context) -> None:
    rows = context.store.query(context.viewer, "schools", today=context.today())
    if not rows:
        return
    threshold = context.settings.dashboards.suppress_below
    ui.section("Schools", f"share of students with its 95% interval; groups under {threshold} students are not shown")
    columns = {
        "school": "School", "students": "#Students (n)", "active_today": "Active today",
        "active_week": "Active in 7 days", "warned": "With an open warning",
    }  # fmt: skip
    ui.table(
        columns,
        [
            {
                "school": ui.text(context.catalogue.school(row["school_id"])),
                "students": words.count(row["students"])
                if row["students"] is not None
                else _share(row["warned"], threshold),
                **{name: _share(row[name], threshold) for name in ("active_today", "active_week", "warned")},
            }
            for row in rows
        ],
        says="Schools compared",
    )


def _share(cell: Cell, threshold: int) -> str:
    said = words.cell(cell, threshold)
    if cell.shown is not Shown.EXACT or cell.size is None or cell.count is None or cell.rate is None:
        return f'<span class="rt-soft">{said}</span>'
    low, high = wilson(cell.count, cell.size)
    says = f"{said} ({cell.count} of {cell.size}), 95% interval {words.percent(low)} to {words.percent(high)}"
    return (
        f'<span style="display:inline-flex;gap:.7rem;align-items:center"><span style="min-width:2.6rem" '
        f'class="rt-num">{said}</span>{charts.interval(low, high, cell.rate, says=says)}</span>'
    )
