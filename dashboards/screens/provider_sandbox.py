"""Sandbox: what sandbox credentials sent, as it would be read back; it reaches no student and no count."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import func, select

from dashboards import components as ui
from dashboards import mending, words
from dashboards.access import manage
from dashboards.session import Context
from schemas.registry.lrs import sandboxed

_SHOWN = 50


def view(context: Context, provider: str) -> None:
    """Draw it."""
    decision = manage(context.viewer, provider)
    if not decision.allowed:
        ui.not_allowed(decision.reason)
        return
    own = sandboxed.c
    with context.registry.connect() as connection:
        newest = (
            select(own.statement_id, own.stored, own.statement)
            .where(own.provider_id == provider)
            .order_by(own.stored.desc(), own.statement_id)
            .limit(_SHOWN)
        )
        rows = connection.execute(newest).all()
        number = connection.execute(
            select(func.count()).select_from(sandboxed).where(own.provider_id == provider)
        ).scalar_one()
    if not rows:
        ui.empty(
            "The sandbox is empty",
            "Issue a sandbox credential under Credentials: what it sends is checked and answered like the real thing, "
            "can be read back, and reaches no student.",
        )
        return
    left, right = st.columns([1, 1.4], gap="medium")
    known = {row.statement_id: row for row in rows}
    with left:
        ui.section("Sandbox statements", f"{words.count(number)} kept, the newest {len(rows)} here")

        def label(key: str) -> str:
            row = known[key]
            at = words.exact(datetime.fromtimestamp(row.stored / 1e6, UTC), context.zone)
            # Streamlit tells options apart by their labels: each is one of its kind.
            return f"{at}, {key[:8]}: {words.activity(mending.verb_of(row.statement))}"

        chosen = st.radio("Statement", list(known), format_func=label, key="sandbox-item", label_visibility="collapsed")
    with right:
        ui.section("As it is read back", ui.text(chosen or ""))
        if chosen:
            st.code(mending.shown(known[chosen].statement), language="json", height=440)
