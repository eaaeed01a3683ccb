"""Provider: does what I send arrive, and if not, what do I fix?"""

from __future__ import annotations

from datetime import datetime, timedelta

import streamlit as st

from dashboards import charts_flow, words
from dashboards import components as ui
from dashboards.access import manage, provider_filter
from dashboards.intervals import quantile
from dashboards.screens import provider_credentials, provider_mapping, provider_quarantine, provider_sandbox
from dashboards.screens.provider_acts import say
from dashboards.session import Context
from dashboards.store import Row
from infra.runtime import quarantine

_SPANS = {
    "1 hour": (timedelta(hours=1), 60),
    "24 hours": (timedelta(hours=24), 900),
    "7 days": (timedelta(days=7), 7200),
}


_VIEWS = {
    "arrives": ":material/input: What arrives",
    "quarantine": ":material/inventory_2: Quarantine",
    "credentials": ":material/key: Credentials",
    "mapping": ":material/schema: Mapping",
    "sandbox": ":material/science: Sandbox",
}
_OPEN = frozenset({"arrives", "mapping"})
"""Views of those who do not manage the provider."""


def page(context: Context) -> None:
    """Draw it."""
    mine = [key for key in context.catalogue.providers if _may(context, key)]
    shown = "all providers" if len(mine) > 1 else "".join(context.catalogue.provider(key) for key in mine)
    ui.header(context, "Provider", "Does what is sent arrive, and if not, what is to be fixed?", shown or "no provider")
    if not mine:
        ui.empty("No provider yet", "Add one with: roundtrip admin provider add. Its page then appears here.")
        return
    wanted = st.query_params.get("provider", "")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        provider = mine[0]
        if len(mine) > 1:
            first = mine.index(wanted) if wanted in mine else 0
            provider = st.selectbox(
                "Provider", mine, index=first, key="provider", format_func=context.catalogue.provider, width=260
            )
        view = _view(context, provider)
        span = "1 hour"
        if view == "arrives":
            span = str(st.segmented_control("Time", list(_SPANS), default=span, required=True, key="provider-span"))
            with st.popover("Send a first statement", icon=":material/terminal:"):
                _curl(context)
    say()
    draw = {
        "quarantine": provider_quarantine.view,
        "credentials": provider_credentials.view,
        "sandbox": provider_sandbox.view,
    }.get(view)
    if draw is not None:
        # Not read again by itself: nothing moves under somebody who edits.
        ui.guarded(f"provider-{view}", lambda: draw(context, provider), 300)
        return

    @ui.live(context, f"provider-{view}", 92, 240, 200)
    def body() -> None:
        if view == "mapping":
            since = _floor(context.now() - timedelta(days=7), 3600)
            [coverage] = context.store.query(context.viewer, "provider_coverage", since=since, provider=provider)
            provider_mapping.view(context, provider, coverage, since)
        else:
            _body(context, provider, span)

    body()


def _view(context: Context, provider: str) -> str:
    """What of the provider is looked at; part of the address, so that a link opens as it was."""
    labels = dict(_VIEWS)
    if manage(context.viewer, provider).allowed:
        try:
            with context.registry.connect() as connection:
                counts = quarantine.counts(connection, provider)
        except ui.UNAVAILABLE:
            counts = quarantine.Counts(0, 0, 0, 0)
        if waiting := counts.waiting + counts.ready:
            labels["quarantine"] += f" {words.count(waiting)}"
    else:
        labels = {name: label for name, label in labels.items() if name in _OPEN}
    wanted = st.query_params.get("view", "arrives")
    view = st.segmented_control(
        "View", list(labels), default=wanted if wanted in labels else "arrives", required=True, key="provider-view",
        format_func=labels.__getitem__,
    )  # fmt: skip
    if view != st.query_params.get("view", "arrives"):
        st.query_params["view"] = str(view)
    return str(view)


def _may(context: Context, provider_id: str) -> bool:
    allowed = provider_filter(context.viewer)
    return allowed["scope_all_providers"] or provider_id in allowed["scope_providers"]


def _curl(context: Context) -> None:
    st.caption("With the key and secret of a credential; the answer is the id of the statement.")
    st.code(
        "curl -u KEY:SECRET \\\n"
        "  -H 'X-Experience-API-Version: 2.0.0' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"actor": {"mbox": "mailto:student@school.example"},\n"""
        """       "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},\n"""
        """       "object": {"id": "https://provider.example/items/1"},\n"""
        """       "result": {"success": true}}' \\\n"""
        f"  http://{context.settings.ingest.host}:{context.settings.ingest.port}/xapi/statements",
        language="bash",
    )


