"""What a page works with: settings, store, registry, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Engine

from dashboards import catalogue, people
from dashboards.access import Viewer
from dashboards.broker import LagReader
from dashboards.catalogue import Catalogue
from dashboards.palette import DARK, LIGHT, Palette
from dashboards.store import Store
from infra.runtime.registry import open_registry
from infra.runtime.settings import Settings

_MEMBER = "staff_id"
CATALOGUE_SECONDS = 30


@dataclass(frozen=True)
class Services:
    """What all sessions of this process share."""

    settings: Settings
    registry: Engine
    store: Store
    lag: LagReader


@dataclass(frozen=True)
class Context:
    """One viewer's session."""

    services: Services
    member: people.StaffMember
    pages: dict[str, Any] = field(default_factory=dict)

    @property
    def viewer(self) -> Viewer:
        """Who asks."""
        return self.member.viewer

    @property
    def settings(self) -> Settings:
        """The whole tree."""
        return self.services.settings

    @property
    def store(self) -> Store:
        """Where questions are asked."""
        return self.services.store

    @property
    def registry(self) -> Engine:
        """Where names are."""
        return self.services.registry

    @property
    def zone(self) -> ZoneInfo:
        """The district's zone."""
        return ZoneInfo(self.settings.district.timezone)

    @property
    def palette(self) -> Palette:
        """Colours for the ground that the viewer has chosen."""
        return DARK if st.context.theme.type == "dark" else LIGHT

    @property
    def catalogue(self) -> Catalogue:
        """Names of things, at most half a minute old."""
        return _catalogue(self.services)

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def today(self) -> date:
        """The day in the district."""
        return self.now().astimezone(self.zone).date()


@st.cache_resource(show_spinner=False, on_release=lambda made: made.lag.stop())
def services() -> Services:
    """Settings, registry and store, made once a process."""
    settings = Settings()
    registry = open_registry(settings.registry_url())
    lag = LagReader(settings)
    lag.watch()
    return Services(settings, registry, Store(settings, registry), lag)


@st.cache_data(ttl=CATALOGUE_SECONDS, show_spinner=False, hash_funcs={Services: id})
def _catalogue(shared: Services) -> Catalogue:
    return catalogue.load(shared.registry)


def signed_in(shared: Services) -> people.StaffMember | None:
    """Who is signed in, by the demo's choice or by the address that the identity provider vouches for."""
    if shared.settings.dashboards.demo_sign_in:
        chosen = st.session_state.get(_MEMBER) or st.query_params.get("as", "")
        member = people.staff_member(shared.registry, staff_id=chosen) if chosen else None
        if member:
            choose(member)
        return member
    if not sign_in_configured() or not st.user.is_logged_in:
        return None
    email = st.user.get("email")
    if not isinstance(email, str) or st.user.get("email_verified") is False:
        return None
    return people.staff_member(shared.registry, email=email)


def choose(member: people.StaffMember) -> None:
    """Demo: act as this member of staff; the address carries the choice, so that a link opens as it was."""
    st.session_state[_MEMBER] = member.staff_id
    if st.query_params.get("as") != member.staff_id:
        st.query_params["as"] = member.staff_id


def leave(shared: Services) -> None:
    """Sign out."""
    st.session_state.clear()
    st.query_params.clear()
    if not shared.settings.dashboards.demo_sign_in:
        st.logout()


def sign_in_configured() -> bool:
    """Whether secrets.toml names an identity provider."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
