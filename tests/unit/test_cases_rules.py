"""What the rules do to cases: one open case a student, no flapping, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.cases import Action, Case, Signal, State
from schemas.cases_rules import Closed, follow

TODAY = date(2026, 11, 20)
COOLDOWN = 10


def signal(rule: str = "inactivity", status: str = "open", severe: bool = False, days_ago: int = 1) -> Signal:
    return Signal(rule, TODAY - timedelta(days=days_ago), severe, status)


def case(state: State, *signals: Signal, **more: object) -> Case:
    owner = "" if state is State.RAISED else "rosa"
    made = Case("case", "student", state, 3, signals, TODAY - timedelta(days=1), owner)
    return replace(made, **more)  # type: ignore[arg-type]


def steps(open_: Case | None, *signals: Signal, closed: Closed | None = None, today: date = TODAY):
    return follow("student", open_, closed, signals, today, COOLDOWN, "new")


def closed(after: int, *signals: Signal) -> Closed:
    return Closed(case(State.DISMISSED, *signals, closed_on=TODAY - timedelta(days=after)), after)


def test_open_warnings_raise_one_case_that_holds_them_all():
    [step] = steps(None, signal(days_ago=4), signal("falling_success"), signal("attendance", "cleared"))
    assert (step.action, step.before, step.case.state, step.case.version) == (Action.RAISED, "", State.RAISED, 1)
    assert step.case.rules == ["inactivity", "falling_success"]
    assert step.case.raised_on == TODAY - timedelta(days=4)
    assert step.why == "No activity, falling success."


def test_without_an_open_warning_there_is_no_case():
    assert steps(None) == []
    assert steps(None, signal(status="cleared"), signal(status="withdrawn")) == []


def test_the_same_rules_do_not_raise_a_case_again_within_the_cool_down():
    before = closed(COOLDOWN - 1, signal(days_ago=9))
    assert steps(None, signal(), closed=before) == []
    assert steps(None, signal(), closed=closed(COOLDOWN, signal(days_ago=9)))[0].action is Action.RAISED


def test_a_new_rule_raises_a_case_within_the_cool_down_and_brings_the_others_with_it():
    [step] = steps(None, signal(), signal("attendance"), closed=closed(1, signal()))
    assert step.details["grounds"] == ["attendance"]
    assert step.case.rules == ["attendance", "inactivity"]


def test_a_severe_warning_raises_a_case_within_the_cool_down_once():
    [step] = steps(None, signal(severe=True), closed=closed(1, signal()))
    assert step.case.signals[0].severe
    assert steps(None, signal(severe=True), closed=closed(1, signal(severe=True))) == []
    other = signal(severe=True, days_ago=0)
    assert steps(None, other, closed=closed(1, signal(severe=True)))[0].action is Action.RAISED


def test_a_further_warning_is_told_in_the_case_that_is_open():
    [step] = steps(case(State.CLAIMED, signal()), signal(), signal("attendance"))
    assert (step.action, step.case.state, step.why) == (Action.WARNED, State.CLAIMED, "Attendance.")
    assert step.case.rules == ["inactivity", "attendance"]


def test_a_warning_that_becomes_severe_is_told_once():
    [step] = steps(case(State.CLAIMED, signal()), signal(severe=True))
    assert step.why == "No activity (severe)."
    assert steps(step.case, signal(severe=True)) == []
    assert steps(step.case, signal()) == []


def test_a_case_whose_warnings_are_all_over_is_cleared():
    for state in (State.RAISED, State.CLAIMED, State.SNOOZED):
        [step] = steps(case(state, signal()), signal(status="cleared"))
        assert (step.action, step.before, step.case.state) == (Action.CLEARED, state, State.CLEARED)
        assert step.case.closed_on == TODAY


def test_a_case_with_an_intervention_stays_open_for_its_owner_and_says_so_once():
    [step] = steps(case(State.INTERVENTION, signal()), signal(status="cleared"))
    assert (step.action, step.case.state) == (Action.EASED, State.INTERVENTION)
    assert step.case.eased
    assert steps(step.case, signal(status="cleared")) == []
    ended = replace(step.case, state=State.CLAIMED)
    assert [one.action for one in steps(ended, signal(status="cleared"))] == [Action.CLEARED]


def test_late_evidence_clears_a_case_that_nobody_claimed_and_tells_the_owner_of_one():
    [step] = steps(case(State.RAISED, signal()), signal(status="withdrawn"))
    assert step.action is Action.CLEARED
    assert "evidence came late" in step.why
    for state in (State.CLAIMED, State.SNOOZED, State.INTERVENTION):
        [told] = steps(case(state, signal()), signal(status="withdrawn"))
        assert (told.action, told.case.state) == (Action.EASED, state)
        assert steps(told.case, signal(status="withdrawn")) == []


def test_one_of_two_warnings_that_is_over_eases_the_case():
    [step] = steps(case(State.CLAIMED, signal(), signal("attendance")), signal(status="cleared"), signal("attendance"))
    assert (step.action, step.why) == (Action.EASED, "No activity is over.")
    assert not step.case.eased


def test_a_snooze_ends_on_its_day_and_not_before():
    asleep = case(State.SNOOZED, signal(), snoozed_until=TODAY)
    assert steps(asleep, signal(), today=TODAY - timedelta(days=1)) == []
    [step] = steps(asleep, signal())
    assert (step.action, step.case.state, step.case.snoozed_until) == (Action.WOKEN, State.CLAIMED, None)


def test_another_rule_or_a_severe_warning_wakes_a_case_and_more_of_the_same_does_not():
    asleep = case(State.SNOOZED, signal(days_ago=5), snoozed_until=TODAY + timedelta(days=9))
    again = signal(days_ago=0)
    assert [one.action for one in steps(asleep, signal(days_ago=5), again)] == [Action.WARNED]
    assert [one.action for one in steps(asleep, signal(days_ago=5), signal("attendance"))] == [Action.WOKEN]
    assert [one.action for one in steps(asleep, signal(days_ago=5, severe=True))] == [Action.WOKEN]


def test_a_warning_that_nobody_tells_anything_of_stays_as_it_was():
    assert steps(case(State.RAISED, signal())) == []


_SIGNALS = st.lists(
    st.builds(
        signal,
        st.sampled_from(["inactivity", "falling_success", "attendance"]),
        st.sampled_from(["open", "cleared", "withdrawn"]),
        st.booleans(),
        st.integers(0, 2),
    ),
    unique_by=lambda one: one[:2],
    max_size=5,
)


@given(st.lists(_SIGNALS, min_size=1, max_size=12), st.booleans())
def test_whatever_the_warnings_do_there_is_one_case_its_versions_count_and_asking_again_changes_nothing(history, busy):
    open_: Case | None = None
    last: Closed | None = None
    raised: list[tuple[int, set[str], bool]] = []
    for day, signals in enumerate(history):
        today = TODAY + timedelta(days=day)
        if last is not None:
            assert last.case.closed_on is not None
            last = last._replace(school_days=day - (last.case.closed_on - TODAY).days)
        taken = follow("student", open_, last, signals, today, COOLDOWN, f"case-{day}")
        version = open_.version if open_ else 0
        for step in taken:
            version += 1
            assert step.case.version == version
            open_ = step.case
            if step.action is Action.RAISED:
                raised.append((day, set(step.details["grounds"]), any(one.severe for one in step.case.signals)))
            if not open_.open:
                last, open_ = Closed(open_, 0), None
        if open_ and busy and open_.state is State.RAISED:
            open_ = replace(open_, state=State.CLAIMED, owner="rosa", version=open_.version + 1)
        assert follow("student", open_, last, signals, today, COOLDOWN, "again") == []
    for (day, grounds, severe), (earlier, known, _) in zip(raised[1:], raised, strict=False):
        assert severe or grounds - known or day - earlier >= COOLDOWN