def _body(context: Context, provider: str, span: str) -> None:
    length, step_s = _SPANS[span]
    now = context.now()
    since = _floor(now - length, step_s)
    rows = context.store.query(context.viewer, "provider_minutes", since=since, step_s=step_s, provider=provider)
    faults = context.store.query(context.viewer, "provider_rejections", since=since, provider=provider)
    coverage_since = _floor(now - timedelta(days=7), 3600)
    [coverage] = context.store.query(context.viewer, "provider_coverage", since=coverage_since, provider=provider)
    if not rows and not faults and not coverage["statements"]:
        ui.empty(
            "Nothing has been sent in this time",
            "The first statement appears here within seconds. “Send a first statement” shows how.",
        )
        return
    _tiles(context, provider, rows, coverage, span)
    left, right = st.columns(2, gap="medium")
    per = {60: "minute", 900: "quarter of an hour", 7200: "two hours"}[step_s]
    steps = _steps(rows, since, now, step_s)
    with left:
        ui.section("Accepted and rejected", f"statements a {per}")
        ui.chart(
            charts_flow.minutes(steps, context.palette, context.zone, rejected=True, per=per),
            says="Statements accepted and rejected over time",
            key="provider-minutes",
        )
    with right:
        ui.section("Time to answer", "requests, from receipt to answer")
        ui.chart(
            charts_flow.latency(_latencies(steps), context.palette, context.zone, timedelta(seconds=step_s)),
            says="Median, 95th and 99th percentile of the time to answer",
            key="provider-latency",
        )
    ui.section("Rejected, and why", "kept aside: in quarantine, the rest of its batch accepted")
    _errors(context, faults, span)


def _floor(then: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(then.timestamp() // step_s * step_s, then.tzinfo)


def _steps(rows: list[Row], since: datetime, now: datetime, step_s: int) -> list[Row]:
    """One row for each step of time, also those in which nothing was sent."""
    known = {row["at"]: row for row in rows}
    number = int((now - since).total_seconds() // step_s) + 1
    wanted = [since + timedelta(seconds=step_s * index) for index in range(number)]
    nothing = {"requests": 0, "accepted": 0, "rejected": 0, "latency_buckets": []}
    return [{**nothing, **known.get(at, {}), "at": at} for at in wanted]


def _latencies(rows: list[Row]) -> list[Row]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return [
        {"at": row["at"], **{name: quantile(row["latency_buckets"], share) for name, share in shares.items()}}
        for row in rows
    ]


def _tiles(context: Context, provider: str, rows: list[Row], coverage: Row, span: str) -> None:
    accepted, rejected, requests = (sum(row[name] for row in rows) for name in ("accepted", "rejected", "requests"))
    buckets = [sum(column) for column in zip(*(row["latency_buckets"] for row in rows), strict=True)]
    p50, p95, p99 = (words.latency(quantile(buckets, share)) for share in (0.5, 0.95, 0.99))
    reports, last = ui.provider_states(context).get(provider, (False, None))
    share = rejected / (accepted + rejected) if accepted + rejected else 0.0
    outcomes, aligned = coverage["outcomes"], coverage["aligned"]
    state = "reporting as usual" if reports else f'<span class="rt-warn">{ui.icon("sensors_off")} quiet</span>'
    ui.tiles(
        [
            ui.tile(
                "Accepted", words.count(accepted), unit=f"in {span}", note=f"{words.plural(requests, 'request')}",
                symbol="check_circle",
            ),
            ui.tile(
                "Rejected", words.count(rejected), unit=f"{100 * share:.1f}%", note="of statements sent", symbol="error"
            ),
            ui.tile("Time to answer", p95, unit="p95", note=f"p50 {p50}, p99 {p99}", symbol="timer"),
            ui.tile(
                "Aligned to a skill", words.percent(aligned / outcomes if outcomes else None),
                note=f"of {words.plural(outcomes, 'outcome')} in 7 days" if outcomes else "no outcomes in 7 days",
                symbol="schema",
            ),
            ui.tile("Last statement", words.ago(last, context.now()), note=state, symbol="sensors"),
        ]
    )  # fmt: skip


def _answer(status: int) -> str:
    """What became of the statement, and the status of the answer, as HTML."""
    kept = status < 400
    symbol, said = ("inventory_2", "kept aside") if kept else ("block", "refused")
    return f'<span class="rt-nowrap">{ui.icon(symbol, "" if kept else "rt-warn")} {said}, {status}</span>'


def _errors(context: Context, faults: list[Row], span: str) -> None:
    if not faults:
        ui.empty("Nothing was rejected", f"Every request of the last {span} was accepted.")
        return
    now = context.now()
    ui.table(
        {"faults": "#Times", "message": "What is wrong", "path": "Where (JSON path)", "fix": "What to do",
         "status": "Answer", "last": "Last seen", "first": "First seen", "section": "Rule"},
        [
            {
                "faults": words.count(row["faults"]),
                "message": ui.text(row["message"])
                + (f'<br><code class="rt-soft">{ui.text(row["value"])}</code>' if row["value"] else ""),
                "path": f"<code>{ui.text(row['path'])}</code>",
                "fix": ui.text(row["fix"]),
                "status": _answer(row["status"]),
                "last": f'<span class="rt-nowrap">{words.moment(row["last_at"], now, context.zone)}</span>',
                "first": f'<span class="rt-nowrap">{words.moment(row["first_at"], now, context.zone)}</span>',
                "section": f"<code>{ui.text(row['rule'])}</code>"
                + (f'<br><span class="rt-small rt-soft">{ui.text(row["section"])}</span>' if row["section"] else ""),
            }
            for row in faults
        ],
        says="Why requests were refused",
    )  # fmt: skip
