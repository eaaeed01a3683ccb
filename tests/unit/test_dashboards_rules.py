"""What pages say: freshness, reconciliation, quantiles, words, colours, and the rules of the queries."""

from __future__ import annotations

import re
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from kafka.errors import KafkaConnectionError

import dashboards
from dashboards import broker, charts, mastery, palette, words
from dashboards.catalogue import Catalogue, Skill
from dashboards.diagnosis import causes
from dashboards.freshness import State, freshness
from dashboards.intervals import quantile
from dashboards.queries import Scope, _parse, load
from dashboards.screens.operations import ranges
from dashboards.suppression import cell
from infra.runtime.kafka import PartitionLag
from infra.runtime.reconciliation import Verdict, judge, settled_through
from infra.runtime.settings import KafkaSettings, Settings
from infra.runtime.shares import wilson
from schemas.events import LATENCY_BOUNDS_MS
from streams.learner import model
from streams.learner.explaining import Term

NOW = datetime(2026, 11, 20, 16, 42, 7, tzinfo=UTC)
CHICAGO = ZoneInfo("America/Chicago")


def progress(partition: int, *, offset: int = 10, end: int = 10, stored_s: float = 90, checked_s: float = 2):
    return {
        "partition": partition,
        "offset": offset,
        "end_offset": end,
        "stored_until": NOW - timedelta(seconds=stored_s),
        "checked_at": NOW - timedelta(seconds=checked_s),
    }


def test_a_page_is_as_fresh_as_the_last_check_when_all_is_written():
    found = freshness([progress(0), progress(1, checked_s=3)], 2, NOW)
    assert found.state is State.FRESH
    assert found.lag == timedelta(seconds=3)
    assert found.waiting == 0


def test_a_partition_that_is_behind_is_as_fresh_as_what_it_wrote_last():
    found = freshness([progress(0), progress(1, offset=4)], 2, NOW)
    assert found.state is State.PARTIAL
    assert (found.lag, found.late, found.waiting) == (timedelta(seconds=90), 1, 6)


def test_all_partitions_late_is_stale_and_a_silent_worker_is_late():
    assert freshness([progress(0, checked_s=600), progress(1, checked_s=600)], 2, NOW).state is State.STALE


def test_a_partition_that_no_worker_has_reported_is_late():
    found = freshness([progress(0)], 4, NOW)
    assert (found.state, found.late) == (State.PARTIAL, 3)


def test_nothing_written_yet_has_no_time():
    assert freshness([], 4, NOW).as_of is None
    never = progress(0, offset=-1) | {"stored_until": datetime(1970, 1, 1, tzinfo=UTC)}
    assert freshness([never], 1, NOW).state is State.NONE


def hour(accepted: int, stored: int, duplicates: int = 0, dead: int = 0, *, answered: int | None = None, settled=True):
    """One hour of one provider; ``settled``: the sinks have passed all of it, or none of it."""
    told = accepted if answered is None else answered
    return {
        "accepted": accepted, "answered": told, "stored": stored, "duplicates": duplicates, "dead": dead,
        "settled_accepted": accepted * settled, "settled_answered": told * settled,
        "settled_accounted": (stored + duplicates + dead) * settled,
    }  # fmt: skip


def test_an_hour_balances_when_stored_duplicates_and_dead_letters_make_up_what_was_accepted():
    found = judge(hour(100, 95, 4, 1))
    assert (found.verdict, found.difference, found.in_flight, found.off) == (Verdict.BALANCED, 0, 0, False)


def test_what_is_missing_from_minutes_that_the_sinks_have_passed_is_a_difference():
    found = judge(hour(100, 90))
    assert (found.verdict, found.difference, found.in_flight, found.off) == (Verdict.MISSING, 10, 0, True)


def test_what_is_missing_from_minutes_that_the_sinks_have_not_passed_is_in_flight():
    found = judge(hour(100, 90, settled=False))
    assert (found.verdict, found.difference, found.in_flight) == (Verdict.IN_FLIGHT, 0, 10)
    not_read = judge(hour(0, 0, answered=50, settled=False))
    assert (not_read.accepted, not_read.verdict, not_read.in_flight) == (50, Verdict.IN_FLIGHT, 50)


