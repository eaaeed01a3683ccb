"""What the provider page changes: each in one transaction of the registry, said afterwards, its fault in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from dashboards import components as ui
from dashboards.session import Context
from infra.runtime.providers import ProviderFaultError

_SAID = "provider-said"


def act(context: Context, change: Callable[[Connection], Any], said: str, *, keep: str = "") -> None:
    """Change the registry, then draw the page anew; what the change gave is kept in the session under ``keep``."""
    try:
        with context.registry.begin() as connection:
            made = change(connection)
    except ProviderFaultError as error:
        st.html(f'<span class="rt-warn">{ui.icon("error")} {ui.text(error)}</span>')
        return
    if keep:
        st.session_state[keep] = made
    st.session_state[_SAID] = said
    st.rerun()


def say() -> None:
    """What the last change came to."""
    if said := st.session_state.pop(_SAID, ""):
        st.toast(said, icon=":material/check_circle:")


def by(context: Context) -> str:
    """Who changes something, as it is written down."""
    return f"{context.member.name} ({context.viewer.role})"


def now_us(context: Context) -> int:
    """The time in µs."""
    return int(context.now().timestamp() * 1e6)
