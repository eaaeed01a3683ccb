"""Entry of the pages: ``streamlit run dashboards/app.py``, or ``roundtrip pages``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards import components as ui
from dashboards.access import Area, Role, Viewer, may, sees_students
from dashboards.screens import district, operations, provider, queue, sign_in, student
from dashboards.session import Context, services, signed_in

_ICON = Path(__file__).with_name("icon.svg")
_FIRST = {
    Role.COUNSELOR: "queue",
    Role.TEACHER: "queue",
    Role.LEADER: "district",
    Role.OPERATOR: "operations",
    Role.PROVIDER: "provider",
}


def main() -> None:
    """One run of the script: who is signed in, which pages they have, and the page that is open."""
    st.set_page_config(page_title="Roundtrip", page_icon=str(_ICON), layout="wide")
    ui.style()
    shared = services()
    member = signed_in(shared)
    if member is None:
        st.navigation(
            [st.Page(partial(sign_in.page, shared), title="Sign in", url_path="sign-in")], position="hidden"
        ).run()
        return
    pages: dict[str, Any] = {}
    context = Context(shared, member, pages)
    pages |= {name: _page(name, context) for name in allowed(member.viewer)}
    chosen = st.navigation(list(pages.values()), position="top")
    if chosen.url_path != "student":
        student.close()
    chosen.run()


def allowed(viewer: Viewer) -> list[str]:
    """Names of the pages that a viewer has. Everyone has the student page: it says when a record is not theirs."""
    names = ["queue"] if sees_students(viewer) else []
    if may(viewer, Area.AGGREGATES).allowed:
        names.append("district")
    if may(viewer, Area.PROVIDERS).allowed:
        names.append("provider")
    if may(viewer, Area.OPERATIONS).allowed:
        names.append("operations")
    return [*names, "student"]


def opens(viewer: Viewer) -> str:
    """Name of the page that opens first: the role's own, where the viewer has it."""
    names = allowed(viewer)
    return _FIRST[viewer.role] if _FIRST[viewer.role] in names else names[0]


def _page(name: str, context: Context) -> Any:
    draw, title, icon = {
        "queue": (queue.page, "Queue", "checklist"),
        "student": (student.page, "Student", "person"),
        "district": (district.page, "District", "account_balance"),
        "provider": (provider.page, "Providers", "extension"),
        "operations": (operations.page, "Operations", "monitoring"),
    }[name]
    return st.Page(
        partial(draw, context),
        title=title,
        icon=f":material/{icon}:",
        url_path=name,
        default=name == opens(context.viewer),
        visibility="hidden" if name == "student" else "visible",
    )


if __name__ == "__main__":
    main()