def test_an_hour_may_miss_something_in_its_first_minutes_while_its_last_ones_are_in_flight():
    row = hour(100, 80, settled=False) | {"settled_accepted": 60, "settled_answered": 60, "settled_accounted": 55}
    found = judge(row)
    assert (found.verdict, found.difference, found.in_flight, found.accepted) == (Verdict.MISSING, 5, 15, 100)


def test_ends_that_were_read_one_after_the_other_are_no_surplus_while_the_minute_lasts():
    found = judge(hour(90, 100, settled=False))
    assert (found.verdict, found.difference, found.in_flight) == (Verdict.BALANCED, 0, 0)


def test_more_stored_than_the_log_holds_is_a_surplus():
    found = judge(hour(90, 100))
    assert (found.verdict, found.difference, found.off) == (Verdict.SURPLUS, -10, True)


def test_what_was_kept_and_not_answered_is_no_fault_and_what_was_answered_and_not_kept_is():
    assert judge(hour(100, 100, answered=98)).verdict is Verdict.BALANCED
    found = judge(hour(100, 100, answered=103))
    assert (found.verdict, found.difference, found.off) == (Verdict.LOST, 3, True)


def test_all_is_settled_until_the_partition_that_is_furthest_behind_and_nothing_while_one_was_never_written():
    rows = [progress(0), progress(1, offset=3, stored_s=400)]
    assert settled_through(rows, 2) == NOW - timedelta(seconds=460)
    assert settled_through(rows, 3).year == 1970


def test_a_quantile_lies_in_the_bucket_that_holds_it():
    buckets = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    assert quantile(buckets, 0.5) is None
    buckets[3], buckets[6] = 90, 10
    median, late = quantile(buckets, 0.5), quantile(buckets, 0.95)
    assert median is not None
    assert late is not None
    assert 5 < median <= 10
    assert 50 < late <= 100
    above = [0] * len(LATENCY_BOUNDS_MS) + [1]
    assert quantile(above, 0.5) == LATENCY_BOUNDS_MS[-1]
    assert (words.latency(quantile(above, 0.5)), words.latency(8.0)) == ("10.0 s or more", "8 ms")


def test_an_interval_holds_its_share_and_narrows_with_the_group():
    low, high = wilson(0, 20)
    assert low == 0
    assert 0 < high < 0.2
    assert wilson(300, 600)[1] - wilson(300, 600)[0] < wilson(30, 60)[1] - wilson(30, 60)[0]


@pytest.mark.parametrize(
    ("seconds", "said"), [(3, "3 s ago"), (70, "1 min ago"), (7200, "2 h ago"), (200_000, "2 days ago")]
)
def test_time_is_told_relative_with_the_exact_time_on_hover(seconds, said):
    then = NOW - timedelta(seconds=seconds)
    assert words.ago(then, NOW) == said
    assert "CST" in words.moment(then, NOW, CHICAGO)


def test_times_are_those_of_the_district():
    assert words.clock(NOW, CHICAGO) == "10:42:07"


def test_cells_are_said_in_words():
    assert words.cell(cell(7, 3, 10), 10) == "n<10"
    assert words.cell(cell(40, 1, 10), 10) == "<8%"
    assert words.cell(cell(40, 40, 10), 10) == ">92%"
    assert words.cell(cell(40, 10, 10), 10) == "25%"


