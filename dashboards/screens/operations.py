"""Operations: does everything that was accepted come through, and how fast?"""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from dashboards import charts, charts_flow, words
from dashboards import components as ui
from dashboards.broker import ASK_AGAIN_SECONDS, Look
from dashboards.diagnosis import causes
from dashboards.intervals import quantile
from dashboards.session import Context
from dashboards.store import Row, StoreError
from infra.runtime.reconciliation import Balance, Verdict, judge, settled_through

_HOURS = 24


def page(context: Context) -> None:
    """Draw it."""
    ui.header(
        context,
        "Operations",
        "Does everything that was accepted come through, and how fast?",
        f"{context.settings.district.name}, generation {context.settings.kafka.generation} of the log",
    )

    @ui.live(context, "operations-causes")
    def why() -> None:
        _causes(context)

    @ui.live(context, "operations", 92, 240, 200)
    def body() -> None:
        _body(context)

    why()
    body()


def _causes(context: Context) -> None:
    """Alarms, and what holds the statements up; it speaks also when the store does not."""
    look, store = context.services.lag.look(), True
    try:
        progress = context.store.query(context.viewer, "progress")
        alarms = context.store.query(context.viewer, "alarms", since=context.now() - timedelta(days=1))
    except StoreError:
        progress, alarms, store = [], [], False
    for alarm in alarms:
        if alarm["until"] is None:
            since = words.moment(alarm["since"], context.now(), context.zone)
            ui.notice(f"{alarm['subject']}, since {since}: {alarm['message']}", "notifications_active")
    if look is None and not context.settings.kafka.bootstrap_servers:
        return
    seen = look or Look(context.now(), None, None)
    told = causes(seen.lags, seen.owners, progress, seen.fault, context.now(), store=store)
    for cause in told:
        ui.notice(cause.sentence, "warning" if cause.grave else "trending_down")


def _body(context: Context) -> None:
    since = (context.now() - timedelta(minutes=60)).replace(second=0, microsecond=0)
    try:
        flushes = context.store.query(context.viewer, "flushes", since=since, step_s=60)
        dead = context.store.query(context.viewer, "dead_letters")
        balances = _balances(context)
        progress = context.store.query(context.viewer, "progress")
    except StoreError:
        if lags := context.services.lag.read():
            ui.section("Waiting", "as Kafka tells it; ClickHouse does not answer")
            _waiting(context, [{"partition": row.partition, "lag": row.lag} for row in lags])
        raise
    if not flushes and not dead and not balances and not progress:
        ui.empty("Nothing has run yet", "Start ingest and a worker: their first flush appears here.")
        return
    lag, source = _lag(context, progress)
    ui.staleness(context)
    _tiles(context, flushes, dead, balances, lag)
    left, right = st.columns(2, gap="medium")
    with left:
        ui.section("Waiting", source)
        _waiting(context, lag)
    with right:
        ui.section("From acceptance to visible", "statements, the last 60 minutes")
        if flushes:
            ui.chart(
                charts_flow.latency(_latencies(flushes), context.palette, context.zone),
                says="Median, 95th and 99th percentile of the time from acceptance to visibility",
                key="ops-latency",
            )
        else:
            ui.empty("No flush in the last hour", "The workers wrote nothing: nothing arrived, or none runs.")
    accounts, letters, workers, alarms = st.tabs(
        [
            ":material/balance: Reconciliation",
            ":material/mark_email_unread: Dead letters",
            ":material/memory: Workers",
            ":material/notifications: Alarms",
        ]
    )
    with accounts:
        _reconciliation(context, balances)
    with letters:
        _dead_letters(context, dead)
    with workers:
        _workers(context)
    with alarms:
        _alarms(context)


def _lag(context: Context, progress: list[Row]) -> tuple[list[Row], str]:
    """Lag as Kafka tells it; as the workers last saw it where Kafka does not answer."""
    told = context.services.lag.read()
    if told is not None:
        return [{"partition": row.partition, "lag": row.lag} for row in told], "as Kafka tells it"
    seen = {row["partition"]: max(0, row["end_offset"] - row["offset"]) for row in progress}
    every = range(context.settings.kafka.partitions)
    rows = [{"partition": number, "lag": seen.get(number, 0)} for number in every]
    return rows, "Kafka does not answer: as the workers last saw it"


