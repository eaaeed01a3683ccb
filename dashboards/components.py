"""Parts that all pages are made of: header, tiles, tables, and the four designed states."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from dashboards import charts, words
from dashboards.access import Area, may
from dashboards.freshness import Freshness, State, freshness
from dashboards.session import Context, leave
from dashboards.store import NotAllowedError, StoreError
from infra.runtime.logging import get_logger

_STYLE = Path(__file__).with_name("style.css")
UNAVAILABLE = (StoreError, SQLAlchemyError)
"""What a store or a registry raises that does not answer."""
_QUIET_AT_LEAST = timedelta(minutes=10)
_QUIET_AT_MOST = timedelta(hours=26)


def style() -> None:
    """The style of all pages; takes no room."""
    st.html(_STYLE)


def text(value: object) -> str:
    """Anything as text that HTML does not read as its own."""
    return html.escape(str(value))


def icon(name: str, colour: str = "") -> str:
    """A Material Symbol; the word beside it says the same, so it is hidden from readers of the page."""
    return f'<span class="rt-icon {colour}" aria-hidden="true">{name}</span>'


def chip(symbol: str, words_: str, *, hover: str = "", colour: str = "") -> str:
    """A small label with an icon."""
    return f'<span class="rt-chip {colour}" title="{text(hover)}">{icon(symbol)}{text(words_)}</span>'


def how_fresh(context: Context) -> Freshness:
    """How fresh everything on the page is."""
    progress = context.store.query(context.viewer, "progress")
    return freshness(progress, context.settings.kafka.partitions, context.now())


def provider_states(context: Context) -> dict[str, tuple[bool, Any]]:
    """Each provider of the registry: whether it reports as usual, and its last minute (None: not in a week)."""
    now = context.now()
    since = (now - timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
    rows = {row["provider_id"]: row for row in context.store.query(context.viewer, "providers_reporting", since=since)}
    states: dict[str, tuple[bool, Any]] = {}
    for provider_id in context.catalogue.providers:
        row = rows.get(provider_id)
        if row is None:
            states[provider_id] = (False, None)
            continue
        patience = max(_QUIET_AT_LEAST, 4 * timedelta(seconds=row["usual_gap_s"] or 0))
        if row["minutes"] < 5:
            patience = _QUIET_AT_MOST
        states[provider_id] = (now - row["last_minute"] <= min(patience, _QUIET_AT_MOST), row["last_minute"])
    return states


def may_see_providers(context: Context) -> bool:
    """Whether what providers sent is open to the viewer."""
    return may(context.viewer, Area.PROVIDERS).allowed


def header(context: Context, title: str, question: str, scope: str) -> None:
    """Title, question, scope, freshness and providers; and who is signed in."""
    left, right = st.columns([6, 1.15], vertical_alignment="bottom")
    with left:
        _live_header(context, title, question, scope)
    with (
        right,
        st.container(key="rt-member"),
        st.popover(context.member.name, icon=":material/account_circle:", type="tertiary", width="stretch"),
    ):
        demo = context.settings.dashboards.demo_sign_in
        st.markdown(f"**{context.member.name}**, {context.viewer.role}")
        st.caption("Demo sign-in: anyone can choose." if demo else context.member.email)
        if st.button("Choose somebody else" if demo else "Sign out", icon=":material/logout:"):
            leave(context.services)
            st.rerun()


def _live_header(context: Context, title: str, question: str, scope: str) -> None:
    @st.fragment(run_every=context.settings.dashboards.refresh_seconds)
    def draw() -> None:
        chips = [chip("filter_center_focus", scope, hover="What this page covers")]
        try:
            chips += [_freshness_chip(context), _providers_chip(context)]
        except UNAVAILABLE:
            chips.append(chip("cloud_off", "No data: the store does not answer", colour="rt-warn"))
        st.html(
            f'<div class="rt-head"><div><h1>{text(title)}</h1><p>{text(question)}</p></div>'
            f'<div class="rt-chips">{"".join(chips)}</div></div>'
        )

    draw()


def _freshness_chip(context: Context) -> str:
    fresh = how_fresh(context)
    if fresh.as_of is None:
        return chip("hourglass_empty", "No data yet", hover="No worker has written anything yet")
    words_ = f"Data as of {words.clock(fresh.as_of, context.zone)}, lag {words.duration(fresh.lag)}"
    hover = words.exact(fresh.as_of, context.zone)
    if fresh.state is State.FRESH:
        return chip("check_circle", words_, hover=hover)
    if fresh.state is State.PARTIAL:
        words_ += f" ({fresh.late} of {fresh.partitions} partitions late)"
    return chip("history_toggle_off", words_, hover=hover, colour="rt-warn")


def _providers_chip(context: Context) -> str:
    states = provider_states(context)
    quiet = [context.catalogue.provider(key) for key, (reports, _) in states.items() if not reports]
    words_ = f"{len(states) - len(quiet)} of {len(states)} providers reporting"
    if quiet:
        return chip("sensors_off", words_, hover=f"Quiet: {', '.join(quiet)}", colour="rt-warn")
    return chip("sensors", words_, hover="All report as they usually do")


def section(title: str, note: str = "") -> None:
    """A heading with a remark at its right."""
    st.html(f'<div class="rt-section"><h2>{text(title)}</h2><span>{note}</span></div>')


def tile(
    label: str, value: str, *, unit: str = "", note: str = "", spark: str = "", symbol: str = "", evidence: str = ""
) -> str:
    """One number with its unit, what it means, and its past. ``note`` is HTML; ``evidence`` an address."""
    mark = icon(symbol) if symbol else ""
    return (
        f'<div class="rt-tile"><div class="rt-label">{mark}{anchor(label, evidence)}</div>'
        f'<div class="rt-value"><span>{text(value)} <small>{text(unit)}</small></span>{spark}</div>'
        f'<div class="rt-note">{note}</div></div>'
    )


def tiles(items: Iterable[str]) -> None:
    """Tiles in a row."""
    st.html(f'<div class="rt-tiles">{"".join(items)}</div>')


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, str]], *, says: str) -> None:
    """A table of HTML cells. ``columns``: heading by key, a heading that starts with "#" being of numbers."""

    def cells(tag: str, values: Mapping[str, str]) -> str:
        return "".join(
            f"<{tag}{' class=rt-num' if heading.startswith('#') else ''}>{values[key]}</{tag}>"
            for key, heading in columns.items()
        )

    head = cells("th", {key: text(heading.lstrip("#")) for key, heading in columns.items()})
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    st.html(
        f'<div class="rt-scroll"><table class="rt-table" aria-label="{text(says)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def chart(drawing: Any, *, says: str, key: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """A chart, with words for those who cannot see it; as wide as there is room, or as its content."""
    st.altair_chart(drawing, width=width, theme="streamlit", key=key, alt=says)


def address(context: Context, page: str, **parameters: str) -> str:
    """Address of another page for a link in HTML; empty where the viewer has no such page."""
    if page not in context.pages:
        return ""
    if context.settings.dashboards.demo_sign_in:
        parameters["as"] = context.member.staff_id
    return f"{page}?{urlencode(parameters)}"


def anchor(label: str, to: str) -> str:
    """Words that lead to an address; plain words where there is none."""
    return f'<a href="{text(to)}" target="_self">{text(label)}</a>' if to else text(label)


def link(context: Context, page: str, label: str, *, symbol: str = "", **parameters: str) -> None:
    """A link to another page; plain words where the viewer has no such page."""
    if page not in context.pages:
        st.write(label)
        return
    if context.settings.dashboards.demo_sign_in:
        parameters["as"] = context.member.staff_id
    shown = f":material/{symbol}:" if symbol else None
    st.page_link(context.pages[page], label=label, icon=shown, query_params=parameters, width="stretch")


def empty(title: str, sentence: str) -> None:
    """Nothing is there, and that is an answer."""
    st.html(f'<div class="rt-state"><b>{text(title)}</b>{text(sentence)}</div>')


def remark(sentence: str) -> None:
    """What a reader may want to know beside the numbers, small and in full contrast."""
    st.html(f'<div class="rt-soft rt-small">{text(sentence)}</div>')


def notice(sentence: str, symbol: str = "warning") -> None:
    """One line that the reader must see before the numbers."""
    st.html(f'<div class="rt-bar" role="status">{icon(symbol, "rt-warn")} {text(sentence)}</div>')


def staleness(context: Context) -> None:
    """Says so when what the page shows is late or partial, in a place of its own: the rest keeps its order."""
    fresh = how_fresh(context)
    late = words.duration(fresh.lag)
    with st.container():
        if fresh.state is State.STALE:
            notice(
                f"Everything here is {late} old: statements are accepted and kept, and wait to be processed. "
                f"Later ones appear here by themselves."
            )
        elif fresh.state is State.PARTIAL:
            notice(
                f"Part of the students are shown as they were {late} ago: {fresh.late} of {fresh.partitions} "
                f"partitions are late."
            )


def notice_good(sentence: str) -> None:
    """One line that says that something is right."""
    st.html(f'<div class="rt-bar rt-bar-good" role="status">{icon("check_circle", "rt-good")} {text(sentence)}</div>')


def not_allowed(reason: str) -> None:
    """The page that a forged or outdated link ends at."""
    st.html(
        f'<div class="rt-state">{icon("lock")}<b>You cannot open this page</b>{text(reason)} '
        f"Ask the office that manages accounts if you need it.</div>"
    )


def skeleton(*heights: int) -> None:
    """The shape of what is to come."""
    bars = "".join(f'<i style="height:{height}px"></i>' for height in heights)
    st.html(f'<div class="rt-skeleton" role="status" aria-label="Loading">{bars}</div>')


def live(
    context: Context, name: str, *heights: int, slower: int = 1
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """A part of a page that reads again by itself, with its states: loading, not allowed, error with retry.

    ``slower``: how many times the usual seconds lie between two readings.
    """

    def wrap(draw: Callable[[], None]) -> Callable[[], None]:
        @wraps(draw)
        @st.fragment(run_every=slower * context.settings.dashboards.refresh_seconds)
        def run() -> None:
            guarded(name, draw, *heights)

        return run

    return wrap


def guarded(name: str, draw: Callable[[], None], *heights: int) -> None:
    """Draw a part in its states.

    The skeleton shows the first time only. A refresh draws over what is there, so that nothing jumps: the part stands
    in a container that is never emptied first.
    """
    waiting, body = st.empty(), st.container()
    drawn = f"drawn:{name}"
    if drawn not in st.session_state:
        with waiting.container():
            skeleton(*heights)
    try:
        with body:
            draw()
    except NotAllowedError as refused:
        with body:
            not_allowed(refused.decision.reason)
    except UNAVAILABLE as error:
        with body:
            failed(name, error)
    if drawn not in st.session_state:
        waiting.empty()
    st.session_state[drawn] = True


def failed(name: str, error: Exception) -> None:
    """What is shown in place of a part that could not be read, with a way to try again."""
    get_logger(__name__).warning("part of a page failed", part=name, error=str(error), cause=str(error.__cause__))
    sentence = str(error) if isinstance(error, StoreError) else "The registry does not answer."
    st.html(
        f'<div class="rt-state">{icon("cloud_off")}<b>This cannot be shown right now</b>{text(sentence)} '
        f"Nothing is lost: statements are accepted and kept meanwhile. It is tried again by itself.</div>"
    )
    st.button("Try again", icon=":material/refresh:", key=f"retry:{name}")


def spark_days(rows: Sequence[Mapping[str, Any]], name: str, context: Context, number: int = 20) -> str:
    """A tile's past in days."""
    days = charts.last_days(context.today(), number)
    return charts.spark(charts.per_day(list(map(dict, rows)), name, days), says=f"the last {number} days")
