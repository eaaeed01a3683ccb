"""Quarantine: what was sent wrong, opened, repaired by hand or by a rule, and replayed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboards import components as ui
from dashboards import mending, words
from dashboards.access import manage
from dashboards.screens.provider_acts import act, by, now_us
from dashboards.session import Context
from infra.runtime import quarantine
from infra.runtime.quarantine import Item

_SHOWN = 200
_TODAY = timedelta(hours=12)
_STATES = {"waiting": "Waiting", "replayed": "Replayed", "discarded": "Discarded"}


def view(context: Context, provider: str) -> None:
    """Draw it."""
    decision = manage(context.viewer, provider)
    if not decision.allowed:
        ui.not_allowed(decision.reason)
        return
    with context.registry.connect() as connection:
        counts = quarantine.counts(connection, provider)
        status = _state(counts)
        items = quarantine.items(connection, provider, status, _SHOWN)
        rules = quarantine.rules(connection, provider, disabled=True)
    if not sum(counts):
        ui.empty(
            "Nothing is kept aside",
            "In quarantine mode a statement that breaks a rule waits here with its reasons, and the rest of its batch "
            "is accepted. The mode is set under Credentials.",
        )
        return
    left, right = st.columns([1, 1.55], gap="medium")
    with left:
        chosen = _list(context, items, status)
        _rules(context, provider, rules)
    with right:
        if chosen is None:
            ui.empty(f"Nothing is {status}", "Choose another state to see what became of the others.")
        elif status == "waiting" and not chosen.repaired:
            _repair(context, provider, chosen, items)
        else:
            _decided(context, chosen)


def _state(counts: quarantine.Counts) -> str:
    labels = {
        "waiting": f"Waiting {counts.waiting + counts.ready}",
        "replayed": f"Replayed {counts.replayed}",
        "discarded": f"Discarded {counts.discarded}",
    }
    return str(
        st.segmented_control(
            "State", list(labels), default="waiting", required=True, key="quarantine-state",
            format_func=labels.__getitem__, label_visibility="collapsed",
        )
    )  # fmt: skip


def _list(context: Context, items: list[Item], status: str) -> Item | None:
    if not items:
        return None
    groups = Counter((one.faults[0]["rule"], one.faults[0]["message"]) for one in items)
    ui.section(f"{_STATES[status]}, by what was wrong", f"newest {len(items)}" if len(items) == _SHOWN else "")
    ui.table(
        {"what": "What is wrong", "number": "#Statements"},
        [
            {
                "what": f"{ui.text(message)} <code class='rt-soft'>{ui.text(rule)}</code>",
                "number": words.count(number),
            }
            for (rule, message), number in groups.most_common(4)
        ],
        says="Kept statements by rule",
    )
    wanted = st.query_params.get("item", "")
    ids = [one.item_id for one in items]
    known = {one.item_id: one for one in items}
    now = context.now()

    def label(item_id: str) -> str:
        one = known[item_id]
        at = words.clock(_at(one), context.zone) if now - _at(one) < _TODAY else words.exact(_at(one), context.zone)
        state = " (repaired, is being replayed)" if one.repaired and status == "waiting" else ""
        # Streamlit tells options apart by their labels: each is one of its kind.
        return f"{at}, {one.item_id[:8]}: {one.faults[0]['path']}{state}"

    first = ids.index(wanted) if wanted in ids else 0
    chosen = st.selectbox("Statement", ids, index=first, format_func=label, key=f"quarantine-item-{status}")
    return known[chosen]


def _repair(context: Context, provider: str, one: Item, items: list[Item]) -> None:
    ui.section("The statement", f"as {ui.text(one.version)}, request {ui.text(one.request_id)}, place {one.idx}")
    text = st.text_area(
        "Statement",
        mending.shown(one.statement),
        height=290,
        key=f"edit-{one.item_id}",
        label_visibility="collapsed",
        help="Who somebody is stays hidden: ⟨1⟩ stands for what was sent, and may be moved or have more around it.",
    )
    tried = mending.edited(text, one.statement, one.version)
    _faults(tried.faults, one)
    with st.container(horizontal=True, gap="small"):
        _accept(context, one, tried)
        _as_rule(context, provider, one, items, text)
        _discard(context, one)


def _faults(faults: list[mending.Fault], one: Item) -> None:
    if not faults:
        ui.notice_good("It keeps all rules now: replay it, or make a rule of the repair.")
        return
    if one.reason:
        ui.notice(one.reason)
    lines = "".join(
        f"<li>{ui.icon('error', 'rt-warn')} <code>{ui.text(fault.path)}</code> {ui.text(fault.message)}. "
        f'<span class="rt-soft">{ui.text(fault.fix)}</span></li>'
        for fault in faults[:6]
    )
    more = f'<li class="rt-soft">and {len(faults) - 6} more</li>' if len(faults) > 6 else ""
    st.html(f'<div class="rt-card" role="status"><ul>{lines}{more}</ul></div>')


def _accept(context: Context, one: Item, tried: mending.Edited) -> None:
    with st.popover("Replay", icon=":material/replay:", disabled=bool(tried.faults), type="primary"):
        why = st.text_input("What was repaired", key=f"why-{one.item_id}", placeholder="as in: the item's full address")
        st.caption(f"It is accepted under the id that was answered, as of {words.exact(_at(one), context.zone)}.")
        if st.button("Replay this statement", key=f"replay-{one.item_id}", type="primary", disabled=not why.strip()):
            act(
                context,
                lambda connection: quarantine.repair_item(
                    connection, one.item_id, tried.statement, by(context), why.strip()
                ),
                "Repaired. It is replayed within seconds.",
            )


def _as_rule(context: Context, provider: str, one: Item, items: list[Item], text: str) -> None:
    made = mending.changes(text, one.statement)
    with st.popover("Repair as a rule", icon=":material/rule:"):
        st.caption("A rule mends what waits and what comes: statements that are valid then are accepted.")
        first = made[0] if made else mending.Change(one.faults[0]["path"], "replace", None, None)
        # Another edit proposes another rule: its fields start anew.
        key = f"{one.item_id}-{hash(first)}"
        path = st.text_input("Where", first.path, key=f"rule-path-{key}", help="* stands for any index or name")
        action = st.segmented_control(
            "What", ["replace", "set", "remove"], default=first.action, required=True, key=f"rule-action-{key}"
        )
        found = None
        if action != "set":
            found = st.text_input(
                "Only where this is found (JSON; a * stands for any text)", first.found or "", key=f"rule-found-{key}"
            )
        value = None
        if action != "remove":
            value = st.text_input("Put there (JSON)", first.value or "", key=f"rule-value-{key}")
        if len(made) > 1:
            st.caption(f"The repair has {len(made)} changes; each needs a rule of its own.")
        _offer_rule(context, provider, items, key, (path, str(action), found or None, value or None))


def _offer_rule(
    context: Context,
    provider: str,
    items: list[Item],
    key: str,
    made: tuple[str, str, str | None, str | None],
) -> None:
    try:
        checked = mending.rule(*made)
    except mending.RepairFaultError as error:
        st.html(f'<span class="rt-warn">{ui.icon("error")} {ui.text(error)}</span>')
        return
    waiting = [one for one in items if not one.repaired]
    number = sum(mending.mends([checked], one.statement, one.version) for one in waiting)
    st.html(f"By itself it mends <b>{number} of {words.plural(len(waiting), 'statement')}</b> that wait.")
    if st.button("Add the rule", key=f"rule-add-{key}", type="primary"):
        act(
            context,
            lambda connection: quarantine.add_rule(connection, provider, *made, by(context), now_us(context)),
            "The rule is applied within seconds.",
        )


def _discard(context: Context, one: Item) -> None:
    with st.popover("Discard", icon=":material/delete:"):
        why = st.text_input("Why it is given up", key=f"discard-why-{one.item_id}")
        if st.button("Discard this statement", key=f"discard-{one.item_id}", disabled=not why.strip()):
            act(
                context,
                lambda connection: quarantine.discard(connection, one.item_id, by(context), why, now_us(context)),
                "Discarded.",
            )


def _decided(context: Context, one: Item) -> None:
    state = one.status if one.status != "waiting" else "repaired; ingest replays it within seconds"
    at = f", {words.exact(datetime.fromtimestamp(one.decided_at / 1e6, UTC), context.zone)}" if one.decided_at else ""
    ui.section("The statement", ui.text(f"{state}{at}"))
    st.html(
        f'<div class="rt-card"><dl class="rt-facts"><dt>By</dt><dd>{ui.text(one.decided_by or "")}</dd>'
        f"<dt>Reason</dt><dd>{ui.text(one.reason or '')}</dd>"
        f"<dt>Came</dt><dd>{words.exact(_at(one), context.zone)}</dd></dl></div>"
    )
    if one.repaired:
        left, right = st.columns(2)
        with left:
            st.caption("As it was sent")
            st.code(mending.shown(one.statement), language="json", height=330)
        with right:
            st.caption("As it was sent on")
            st.code(mending.shown(one.repaired), language="json", height=330)
    else:
        st.code(mending.shown(one.statement), language="json", height=330)


def _rules(context: Context, provider: str, rules: quarantine.Rules) -> None:
    ui.section("Rules of repair", f"{sum(not row.disabled for row in rules)} applied")
    if not rules:
        st.html('<span class="rt-soft">None yet. Repair a statement, then make a rule of it.</span>')
        return
    ui.table(
        {"rule": "Rule", "mended": "#Mended"},
        [
            {
                "rule": f"<code>{ui.text(quarantine.in_words(row.path, row.action, row.found, row.value))}</code>"
                + (' <span class="rt-soft">disabled</span>' if row.disabled else ""),
                "mended": words.count(row.mended),
            }
            for row in rules[-6:]
        ],
        says="Rules of repair",
    )
    live = {row.repair_id: row for row in rules if not row.disabled}
    if not live:
        return
    with st.popover("Disable a rule", icon=":material/block:"):
        chosen = st.selectbox(
            "Rule", list(live), key="rule-disable",
            format_func=lambda key: quarantine.in_words(
                live[key].path, live[key].action, live[key].found, live[key].value
            ),
        )  # fmt: skip
        if st.button("Apply it no longer", key="rule-disable-do"):
            act(
                context,
                lambda connection: quarantine.disable_rule(connection, chosen, by(context), now_us(context)),
                "The rule is disabled.",
            )


def _at(one: Item) -> datetime:
    return datetime.fromtimestamp(one.received_at / 1e6, UTC)
