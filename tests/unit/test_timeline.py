"""One student's time: what was done beside what was warned of."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dashboards import cases, charts
from dashboards.palette import LIGHT
from infra.runtime.cases import CaseEvent
from schemas.cases import Action, State

ZONE = ZoneInfo("America/Chicago")


def event(day: int, action: Action, after: State, case_id: str = "a", **details: Any) -> CaseEvent:
    at = int(datetime(2026, 11, day, 18, tzinfo=UTC).timestamp() * 1e6)
    return CaseEvent(f"{case_id}{day}", case_id, day, "student", at, "rosa", action, "", after, "", details)


def begun(day: int, ends: str, case_id: str = "a", kind: str = "tutoring") -> CaseEvent:
    return event(day, Action.INTERVENTION, State.INTERVENTION, case_id, type=kind, goal="Hands in work", ends=ends)


def spans(*events: CaseEvent) -> list[tuple[int, int, str]]:
    return [(one.first.day, one.last.day, one.outcome) for one in cases.interventions(events, ZONE)]


def test_an_intervention_reaches_to_the_day_planned_until_somebody_ends_it():
    assert spans(begun(2, "2026-11-30")) == [(2, 30, "")]
    ended = event(12, Action.ENDED, State.CLAIMED, outcome="goal met")
    assert spans(begun(2, "2026-11-30"), ended) == [(2, 12, "goal met")]
    late = event(28, Action.ENDED, State.CLAIMED, outcome="not met")
    assert spans(begun(2, "2026-11-20"), late) == [(2, 20, "not met")]


def test_an_intervention_ends_where_its_case_is_closed_or_another_begins():
    closed = event(9, Action.CLEARED, State.CLEARED)
    assert spans(begun(2, "2026-11-30"), closed) == [(2, 9, "not told")]
    assert spans(begun(2, "2026-11-30"), begun(5, "2026-11-28")) == [(2, 5, "not told"), (5, 28, "")]
    assert spans(begun(2, "2026-11-30"), event(4, Action.DISMISSED, State.DISMISSED, "b")) == [(2, 30, "")]


def test_a_shade_of_what_is_over_ends_where_one_begins_that_is_open():
    def span(status: str, begins: int, ends: int) -> dict[str, Any]:
        return {"from": pd.Timestamp(2026, 11, begins), "to": pd.Timestamp(2026, 11, ends), "status": status}

    found = charts.apart([span("cleared", 2, 9), span("cleared", 12, 15), span("open", 7, 20)])
    assert [(one["status"], one["from"].day, one["to"].day) for one in found] == [("cleared", 2, 7), ("open", 7, 20)]
    assert len(charts.apart([span("cleared", 2, 9)])) == 1


def test_the_timeline_has_a_band_for_each_intervention_that_it_reaches():
    day = {"day": date(2026, 11, 2), "activity": 3, "attempts": 2, "successes": 1.0, "absent": 0}
    days = [day | {"day": date(2026, 11, number)} for number in range(2, 21)]
    helped = [
        {"from": date(2026, 11, 5), "to": date(2026, 12, 10), "label": "Tutoring"},
        {"from": date(2026, 9, 5), "to": date(2026, 10, 10), "label": "Mentoring"},
    ]

    def charts_of(rows):
        return charts.timeline(days, [], rows, date(2026, 11, 20), LIGHT)

    assert len(charts_of(helped[1:])) == 2
    _, band, _ = charts_of(helped)
    assert list(band.layer[0].data["label"]) == ["Tutoring"]
    assert band.layer[0].data["to"].max() == pd.Timestamp(2026, 11, 21)