def test_lists_numbers_and_days_are_said_in_words():
    assert words.names(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert words.names(["a", "b"]) == "a and b"
    assert words.names([]) == ""
    assert words.plural(1, "student") == "1 student"
    assert words.since(date(2026, 11, 15), date(2026, 11, 20)) == "15 Nov, 5 days"
    assert words.grade(0) == "Kindergarten"
    assert ranges([0, 1, 2, 5]) == "0–2, 5"


def test_each_query_says_what_it_answers_and_who_may_ask():
    for query in load().values():
        assert query.question.endswith("?"), query.name
        if query.scope is Scope.STUDENTS:
            assert query.parameters >= {"scope_everyone", "scope_students", "scope_schools"}, query.name


@pytest.mark.parametrize("scope", ["students", "student", "providers"])
def test_a_query_that_is_not_narrowed_by_its_scope_is_refused(scope):
    with pytest.raises(ValueError, match="scope"):
        _parse("wrong", f"-- Who?\n-- scope: {scope}\nSELECT 1", "SELECT 1")


def test_no_page_holds_sql_and_no_page_talks_to_the_store_by_itself():
    root = Path(dashboards.__file__).parent
    for path in root.rglob("*.py"):
        source = path.read_text()
        if path.name != "store.py":
            assert "clickhouse_connect" not in source, path
        assert not re.search(r"SELECT .* FROM", source), path


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("colours", "grounds"), [(palette.LIGHT, ("#fbfbf9", "#ffffff")), (palette.DARK, ("#14171a", "#191d20"))]
)
def test_colours_that_carry_meaning_can_be_read_on_their_ground(colours, grounds):
    for ground in grounds:
        for colour in (colours.ink, colours.soft, colours.accent, colours.warn, colours.good, colours.none):
            lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour


def test_the_style_sheet_and_the_charts_have_the_same_colours():
    style = (Path(dashboards.__file__).parent / "style.css").read_text()
    for name in ("soft", "line", "accent", "warn", "good", "none"):
        pair = f"--rt-{name}: light-dark({getattr(palette.LIGHT, name)}, {getattr(palette.DARK, name)})"
        assert pair in style


KAFKA = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"))


def test_kafka_is_asked_once_for_all_pages(monkeypatch):
    asked: list[str] = []

    def answer(_settings: KafkaSettings, topic: str) -> list[PartitionLag]:
        asked.append(topic)
        return [PartitionLag(0, 12, 10)]

    monkeypatch.setattr(broker, "lag", answer)
    monkeypatch.setattr(broker, "owners", lambda *_: {"worker-1": [0]})
    reader = broker.LagReader(KAFKA)
    first, second = reader.look(), reader.look()
    assert first is second
    assert (first.lags, first.owners) == ([PartitionLag(0, 12, 10)], {"worker-1": [0]})
    assert reader.read() == [PartitionLag(0, 12, 10)]
    assert reader.history() == [first]
    assert len(asked) == 1


def test_a_broker_that_is_away_leaves_lag_unknown_and_keeps_no_page_waiting(monkeypatch):
    away = threading.Event()

    def hang(_settings: KafkaSettings, _topic: str) -> list[PartitionLag]:
        away.wait(60)
        raise KafkaConnectionError

    monkeypatch.setattr(broker, "lag", hang)
    monkeypatch.setattr(broker, "_PATIENCE_SECONDS", 0.01)
    reader = broker.LagReader(KAFKA)
    assert reader.read() is None
    away.set()
    assert broker.LagReader(Settings()).read() is None


LAGS = [PartitionLag(0, 12, 10), PartitionLag(1, 5, 5)]
ALL_OWNED = {"a": [0], "b": [1]}


@pytest.mark.parametrize(
    ("lags", "owners", "rows", "fault", "said"),
    [
        (None, None, [], "", ["Kafka does not answer"]),
        (LAGS, {}, [progress(0)], "", ["No worker is running, and 2 records wait. Start one: roundtrip worker."]),
        (LAGS, {"b": [1]}, [progress(0)], "", ["Partition 0 is without a worker"]),
        (LAGS, ALL_OWNED, [progress(0, checked_s=40)], "", ["Partition 0 is not written for 40 s"]),
        (LAGS, ALL_OWNED, [], "ClickHouse does not answer: x", ["The worker gets no answer from ClickHouse, and 2"]),
        (LAGS, ALL_OWNED, [], "The folder is full", ["The worker says: The folder is full"]),
        (LAGS, ALL_OWNED, [progress(0)], "", []),
        ([PartitionLag(0, 5_000, 10)], ALL_OWNED, [progress(0)], "", ["4,990 records wait and the workers write"]),
        ([PartitionLag(0, 5, 5)], {"a": [0]}, [progress(0, checked_s=40)], "", []),
    ],
)
def test_what_holds_statements_up_is_named(lags, owners, rows, fault, said):
    found = causes(lags, owners, rows, fault, NOW)
    assert [cause.sentence[: len(words_)] for cause, words_ in zip(found, said, strict=True)] == said


