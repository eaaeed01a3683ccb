"""Credentials: issued, rotated, revoked; the mode and limits of a provider; and who changed what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import streamlit as st
from sqlalchemy import Connection, Row, select

from dashboards import components as ui
from dashboards import words
from dashboards.access import grants, manage, may_limit
from dashboards.screens.provider_acts import act, by, now_us
from dashboards.session import Context
from infra.runtime import providers
from infra.runtime.providers import DEFAULT_SCOPES, SCOPES, Issued
from schemas.registry.lrs import provider_changes
from schemas.registry.tables import provider_credentials, token_clients
from schemas.registry.tables import providers as table

_ISSUED: Final = "provider-issued"
_OVERLAPS: Final = {
    "1 hour": timedelta(hours=1),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
}
_ENDS: Final = {"never": None, "in 90 days": timedelta(days=90), "in a year": timedelta(days=365)}
_CHANGES: Final = 12


def view(context: Context, provider: str) -> None:
    """Draw it."""
    decision = manage(context.viewer, provider)
    if not decision.allowed:
        ui.not_allowed(decision.reason)
        return
    own, changed = provider_credentials.c, provider_changes.c
    with context.registry.connect() as connection:
        credentials = connection.execute(
            select(provider_credentials).where(own.provider_id == provider).order_by(own.created_at.desc())
        ).all()
        settings = connection.execute(select(table).where(table.c.provider_id == provider)).one()
        changes = connection.execute(
            select(provider_changes).where(changed.provider_id == provider).order_by(changed.at.desc()).limit(_CHANGES)
        ).all()
        clients = connection.execute(
            select(token_clients).where(token_clients.c.provider_id == provider).order_by(token_clients.c.created_at)
        ).all()
    _just_issued(context)
    ui.section("Credentials", "secrets are kept as hashes alone: a lost one is replaced")
    _table(context, credentials)
    with st.container(horizontal=True, gap="small"):
        _issue(context, provider)
        _rotate(context, provider, credentials)
        _revoke(context, provider, credentials)
    _clients(context, clients)
    left, right = st.columns([1, 1.4], gap="medium")
    with left:
        _mode(context, provider, settings)
        _limits(context, provider, settings)
    with right:
        _changes(context, changes)


def _just_issued(context: Context) -> None:
    issued: Issued | None = st.session_state.get(_ISSUED)
    if issued is None:
        return
    with st.container(border=True):
        st.html(
            f'<div role="status">{ui.icon("key", "rt-good")} <b>A new credential.</b> The secret is shown this once: '
            "hand it over now, through a channel that you trust.</div>"
        )
        left, middle, right = st.columns([1, 1.6, 0.6], vertical_alignment="bottom")
        with left:
            st.caption("Key")
            st.code(issued.key, language=None)
        with middle:
            st.caption("Secret")
            st.code(issued.secret, language=None)
        with right:
            if st.button("I have kept it", icon=":material/check:", key="issued-done"):
                del st.session_state[_ISSUED]
                st.rerun()


def _state(context: Context, row: Row[Any]) -> tuple[str, bool]:
    """A credential's state as HTML, and whether it is accepted."""
    if row.disabled:
        return f'<span class="rt-none">{ui.icon("block")} revoked</span>', False
    if row.expires_at is None:
        return f'<span class="rt-good">{ui.icon("check_circle")} accepted</span>', True
    ends = datetime.fromtimestamp(row.expires_at / 1e6, UTC)
    if ends <= context.now():
        ago = words.moment(ends, context.now(), context.zone)
        return f'<span class="rt-none">{ui.icon("timer_off")} ended {ago}</span>', False
    return f'<span class="rt-warn">{ui.icon("timelapse")} ends {ui.text(words.exact(ends, context.zone))}</span>', True


def _table(context: Context, credentials: Any) -> None:
    if not credentials:
        ui.empty("No credential yet", "Issue the first one: its key and secret are what the provider sends with.")
        return
    now = context.now()
    ui.table(
        {"key": "Key", "label": "For", "scopes": "May", "created": "Issued", "state": "State"},
        [
            {
                "key": f"<code>{ui.text(row.key)}</code>",
                "label": ui.text(row.label)
                + (f' <span class="rt-badge rt-accent">{ui.icon("science")} sandbox</span>' if row.sandbox else ""),
                "scopes": f'<span class="rt-small">{ui.text(row.scopes.replace(" ", ", "))}</span>',
                "created": f'<span class="rt-nowrap">{words.moment(_time(row.created_at), now, context.zone)}</span>',
                "state": f'<span class="rt-nowrap">{_state(context, row)[0]}</span>',
            }
            for row in credentials
        ],
        says="Credentials",
    )


def _clients(context: Context, clients: Any) -> None:
    """Who speaks for the provider with bearer tokens; whom to trust is decided by the district, by commands."""
    if not clients:
        return
    ui.section("Clients with bearer tokens", "added and taken away by: roundtrip admin client")
    now = context.now()
    off = f'<span class="rt-none">{ui.icon("block")} disabled</span>'
    on = f'<span class="rt-good">{ui.icon("check_circle")} accepted</span>'
    ui.table(
        {"client": "Client", "issuer": "Issuer", "scopes": "May at most", "created": "Added", "state": "State"},
        [
            {
                "client": f"<code>{ui.text(row.client_id)}</code>",
                "issuer": ui.text(row.issuer),
                "scopes": f'<span class="rt-small">{ui.text(row.scopes.replace(" ", ", "))}</span>',
                "created": f'<span class="rt-nowrap">{words.moment(_time(row.created_at), now, context.zone)}</span>',
                "state": f'<span class="rt-nowrap">{off if row.disabled else on}</span>',
            }
            for row in clients
        ],
        says="Clients with bearer tokens",
    )


