"""What people may do with a case, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest

from schemas.cases import (
    BY_PEOPLE,
    CHECK_IN_DAYS,
    CLOSED,
    INTERVENTIONS,
    OUTCOMES,
    Action,
    Ask,
    Case,
    CaseFaultError,
    Dismissal,
    Signal,
    State,
    act,
)

TODAY = date(2026, 11, 20)
ROSA, TOM = "rosa", "tom"
SIGNAL = Signal("inactivity", TODAY - timedelta(days=2))


def case(state: State, owner: str = "") -> Case:
    owner = owner or ("" if state in (State.RAISED, *CLOSED) else ROSA)
    until = TODAY + timedelta(days=5) if state is State.SNOOZED else None
    return Case("case", "student", state, 4, (SIGNAL,), SIGNAL.raised_on, owner, until)


def ask(action: Action, who: str = ROSA, **more: Any) -> Ask:
    usual: dict[Action, dict[str, Any]] = {
        Action.ASSIGNED: {"owner": TOM},
        Action.RELEASED: {"why": "not mine"},
        Action.SNOOZED: {"why": "on a school trip", "day": TODAY + timedelta(days=7)},
        Action.FOLLOW_UP: {"day": TODAY + timedelta(days=3)},
        Action.INTERVENTION: {"kind": "mentoring", "goal": "four days a week"},
        Action.ENDED: {"outcome": "goal met"},
        Action.DISMISSED: {"dismissal": "known_and_handled", "why": "talked to the family"},
    }
    return Ask(action, who, TODAY, **(usual.get(action, {}) | more))


AFTER = {
    (Action.CLAIMED, State.RAISED): State.CLAIMED,
    (Action.CLAIMED, State.SNOOZED): State.CLAIMED,
    (Action.ASSIGNED, State.RAISED): State.CLAIMED,
    (Action.ASSIGNED, State.CLAIMED): State.CLAIMED,
    (Action.ASSIGNED, State.INTERVENTION): State.INTERVENTION,
    (Action.ASSIGNED, State.SNOOZED): State.SNOOZED,
    (Action.RELEASED, State.CLAIMED): State.RAISED,
    (Action.RELEASED, State.SNOOZED): State.RAISED,
    (Action.SNOOZED, State.RAISED): State.SNOOZED,
    (Action.SNOOZED, State.CLAIMED): State.SNOOZED,
    (Action.SNOOZED, State.SNOOZED): State.SNOOZED,
    (Action.FOLLOW_UP, State.CLAIMED): State.CLAIMED,
    (Action.FOLLOW_UP, State.INTERVENTION): State.INTERVENTION,
    (Action.INTERVENTION, State.RAISED): State.INTERVENTION,
    (Action.INTERVENTION, State.CLAIMED): State.INTERVENTION,
    (Action.INTERVENTION, State.SNOOZED): State.INTERVENTION,
    (Action.ENDED, State.INTERVENTION): State.CLAIMED,
    (Action.DISMISSED, State.RAISED): State.DISMISSED,
    (Action.DISMISSED, State.CLAIMED): State.DISMISSED,
    (Action.DISMISSED, State.SNOOZED): State.DISMISSED,
}


@pytest.mark.parametrize(("action", "state"), list(product(Action, State)), ids=lambda one: str(one))
def test_every_action_in_every_state_leads_where_it_should_or_is_refused_in_words(action, state):
    before = case(state)
    if (after := AFTER.get((action, state))) is None:
        with pytest.raises(CaseFaultError, match=r"^[A-Z].+\.$"):
            act(before, ask(action))
        return
    step = act(before, ask(action))
    assert (step.case.state, step.before, step.action) == (after, state, action)
    assert step.case.version == before.version + 1
    assert step.details["rules"] == ["inactivity"]
    assert step.case.open is (after is not State.DISMISSED)


def test_the_table_above_speaks_of_every_action_of_people():
    assert {action for action, _ in AFTER} == BY_PEOPLE


def test_who_acts_on_a_case_of_nobody_has_it_from_then_on():
    for action in (Action.CLAIMED, Action.SNOOZED, Action.INTERVENTION):
        assert act(case(State.RAISED), ask(action, TOM)).case.owner == TOM


@pytest.mark.parametrize("action", sorted(BY_PEOPLE - {Action.ASSIGNED, Action.CLAIMED}))
def test_nobody_acts_on_the_case_of_another_without_taking_it_first(action):
    state = State.INTERVENTION if action is Action.ENDED else State.CLAIMED
    with pytest.raises(CaseFaultError, match="Rosa Delgado has this case: ask them, or assign it to yourself first"):
        act(case(state), ask(action, TOM), "Rosa Delgado")
    taken = act(case(state), ask(Action.ASSIGNED, TOM), "Rosa Delgado").case
    assert act(taken, ask(action, TOM)).case.owner in (TOM, "")


def test_claiming_what_another_has_says_who_has_it():
    with pytest.raises(CaseFaultError, match="Rosa Delgado has this case already"):
        act(case(State.CLAIMED), ask(Action.CLAIMED, TOM), "Rosa Delgado")
    with pytest.raises(CaseFaultError, match="You have this case already"):
        act(case(State.CLAIMED), ask(Action.CLAIMED))


@pytest.mark.parametrize(
    ("action", "more", "said"),
    [
        (Action.SNOOZED, {"why": " "}, "why it can wait"),
        (Action.SNOOZED, {"day": TODAY}, "after today"),
        (Action.SNOOZED, {"day": None}, "after today"),
        (Action.SNOOZED, {"day": TODAY + timedelta(days=91)}, "90 days"),
        (Action.FOLLOW_UP, {"day": TODAY - timedelta(days=1)}, "today or a later day"),
        (Action.INTERVENTION, {"kind": "detention"}, "what is going to be done"),
        (Action.INTERVENTION, {"goal": ""}, "to be reached"),
        (Action.INTERVENTION, {"weeks": 0}, "1 to 52 weeks"),
        (Action.INTERVENTION, {"weeks": 53}, "1 to 52 weeks"),
        (Action.INTERVENTION, {"weeks": 1, "day": TODAY + timedelta(days=8)}, "between today and the end"),
        (Action.DISMISSED, {"dismissal": "because"}, "why it needs nobody"),
        (Action.DISMISSED, {"why": ""}, "in a few words"),
        (Action.ASSIGNED, {"owner": ""}, "to whom"),
        (Action.ASSIGNED, {"owner": ROSA}, "already"),
        (Action.RELEASED, {"why": ""}, "why you give it back"),
    ],
)
def test_what_is_missing_or_out_of_bounds_is_refused_in_words(action, more, said):
    with pytest.raises(CaseFaultError, match=said):
        act(case(State.CLAIMED), ask(action, **more))


def test_an_end_without_an_outcome_is_refused():
    with pytest.raises(CaseFaultError, match="what came of it"):
        act(case(State.INTERVENTION), ask(Action.ENDED, outcome="fine"))
    for outcome in OUTCOMES:
        assert act(case(State.INTERVENTION), ask(Action.ENDED, outcome=outcome)).details["outcome"] == outcome


def test_an_intervention_says_what_it_is_and_when_somebody_looks_again():
    for kind in INTERVENTIONS:
        step = act(case(State.CLAIMED), ask(Action.INTERVENTION, kind=kind))
        assert step.details["ends"] == (TODAY + timedelta(weeks=6)).isoformat()
        assert step.case.follow_up_on == TODAY + timedelta(days=CHECK_IN_DAYS)
    short = act(case(State.CLAIMED), ask(Action.INTERVENTION, weeks=1))
    assert short.case.follow_up_on == TODAY + timedelta(weeks=1)


def test_a_snooze_and_a_dismissal_end_the_follow_up_and_keep_their_day():
    followed = replace(case(State.CLAIMED), follow_up_on=TODAY)
    snoozed = act(followed, ask(Action.SNOOZED)).case
    assert (snoozed.follow_up_on, snoozed.snoozed_until) == (None, TODAY + timedelta(days=7))
    for kind in Dismissal:
        dismissed = act(snoozed, ask(Action.DISMISSED, dismissal=kind)).case
        assert (dismissed.closed_on, dismissed.dismissal, dismissed.snoozed_until) == (TODAY, kind, None)


def test_a_follow_up_can_be_taken_away():
    followed = act(case(State.CLAIMED), ask(Action.FOLLOW_UP)).case
    assert followed.follow_up_on == TODAY + timedelta(days=3)
    assert act(followed, ask(Action.FOLLOW_UP, day=None)).case.follow_up_on is None