def _waiting(context: Context, lag: list[Row]) -> None:
    seen = [
        {"at": look.at, "waiting": sum(one.lag for one in look.lags)}
        for look in context.services.lag.history()
        if look.lags is not None
    ]
    if len(seen) > 2:
        ui.chart(
            charts_flow.waiting(seen, context.palette, context.zone, timedelta(seconds=4 * ASK_AGAIN_SECONDS)),
            says="Records waiting in all partitions over the last quarter of an hour", key="ops-waiting",
        )  # fmt: skip
        behind = [row for row in lag if row["lag"]]
        now = ", ".join(f"{words.count(row['lag'])} in partition {row['partition']}" for row in behind[:6])
        st.caption(f"Now: {now}{', …' if len(behind) > 6 else ''}" if behind else "Now: nothing in any partition.")
        return
    ui.chart(charts_flow.partitions(lag, context.palette), says="Records waiting in each partition", key="ops-lag")


def _balances(context: Context) -> list[tuple[Row, Balance]]:
    since = (context.now() - timedelta(hours=_HOURS)).replace(minute=0, second=0, microsecond=0)
    progress = context.store.query(context.viewer, "progress")
    through = settled_through(progress, context.settings.kafka.partitions).replace(second=0, microsecond=0)
    rows = context.store.query(context.viewer, "reconciliation", since=since, through=through)
    return [(row, judge(row)) for row in rows]


def _latencies(rows: list[Row]) -> list[Row]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return [
        {"at": row["at"], **{name: quantile(row["latency_buckets"], share) for name, share in shares.items()}}
        for row in rows
    ]


def _tiles(
    context: Context, flushes: list[Row], dead: list[Row], balances: list[tuple[Row, Balance]], lag: list[Row]
) -> None:
    buckets = [sum(column) for column in zip(*(row["latency_buckets"] for row in flushes), strict=True)]
    p50, p95, p99 = (words.latency(quantile(buckets, share)) for share in (0.5, 0.95, 0.99))
    written = [row["statements"] for row in flushes]
    letters = sum(row["statements"] for row in dead)
    off = [balance for _, balance in balances if balance.off]
    in_flight = sum(balance.in_flight for _, balance in balances)
    waiting = sum(row["lag"] for row in lag)
    ui.tiles(
        [
            ui.tile(
                "Waiting", words.count(waiting), unit="record" if waiting == 1 else "records", symbol="pending",
                note=f"in {sum(row['lag'] > 0 for row in lag)} of {len(lag)} partitions",
            ),
            ui.tile("To visible", p95, unit="p95", note=f"p50 {p50}, p99 {p99}, 60 minutes", symbol="timer"),
            ui.tile(
                "Written", words.count(written[-2] / 60 if len(written) > 1 else 0), unit="a second", symbol="bolt",
                note=f"{words.count(sum(written))} in 60 minutes", spark=charts.spark(written[:-1], says="60 minutes"),
            ),
            ui.tile(
                "Dead letters", words.count(letters), unit="statements", symbol="mark_email_unread",
                note=f"{words.plural(len({row['reason'] for row in dead}), 'reason')}" if dead else "none",
            ),
            ui.tile(
                "Unaccounted", words.count(sum(abs(balance.difference) for balance in off)), unit="statements",
                symbol="balance" if not off else "warning",
                note=f"{words.count(in_flight)} in flight; {_HOURS} hours checked",
            ),
        ]
    )  # fmt: skip


_VERDICTS = {
    Verdict.BALANCED: ("check_circle", "rt-good"),
    Verdict.IN_FLIGHT: ("pending", "rt-accent"),
    Verdict.MISSING: ("error", "rt-warn"),
    Verdict.LOST: ("error", "rt-warn"),
    Verdict.SURPLUS: ("error", "rt-warn"),
}


def _reconciliation(context: Context, balances: list[tuple[Row, Balance]]) -> None:
    if not balances:
        ui.empty(f"Nothing was accepted in {_HOURS} hours", "Each provider and hour gets a line here.")
        return
    st.caption(
        "Accepted (counted at the door, carried by the log) = stored + duplicates + dead-lettered + in flight; the "
        "difference must be 0. Answered: what providers were told is kept."
    )
    columns = {
        "hour": "Hour", "provider": "Provider", "accepted": "#Accepted", "answered": "#Answered",
        "stored": "#Stored",
        "duplicates": "#Duplicates", "dead": "#Dead-lettered", "in_flight": "#In flight", "difference": "#Difference",
        "verdict": "State",
    }  # fmt: skip
    first = sorted(balances, key=lambda pair: not pair[1].off)
    ui.table(columns, [_balance(context, row, balance) for row, balance in first], says="Reconciliation")