def _issue(context: Context, provider: str) -> None:
    with st.popover("Issue a credential", icon=":material/add:"):
        label = st.text_input("What it is for", key="issue-label", placeholder="as in: grade 7 course")
        open_to = grants(context.viewer, SCOPES)
        scopes = st.multiselect("It may", open_to, default=sorted(DEFAULT_SCOPES), key="issue-scopes")
        sandbox = st.checkbox(
            "Sandbox: what it sends is checked and answered, and reaches no student", key="issue-sandbox"
        )
        ends = st.selectbox("It ends", list(_ENDS), key="issue-ends")
        if st.button("Issue it", key="issue-do", type="primary", disabled=not (label.strip() and scopes)):
            span = _ENDS[ends]

            def issue(connection: Connection) -> Issued:
                now = now_us(context)
                made = providers.issue_credential(
                    connection, provider, now, scopes=grants(context.viewer, scopes), sandbox=sandbox,
                    label=label.strip(), expires_at=now + int(span.total_seconds() * 1e6) if span else None,
                )  # fmt: skip
                kind = "sandbox credential" if sandbox else "credential"
                _note(context, connection, provider, f"{kind} {made.key} issued for {label.strip()}")
                return made

            act(context, issue, "Issued. The secret is shown this once.", keep=_ISSUED)


def _rotate(context: Context, provider: str, credentials: Any) -> None:
    open_ones = {row.key: row for row in credentials if _state(context, row)[1]}
    with st.popover("Rotate", icon=":material/autorenew:", disabled=not open_ones):
        key = st.selectbox(
            "Credential", list(open_ones), key="rotate-key", format_func=lambda one: _named(open_ones[one])
        )
        overlap = st.segmented_control(
            "Both work for", list(_OVERLAPS), default="7 days", required=True, key="rotate-for"
        )
        st.caption(
            "A new key and secret that may do the same. The old one ends by itself; nothing sent meanwhile is lost."
        )
        if st.button("Rotate it", key="rotate-do", type="primary"):

            def rotate(connection: Connection) -> Issued:
                span = int(_OVERLAPS[str(overlap)].total_seconds() * 1e6)
                made = providers.rotate_credential(connection, str(key), now_us(context), span)
                _note(context, connection, provider, f"credential {key} rotated to {made.key}, both work for {overlap}")
                return made

            act(context, rotate, "Rotated. The new secret is shown this once.", keep=_ISSUED)


def _revoke(context: Context, provider: str, credentials: Any) -> None:
    open_ones = {row.key: row for row in credentials if not row.disabled}
    with st.popover("Revoke", icon=":material/block:", disabled=not open_ones):
        key = st.selectbox(
            "Credential", list(open_ones), key="revoke-key", format_func=lambda one: _named(open_ones[one])
        )
        why = st.text_input("Why", key="revoke-why")
        st.caption("What is sent with it is refused within seconds.")
        if st.button("Revoke it", key="revoke-do", disabled=not why.strip()):

            def revoke(connection: Connection) -> None:
                providers.disable(connection, key=str(key))
                _note(context, connection, provider, f"credential {key} revoked: {why.strip()}")

            act(context, revoke, f"{key} is revoked.")


def _mode(context: Context, provider: str, settings: Row[Any]) -> None:
    ui.section("What breaks a rule", "statements of this provider")
    words_ = {"strict": "is refused, with its batch", "quarantine": "is kept aside, the rest accepted"}
    mode = st.segmented_control(
        "Mode", list(words_), default=settings.mode, required=True, key=f"mode-{settings.mode}",
        format_func=lambda one: f"{one}: {words_[one]}", label_visibility="collapsed",
    )  # fmt: skip
    if mode != settings.mode and st.button(f"Change to {mode}", key="mode-do", type="primary"):

        def change(connection: Connection) -> None:
            providers.set_mode(connection, provider, str(mode))
            _note(context, connection, provider, f"mode {mode}")

        act(context, change, f"The mode is {mode}.")


def _limits(context: Context, provider: str, settings: Row[Any]) -> None:
    note = "a second: in each ingest process; empty: the platform's own"
    ui.section("Limits", note if may_limit(context.viewer) else "set by the district")
    closed = not may_limit(context.viewer)
    with st.form("limits", border=False):
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        rate = left.number_input("Statements a second", min_value=1, value=settings.rate_per_second, disabled=closed)
        quota = middle.number_input("Statements a day", min_value=1, value=settings.daily_quota, disabled=closed)
        if right.form_submit_button("Set limits", disabled=closed):

            def change(connection: Connection) -> None:
                providers.set_limits(connection, provider, rate, quota)
                _note(
                    context, connection, provider, f"limits: {rate or 'default'} a second, {quota or 'no limit'} a day"
                )

            act(context, change, "The limits are set.")


def _changes(context: Context, changes: Any) -> None:
    ui.section("Changes", f"the last {_CHANGES}")
    if not changes:
        st.html('<span class="rt-soft">None yet. Whatever is changed here is written down, with who did it.</span>')
        return
    now = context.now()
    ui.table(
        {"at": "When", "who": "Who", "what": "What"},
        [
            {
                "at": f'<span class="rt-nowrap">{words.moment(_time(row.at), now, context.zone)}</span>',
                "who": f'<span class="rt-nowrap">{ui.text(row.changed_by)}</span>',
                "what": ui.text(row.what),
            }
            for row in changes
        ],
        says="Changes of this provider",
    )


def _note(context: Context, connection: Connection, provider: str, what: str) -> None:
    providers.note_change(connection, provider, now_us(context), by(context), what)


def _named(row: Row[Any]) -> str:
    return f"{row.key} ({row.label})" if row.label else str(row.key)


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1e6, UTC)
