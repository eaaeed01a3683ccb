"""Mapping: verbs that mean nothing here yet, activities without a skill, and how to give them a meaning."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboards import components as ui
from dashboards import words
from dashboards.access import manage
from dashboards.screens.provider_acts import act, by, now_us
from dashboards.session import Context
from dashboards.store import Row
from infra.runtime import mappings
from schemas import verbs as canonical


def view(context: Context, provider: str, coverage: Row, since: datetime) -> None:
    """Draw it. ``coverage``: of the provider's statements since ``since``."""
    activities = context.store.query(context.viewer, "provider_unaligned", since=since, provider=provider)
    verbs = context.store.query(context.viewer, "provider_unmapped_verbs", since=since, provider=provider)
    with context.registry.connect() as connection:
        mapped = mappings.verbs_of(connection, provider)
        aligned = mappings.alignments_of(connection, provider)
    may = manage(context.viewer, provider).allowed
    left, right = st.columns([1.5, 1], gap="medium")
    with left:
        _activities(context, activities)
        if may:
            with st.container(horizontal=True, gap="small"):
                _align(context, provider, activities)
                _unalign(context, provider, aligned)
    with right:
        known = coverage["verb_known"] / coverage["statements"] if coverage["statements"] else None
        _verbs(verbs, known)
        if may:
            _map_verb(context, provider, verbs)
        _mapped(context, provider, mapped, may=may)


def _activities(context: Context, activities: list[Row]) -> None:
    ui.section("Activities that tell an outcome and have no skill", "7 days; the 20 most frequent")
    if not activities:
        ui.empty("None", "Every outcome of the last 7 days is aligned to a skill.")
        return
    now = context.now()
    ui.table(
        {"name": "Activity", "statements": "#Statements", "last": "Last seen"},
        [
            {
                "name": (f"{ui.text(row['name'])}<br>" if row["name"] else "")
                + f"<code class='rt-soft'>{ui.text(row['activity'])}</code>",
                "statements": words.count(row["statements"]),
                "last": f'<span class="rt-nowrap">{words.moment(row["last_at"], now, context.zone)}</span>',
            }
            for row in activities
        ],
        says="Activities without a skill",
    )


def _align(context: Context, provider: str, activities: list[Row]) -> None:
    names = {row["activity"]: row["name"] for row in activities}
    skills = context.catalogue.skills
    with st.popover("Align an activity to a skill", icon=":material/add_link:", disabled=not skills):
        iri = st.selectbox(
            "Activity", list(names), key="align-activity", index=0 if names else None, accept_new_options=True,
            format_func=lambda one: names.get(one) or one,
        )  # fmt: skip
        skill = st.selectbox(
            "Skill", sorted(skills, key=lambda one: skills[one].name), key="align-skill",
            format_func=lambda one: f"{skills[one].name} ({one})",
        )  # fmt: skip
        st.caption("In statements accepted from now on. Many at once: roundtrip admin align CSV")
        if st.button("Align it", key="align-do", type="primary", disabled=not (iri and skill)):
            act(
                context,
                lambda connection: mappings.align(
                    connection, provider, str(iri), str(skill), by(context), now_us(context)
                ),
                "Aligned.",
            )


def _unalign(context: Context, provider: str, aligned: list[tuple[str, str]]) -> None:
    skills = context.catalogue.skills

    def named(place: tuple[str, str]) -> str:
        iri, skill = place
        return f"{skills[skill].name if skill in skills else skill}: {iri}"

    with st.popover("Take an alignment back", icon=":material/link_off:", disabled=not aligned):
        place = st.selectbox(
            f"Of {words.plural(len(aligned), 'alignment')} of this provider", aligned, key="unalign-place",
            format_func=named,
        )  # fmt: skip
        st.caption("In statements accepted from now on. What was told before keeps its skill.")
        if st.button("Take it back", key="unalign-do", disabled=place is None):
            act(
                context,
                lambda connection: mappings.unalign(connection, provider, *place, by(context), now_us(context)),
                "It is no longer evidence of that skill.",
            )


def _verbs(verbs: list[Row], known: float | None) -> None:
    ui.section("Verbs without a meaning", f"7 days; {words.percent(known)} of statements are understood")
    if not verbs:
        ui.empty("None", "Every verb of the last 7 days has a meaning.")
        return
    ui.table(
        {"verb": "Verb", "statements": "#Statements"},
        [
            {"verb": f"<code>{ui.text(row['verb_iri'])}</code>", "statements": words.count(row["statements"])}
            for row in verbs
        ],
        says="Unmapped verbs",
    )


def _map_verb(context: Context, provider: str, verbs: list[Row]) -> None:
    with st.popover("Give a verb a meaning", icon=":material/translate:"):
        iris = [row["verb_iri"] for row in verbs]
        iri = st.selectbox(
            "Verb as it is sent", iris, key="verb-iri", index=0 if iris else None, accept_new_options=True
        )
        means = st.selectbox("It means", sorted(canonical.ALL), key="verb-means")
        st.caption("In statements accepted from now on.")
        if st.button("Map it", key="verb-do", type="primary", disabled=not (iri and means)):
            act(
                context,
                lambda connection: mappings.map_verb(
                    connection, provider, str(iri), str(means), by(context), now_us(context)
                ),
                f"It means {means}.",
            )


def _mapped(context: Context, provider: str, mapped: list[tuple[str, str]], *, may: bool) -> None:
    if not mapped:
        return
    ui.section("Verbs of this provider with a meaning of their own")
    ui.table(
        {"iri": "Verb", "verb": "Means"},
        [{"iri": f"<code>{ui.text(iri)}</code>", "verb": ui.text(verb)} for iri, verb in mapped],
        says="Mapped verbs",
    )
    if not may:
        return
    with st.popover("Take a meaning back", icon=":material/undo:"):
        iri = st.selectbox("Verb", [one for one, _ in mapped], key="unmap-iri")
        if st.button("Take it back", key="unmap-do"):
            act(
                context,
                lambda connection: mappings.unmap_verb(connection, provider, str(iri), by(context), now_us(context)),
                "It has no meaning of its own any more.",
            )
