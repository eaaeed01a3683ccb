"""Sign-in: the demo's chooser, the identity provider's button, or how to set one up."""

from __future__ import annotations

import streamlit as st

from dashboards import catalogue, people
from dashboards import components as ui
from dashboards.session import Services, choose, sign_in_configured

_ROLES = {
    "counselor": ("support_agent", "Counselors", "Who needs me today, and why?"),
    "teacher": ("school", "Teachers", "How are the students of my sections?"),
    "leader": ("account_balance", "Leaders", "Is the district on track right now?"),
    "operator": ("monitoring", "Operators", "Does everything come through?"),
    "provider": ("extension", "Providers", "Does what I send arrive?"),
}
_SHOWN = 6


def page(services: Services) -> None:
    """Draw it."""
    if services.settings.dashboards.demo_sign_in:
        _demo(services)
    elif not sign_in_configured():
        _not_configured()
    elif not st.user.is_logged_in:
        ui.empty("Sign in", "Roundtrip uses the accounts of your district.")
        if st.button("Sign in", type="primary", icon=":material/login:"):
            st.login()
    else:
        ui.empty("No account here", f"{st.user.get('email')} is signed in, and is not on the list of staff.")
        if st.button("Sign out", icon=":material/logout:"):
            st.logout()


def _demo(services: Services) -> None:
    st.html(
        '<div class="rt-head"><div><h1>Who are you today?</h1>'
        "<p>Everyone sees what their role and scope allow, and no more.</p></div>"
        f'<div class="rt-chips">{ui.chip("science", "Demo sign-in: anyone can choose", colour="rt-warn")}</div></div>'
    )
    members = people.staff_members(services.registry)
    if not members:
        ui.empty("No staff yet", "The sample district is still being written, or no staff was imported.")
        if st.button("Look again", icon=":material/refresh:"):
            st.rerun()
        return
    names = catalogue.load(services.registry)
    for column, (role, (symbol, heading, question)) in zip(st.columns(len(_ROLES)), _ROLES.items(), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.html(f"<h3 class='rt-soft' style='font-size:1rem;margin:0'>{ui.icon(symbol)} {heading}</h3>"
                    f"<p class='rt-small rt-soft' style='margin:.2rem 0 0'>{question}</p>")  # fmt: skip
            for member in [member for member in members if member.viewer.role == role][:_SHOWN]:
                covers = names.scopes(member.viewer, services.settings.district.name)
                st.button(
                    f"{member.name}  \n:small[:gray[{covers}]]", key=member.staff_id, width="stretch",
                    on_click=choose, args=(member,),
                )  # fmt: skip


def _not_configured() -> None:
    ui.empty("Sign-in is not set up", "These pages open for staff only, through the identity provider of the district.")
    st.markdown(
        "Put the provider's OpenID Connect data into `.streamlit/secrets.toml` beside the command that runs the pages, "
        "install Authlib, and start again. Staff are known by the e-mail address in the registry."
    )
    st.code(
        '[auth]\nredirect_uri = "https://pages.district.example/oauth2callback"\n'
        'cookie_secret = "a long random string"\n'
        'client_id = "…"\nclient_secret = "…"\n'
        'server_metadata_url = "https://login.district.example/.well-known/openid-configuration"',
        language="toml",
    )
    st.caption("For a sample district alone: ROUNDTRIP_DASHBOARDS__DEMO_SIGN_IN=true lets anyone choose a role.")