def test_a_store_that_does_not_answer_is_named_first_with_what_waits_for_it():
    found = causes(LAGS, ALL_OWNED, [], "ClickHouse does not answer: x", NOW, store=False)
    assert [cause.sentence[:52] for cause in found] == ["ClickHouse does not answer, and 2 records wait: work"]
    assert len(causes(None, None, [], "", NOW, store=False)) == 2


def test_catching_up_is_told_and_is_not_grave():
    [cause] = causes([PartitionLag(0, 5_000, 10)], ALL_OWNED, [progress(0)], "", NOW)
    assert not cause.grave


def test_each_term_of_the_model_is_said_in_words_of_its_own():
    own = ("level", "item", "skills", "student's own", "skill's own")
    names = {*own, *model.STUDENT_FEATURES, *model.SKILL_FEATURES, *model.SITUATION_FEATURES, *model.CROSSES}
    assert set(mastery.TERMS) == names
    assert len(set(mastery.TERMS.values())) == len(names)
    assert sorted(name for family in mastery.FAMILIES.values() for name in family) == sorted(names)


def test_terms_of_a_kind_are_told_by_their_sum():
    terms = (Term("skill recent 5", 1, 0.4, 0.4), Term("skill recent 2", 1, -0.6, -0.6), Term("item", 1, 0.1, 0.1))
    (first, total, own), second = mastery.families(terms)
    assert (first, round(total, 6), [one.name for one in own]) == (
        "the last answers in this skill", -0.2, ["skill recent 2", "skill recent 5"],
    )  # fmt: skip
    assert second[0] == "how hard it is"


def test_the_strongest_terms_come_first_with_their_sign_and_small_ones_are_left_out():
    terms = (Term("skill recent 5", 1, 0.4, 0.4), Term("pause", 1, -0.9, -0.9), Term("item", 1, 0.01, 0.01))
    assert [mastery.contribution(one) for one in mastery.strongest(terms)] == [
        "the pause before the answer: −0.9",
        "the last five answers in this skill: +0.4",
    ]


def test_a_class_works_on_the_skills_of_its_subject_in_its_grade_and_in_the_one_before():
    def skill(subject: str, grade: int | None) -> Skill:
        return Skill("name", "domain", subject, grade)

    known = {"a5": skill("math", 5), "a6": skill("math", 6), "a7": skill("math", 7), "a8": skill("math", 8),
             "b7": skill("ela", 7), "any": skill("math", None)}  # fmt: skip
    catalogue = Catalogue({}, {}, known, {}, {}, {}, frozenset())
    assert catalogue.worked_on("math", 7) == ["any", "a6", "a7"]
    assert catalogue.worked_on("math", None) == ["any", "a5", "a6", "a7", "a8"]
    assert catalogue.worked_on("art", 7) == []


def test_spans_of_warnings_are_joined_where_they_meet_and_only_those_of_one_status():
    def row(status: str, raised: int, cleared: int | None = None):
        cleared_on = date(2026, 11, cleared) if cleared else None
        return {"status": status, "raised_on": date(2026, 11, raised), "cleared_on": cleared_on, "reason": f"r{raised}"}

    rows = [row("open", 9), row("open", 4), row("cleared", 2, 3), row("cleared", 8, 12), row("cleared", 10, 11)]
    found = charts.joined(rows, pd.Timestamp(date(2026, 11, 3)), date(2026, 11, 20))
    assert [(one["status"], one["from"].day, one["to"].day, one["reason"]) for one in found] == [
        ("cleared", 8, 13, "r8; r10"),
        ("open", 4, 21, "r4; r9"),
    ]
