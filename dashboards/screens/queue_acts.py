"""What people do with cases: one bar of actions, for one case or for many; each said afterwards, refusals in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboards import cases, words
from dashboards import components as ui
from dashboards.session import Context
from dashboards.store import NotAllowedError
from schemas.cases import (
    INTERVENTIONS,
    MOST_SNOOZED_DAYS,
    MOST_WEEKS,
    OUTCOMES,
    USUAL_WEEKS,
    Action,
    Ask,
    Case,
    CaseFaultError,
    Dismissal,
    State,
)

_SAID = "cases-said"
_PICK = "pick:"
_DONE = {
    Action.CLAIMED: "claimed",
    Action.ASSIGNED: "assigned",
    Action.RELEASED: "given back",
    Action.SNOOZED: "snoozed",
    Action.FOLLOW_UP: "given a follow-up",
    Action.INTERVENTION: "begun",
    Action.ENDED: "ended",
    Action.DISMISSED: "dismissed",
}


def picked(found: Sequence[Case]) -> list[Case]:
    """Cases that are ticked in a list."""
    return [case for case in found if st.session_state.get(pick_key(case.case_id))]


def pick_key(case_id: str) -> str:
    """Where the tick of a case is kept."""
    return _PICK + case_id


def say() -> None:
    """What the last action came to; before anything is drawn, since it also takes the ticks away."""
    said = st.session_state.pop(_SAID, None)
    if said is None:
        return
    done, refused = said
    for key in [key for key in st.session_state if str(key).startswith(_PICK)]:
        del st.session_state[key]
    if done:
        st.toast(done, icon=":material/check_circle:")
    for sentence in refused:
        ui.notice(sentence, "block")


def bar(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str) -> None:
    """Draw the actions; they act on all that is ``chosen``. ``names``: of students, by id; ``key``: of this bar."""
    none = not chosen
    states = {case.state for case in chosen}
    busy = State.INTERVENTION in states
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"rt-bar-{key}"):
        if len(chosen) != 1 or key == "queue":
            st.html(f'<span class="rt-small rt-nowrap">{words.plural(len(chosen), "student")} chosen</span>')
        if st.button("Claim", icon=":material/front_hand:", key=f"do-{key}-claim", disabled=none):
            _act(context, chosen, names, key, Action.CLAIMED)
        _assign(context, chosen, names, key)
        _snooze(context, chosen, names, key, disabled=none or busy)
        _follow_up(context, chosen, names, key, disabled=none or not states <= {State.CLAIMED, State.INTERVENTION})
        if busy and len(states) == 1:
            _end(context, chosen, names, key)
        else:
            _intervene(context, chosen, names, key, disabled=none or busy)
        _dismiss(context, chosen, names, key, disabled=none or busy)


def _assign(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str) -> None:
    with st.popover("Assign", icon=":material/person_add:", disabled=not chosen):
        able = cases.assignable(context.registry, [case.student_id for case in chosen]) if chosen else {}
        if not able:
            st.caption("Nobody may see all of these students.")
            return
        owner = st.selectbox("To", list(able), format_func=lambda one: able[one], key=f"do-{key}-owner")
        why = st.text_input("Why", key=f"do-{key}-assign-why", placeholder="optional")
        st.caption("Only those who may see the student.")
        if st.button("Assign", key=f"do-{key}-assign", type="primary"):
            _act(context, chosen, names, key, Action.ASSIGNED, owner=owner, why=why)


def _snooze(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str, *, disabled: bool) -> None:
    with st.popover("Snooze", icon=":material/snooze:", disabled=disabled):
        today = context.today()
        day = st.date_input(
            "Until", value=today + timedelta(days=7), min_value=today + timedelta(days=1),
            max_value=today + timedelta(days=MOST_SNOOZED_DAYS), key=f"do-{key}-until",
        )  # fmt: skip
        why = st.text_input("Why it can wait", key=f"do-{key}-snooze-why")
        st.caption("It comes back on that day, or when another kind of warning is raised.")
        if st.button("Snooze", key=f"do-{key}-snooze", type="primary"):
            _act(context, chosen, names, key, Action.SNOOZED, day=day, why=why)


def _follow_up(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str, *, disabled: bool) -> None:
    with st.popover("Follow up", icon=":material/event:", disabled=disabled):
        today = context.today()
        day = st.date_input("Look again on", value=today + timedelta(days=7), min_value=today, key=f"do-{key}-on")
        why = st.text_input("What for", key=f"do-{key}-on-why", placeholder="optional")
        if st.button("Set", key=f"do-{key}-follow-up", type="primary"):
            _act(context, chosen, names, key, Action.FOLLOW_UP, day=day, why=why)


def _intervene(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str, *, disabled: bool) -> None:
    with st.popover("Intervene", icon=":material/handshake:", disabled=disabled):
        kind = st.selectbox("What", INTERVENTIONS, key=f"do-{key}-kind")
        goal = st.text_input("Goal", key=f"do-{key}-goal", placeholder="as in: at school four days of five")
        weeks = st.number_input("Weeks", min_value=1, max_value=MOST_WEEKS, value=USUAL_WEEKS, key=f"do-{key}-weeks")
        today = context.today()
        check_in = min(timedelta(days=14), timedelta(weeks=int(weeks)))
        day = st.date_input("First check-in", value=today + check_in, min_value=today, key=f"do-{key}-check-in")
        if st.button("Start", key=f"do-{key}-intervene", type="primary"):
            _act(context, chosen, names, key, Action.INTERVENTION, kind=kind, goal=goal, weeks=int(weeks), day=day)


def _end(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str) -> None:
    with st.popover("End intervention", icon=":material/flag_check:"):
        outcome = st.radio("What came of it", OUTCOMES, key=f"do-{key}-outcome", format_func=str.capitalize)
        why = st.text_input("In a few words", key=f"do-{key}-end-why", placeholder="optional")
        if st.button("End it", key=f"do-{key}-end", type="primary"):
            _act(context, chosen, names, key, Action.ENDED, outcome=outcome, why=why)


def _dismiss(context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str, *, disabled: bool) -> None:
    with st.popover("Dismiss", icon=":material/do_not_disturb_on:", disabled=disabled):
        kind = st.radio(
            "Why it needs nobody", list(Dismissal), key=f"do-{key}-dismissal",
            format_func=lambda one: words.dismissal(str(one)),
        )  # fmt: skip
        why = st.text_input("In a few words", key=f"do-{key}-dismiss-why")
        days = words.plural(context.settings.district.case_cooldown_days, "school day")
        st.caption(f"The same rules stay silent for {days}, unless it gets severe. It counts in the report on quality.")
        if st.button("Dismiss", key=f"do-{key}-dismiss", type="primary"):
            _act(context, chosen, names, key, Action.DISMISSED, dismissal=str(kind), why=why)


def _act(
    context: Context, chosen: Sequence[Case], names: Mapping[str, str], key: str, action: Action, **more: Any
) -> None:
    """Do it to each, keep what was said, and draw the page anew."""
    done, refused = 0, []
    now = context.now()
    ask = Ask(action, context.viewer.staff_id, context.today(), **more)
    for case in chosen:
        try:
            cases.act(
                context.store, context.registry, context.viewer, case.case_id, ask, page=key,
                at=int(now.timestamp() * 1e6),
            )  # fmt: skip
            done += 1
        except (CaseFaultError, NotAllowedError) as error:
            refused.append(f"{names.get(case.student_id, 'A student')}: {error}")
    told = f"{words.plural(done, 'case')} {_DONE[action]}." if done else ""
    st.session_state[_SAID] = told, refused
    st.rerun()
