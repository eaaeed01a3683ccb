"""Entry of the pages: ``streamlit run dashboards/app.py``, or ``roundtrip pages``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboards import components as ui
from dashboards.access import Area, Role, Viewer, may, sees_classes, sees_students
from dashboards.screens import (
    classes,
    district,
    matrix,
    model_quality,
    operations,
    plan,
    provider,
    queue,
    sign_in,
    student,
)
from dashboards.session import Context, services, signed_in

_ICON = Path(__file__).with_name("icon.svg")
# By address: what draws it, its title and icon.
_PAGES: Final[dict[str, tuple[Callable[[Context], None], str, str]]] = {
    "queue": (queue.page, "Queue", "checklist"),
    "plan": (plan.page, "Plan", "event_note"),
    "matrix": (matrix.page, "Class skills", "grid_on"),
    "district": (district.page, "District", "account_balance"),
    "provider": (provider.page, "Providers", "extension"),
    "operations": (operations.page, "Operations", "monitoring"),
    "quality": (model_quality.page, "Model quality", "fact_check"),
    "student": (student.page, "Student", "person"),
}
_FIRST: Final = {
    Role.COUNSELOR: "queue",
    Role.TEACHER: "plan",
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
        # The addresses are there before sign-in, so that a link to a page leads to it after.
        entry = partial(sign_in.page, shared)
        first = st.Page(entry, title="Sign in", url_path="sign-in", default=True)
        rest = [st.Page(entry, title="Sign in", url_path=name) for name in _PAGES]
        st.navigation([first, *rest], position="hidden").run()
        return
    pages: dict[str, Any] = {}
    context = Context(shared, member, pages)
    open_to = allowed(member.viewer)
    pages |= {name: _page(name, context) for name in open_to}
    closed = [_closed(name, context) for name in _PAGES if name not in open_to]
    first = pages[opens(member.viewer)]
    chosen = st.navigation([_landing(first), *pages.values(), *closed], position="top")
    if chosen.url_path != "student":
        student.close()
    if chosen.url_path not in classes.PAGES:
        classes.close()
    chosen.run()


def allowed(viewer: Viewer) -> list[str]:
    """Names of the pages that a viewer has. Everyone has the student page: it says when a record is not theirs."""
    names = ["queue"] if sees_students(viewer) else []
    if sees_classes(viewer):
        names += classes.PAGES
    if may(viewer, Area.AGGREGATES).allowed:
        names.append("district")
    if may(viewer, Area.PROVIDERS).allowed:
        names.append("provider")
    if may(viewer, Area.OPERATIONS).allowed:
        names += ["operations", "quality"]
    return [*names, "student"]


def opens(viewer: Viewer) -> str:
    """Name of the page that opens first: the role's own, where the viewer has it."""
    names = allowed(viewer)
    return _FIRST[viewer.role] if _FIRST[viewer.role] in names else names[0]


def _landing(first: Any) -> Any:
    """The address without a page. It leads on: Streamlit does not know its default page by that page's own address."""

    def lead_on() -> None:
        st.switch_page(first, query_params=dict(st.query_params))

    return st.Page(lead_on, title="Roundtrip", default=True, visibility="hidden")


def _page(name: str, context: Context) -> Any:
    draw, title, icon = _PAGES[name]
    return st.Page(
        partial(draw, context),
        title=title,
        icon=f":material/{icon}:",
        url_path=name,
        visibility="hidden" if name == "student" else "visible",
    )


def _closed(name: str, context: Context) -> Any:
    """A page that the viewer's role does not have: its address says so."""

    def draw() -> None:
        ui.header(context, _PAGES[name][1], "This page is not open to this account.", "no access")
        ui.not_allowed(f"The role {context.viewer.role} does not have it.")

    return st.Page(draw, title=_PAGES[name][1], url_path=name, visibility="hidden")


if __name__ == "__main__":
    main()