def _balance(context: Context, row: Row, balance: Balance) -> dict[str, str]:
    symbol, colour = _VERDICTS[balance.verdict]
    difference = f"{balance.difference:+,}" if balance.difference else "0"
    return {
        "hour": f'<span class="rt-nowrap">{row["hour"].astimezone(context.zone):%-d %b, %H:%M}</span>',
        "provider": ui.text(context.catalogue.provider(row["provider_id"])),
        **{
            name: words.count(getattr(balance, name))
            for name in ("accepted", "answered", "stored", "duplicates", "dead", "in_flight")
        },
        "difference": f'<b class="rt-warn">{difference}</b>' if balance.off else difference,
        "verdict": f'<span class="rt-nowrap">{ui.icon(symbol, colour)} {balance.verdict}</span>',
    }


def _dead_letters(context: Context, dead: list[Row]) -> None:
    if not dead:
        ui.empty("No dead letters", "Everything that was accepted could be processed.")
        return
    now = context.now()
    ui.table(
        {"statements": "#Statements", "reason": "Reason", "message": "What is wrong", "provider": "Provider",
         "last": "Last", "first": "First", "place": "Last place (partition, offset)"},
        [
            {
                "statements": words.count(row["statements"]),
                "reason": f"<code>{ui.text(row['reason'])}</code>",
                "message": ui.text(row["message"]),
                "provider": ui.text(context.catalogue.provider(row["provider_id"])),
                "last": f'<span class="rt-nowrap">{words.moment(row["last_at"], now, context.zone)}</span>',
                "first": f'<span class="rt-nowrap">{words.moment(row["first_at"], now, context.zone)}</span>',
                "place": f"{row['partition']}, {row['offset']}",
            }
            for row in dead
        ],
        says="Dead letters by reason",
    )  # fmt: skip


def _workers(context: Context) -> None:
    since = (context.now() - timedelta(minutes=15)).replace(second=0, microsecond=0)
    rows = context.store.query(context.viewer, "workers", since=since)
    if not rows:
        ui.empty("No worker wrote in 15 minutes", "Start one with: roundtrip worker.")
        return
    now = context.now()
    ui.table(
        {"worker": "Worker", "partitions": "Partitions", "last": "Last flush", "flushes": "#Flushes",
         "statements": "#Statements a second", "rows": "#Rows a second", "p50": "#Flush p50", "p95": "#Flush p95"},
        [
            {
                "worker": f"<code>{ui.text(row['worker'])}</code>",
                "partitions": ui.text(ranges(row["partitions"])),
                "last": words.moment(row["last_at"], now, context.zone),
                "flushes": words.count(row["flushes"]),
                "statements": f"{row['statements'] / (now - since).total_seconds():,.1f}",
                "rows": f"{row['rows'] / (now - since).total_seconds():,.1f}",
                "p50": words.milliseconds(row["flush_p50_ms"]),
                "p95": words.milliseconds(row["flush_p95_ms"]),
            }
            for row in rows
        ],
        says="Workers of the last 15 minutes",
    )  # fmt: skip


def _alarms(context: Context) -> None:
    rows = context.store.query(context.viewer, "alarms", since=context.now() - timedelta(days=1))
    if not rows:
        ui.empty(
            "No alarms in 24 hours", "An imbalance of five minutes, a partition that stands still: they come here."
        )
        return
    now = context.now()
    ui.table(
        {"subject": "About", "since": "Since", "until": "Until", "message": "What is wrong, and what to do"},
        [
            {
                "subject": ui.text(row["subject"]),
                "since": f'<span class="rt-nowrap">{words.moment(row["since"], now, context.zone)}</span>',
                "until": words.moment(row["until"], now, context.zone)
                if row["until"]
                else '<b class="rt-warn">now</b>',
                "message": ui.text(row["message"]),
            }
            for row in rows
        ],
        says="Alarms of the last 24 hours",
    )


def ranges(numbers: list[int]) -> str:
    """Numbers in order as ranges: 0–3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
