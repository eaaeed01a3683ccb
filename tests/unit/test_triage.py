"""The order, the length and the counts of a counselor's list."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from dashboards import triage
from dashboards.cases import Listed
from dashboards.rule_words import RULES, facts
from dashboards.screens.queue_export import plain
from schemas.cases import Case, Signal, State
from streams.cases import severity
from streams.warning import (
    absence,
    activity_time,
    falling_scores,
    falling_success,
    inactivity,
    incidents,
    marks,
    on_track,
    work,
)

TODAY = date(2026, 11, 20)


def listed(student: str, *signals: Signal, owner: str = "", raised_at: int = 0, **more: Any) -> Listed:
    state = more.pop("state", State.CLAIMED if owner else State.RAISED)
    case = Case(f"case-{student}", student, state, 1, signals or (signal(),), TODAY, owner, **more)
    return Listed(case, 7, "s", raised_at, raised_at)


def signal(rule: str = "inactivity", severe: bool = False, status: str = "open") -> Signal:
    return Signal(rule, TODAY - timedelta(days=2), severe, status)


def row(student: str, rule: str = "inactivity", days_ago: int = 2) -> dict[str, Any]:
    return {"student_id": student, "rule": rule, "raised_on": TODAY - timedelta(days=days_ago), "providers": ["p"]}


def order(*found: Listed, scores: dict[str, dict[str, Any]] | None = None) -> list[str]:
    return [entry.student_id for entry in triage.entries(found, [], scores or {})]


def test_severe_comes_first_then_more_reasons_then_the_score_then_the_longest_wait():
    severe = listed("a", signal(severe=True), raised_at=9)
    two = listed("b", signal(), signal("chronic_absence"), raised_at=8)
    likely, unlikely = listed("c", raised_at=7), listed("d", raised_at=6)
    early, late = listed("e", raised_at=1), listed("f", raised_at=2)
    scores = {"c": {"chance": 0.7, "reasons": ["x"]}, "d": {"chance": 0.2, "reasons": []}}
    assert order(late, early, unlikely, likely, two, severe, scores=scores) == ["a", "b", "c", "d", "e", "f"]


def test_a_severe_warning_that_is_over_counts_no_more():
    over = listed("a", signal(severe=True, status="cleared"), signal("incidents"), raised_at=2)
    assert order(over, listed("b", raised_at=1)) == ["b", "a"]


def test_the_reasons_of_a_row_begin_with_the_severe_one_then_the_newest():
    one = listed("a", signal(severe=True), Signal("late_work", TODAY))
    rows = [row("a", "late_work", 0), row("a"), row("b")]
    [entry] = triage.entries([one], rows, {})
    assert [warning["rule"] for warning in entry.warnings] == ["inactivity", "late_work"]


def test_the_list_is_as_long_as_its_owner_can_act_on_and_tells_how_many_wait():
    found = triage.entries([listed(f"s{number}", raised_at=number) for number in range(10)], [], {})
    shown = triage.shown(found, "rosa", 4)
    assert [entry.student_id for entry in shown.entries] == ["s0", "s1", "s2", "s3"]
    assert shown.waiting == 6


def test_what_somebody_has_already_stays_on_their_list_however_far_down():
    cases = [listed(f"s{number}", raised_at=number, owner="rosa" if number > 7 else "") for number in range(10)]
    shown = triage.shown(triage.entries(cases, [], {}), "rosa", 4)
    assert [entry.student_id for entry in shown.entries] == ["s0", "s1", "s8", "s9"]
    assert len(triage.shown(triage.entries(cases, [], {}), "rosa", 1).entries) == 2


def test_the_tiles_count_what_is_new_what_is_mine_and_due_and_what_others_have():
    found = triage.entries(
        [
            listed("a"),
            listed("b", owner="rosa", follow_up_on=TODAY),
            listed("c", owner="rosa", follow_up_on=TODAY - timedelta(days=1)),
            listed("d", owner="rosa", follow_up_on=TODAY + timedelta(days=1)),
            listed("e", owner="tom", follow_up_on=TODAY),
            listed("f", owner="tom", state=State.SNOOZED, snoozed_until=TODAY + timedelta(days=3)),
        ],
        [],
        {},
    )
    assert triage.counts(found, "rosa", TODAY) == triage.Counts(new=1, due=1, overdue=1, others=1, snoozed=1)


@pytest.mark.parametrize(
    ("rule", "value", "baseline", "threshold", "expected"),
    [
        ("inactivity", 10, 0.9, 5, True),
        ("inactivity", 9, 0.9, 5, False),
        ("falling_marks", 0.5, 0.71, 0.1, True),
        ("falling_marks", 0.5, 0.65, 0.1, False),
        ("rising_absence", 0.4, 0.05, 0.15, True),
        ("rising_absence", 0.05, 0.4, 0.15, False),
        ("chronic_absence", 0.2, 0.1, 0.1, True),
        ("chronic_absence", 0.19, 0.1, 0.1, False),
        ("missing_work", 0.7, 0.1, 3, True),
        ("missing_work", 0.6, 0.1, 3, False),
        ("off_track", 9.0, 0.0, 1.0, False),
    ],
)
def test_severe_is_twice_as_far_as_the_line_and_a_line_of_its_own_for_absence(
    rule, value, baseline, threshold, expected
):
    assert severity.severe(rule, value, baseline, threshold, 0.2) is expected


def test_a_cell_of_the_file_is_no_formula():
    assert plain("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert plain("Ada") == "Ada"


def test_every_rule_that_warns_is_known_to_the_pages():
    rules = {
        absence.CHRONIC, absence.RISING, activity_time.TIME, activity_time.PACE, falling_scores.RULE,
        falling_success.RULE, inactivity.RULE, incidents.RULE, marks.FAILING, marks.FALLING, on_track.RULE,
        work.MISSING, work.LATE,
    }  # fmt: skip
    assert rules == set(RULES)
    assert rules >= {*severity.COUNTS, *severity.FALLS, *severity.RISES, severity.CHRONIC, severity.MISSING}


def test_every_rule_says_what_it_looks_at_its_line_and_its_source():
    for rule in RULES:
        said = facts({"rule": rule, "value": 0.31, "baseline": 0.5, "threshold": 0.15})
        assert all(said[name] for name in ("Looks at", "Now", "Line drawn at", "Source"))
    assert facts({"rule": "new", "value": 2.0, "baseline": 0.5, "threshold": 1.0}) == {"Now": "2", "Line drawn at": "1"}
