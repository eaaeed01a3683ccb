"""What a rebuild decides, without a store: what is compared up to where, which ranges, what operators may write."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cli.context import UsageFault
from infra.cli.replay import moment
from schemas.events import Item
from streams.corrections.publisher import MOST_ITEMS, envelopes, fold_again
from streams.history import Decision, Kept
from streams.learner.calibration import Calibration
from streams.rebuild import scope
from streams.rebuild.differences import compare, words
from streams.rebuild.judging import ATTEMPTS, DAYS, REBUILT, SKILLS, STATES, Bounds, Live, Record, Verdict, judge
from streams.rows.arrival import read
from streams.rows.days import LocalDays
from tests.fixtures.envelopes import FIRST_DAY_US, make_item, seeded_uuid

RNG = random.Random(3)
STUDENT = seeded_uuid(RNG)
HOUR_US = 3_600_000_000
UTC_DAYS = LocalDays("UTC")


def answers(count: int, seed: int = 1) -> list[Item]:
    rng = random.Random(seed)
    return [
        make_item(
            seeded_uuid(rng), STUDENT, FIRST_DAY_US + rng.randrange(200) * HOUR_US,
            skills=(f"skill-{rng.randrange(3)}",), success=rng.random() < 0.5,
        )
        for _ in range(count)
    ]  # fmt: skip


def kept(items: list[Item], generation: int = 1) -> list[Kept]:
    """Each in an envelope of its own, from offset 0 on."""
    return [Kept(generation, read(2, offset, 0, item)) for offset, item in enumerate(items)]


def judged(record: Record, live: Live, written: int, *, generation: int = 1, renew: bool = False) -> Verdict:
    return judge(STUDENT, record, live, Bounds(generation, 2, written, renew), Calibration(), UTC_DAYS)


def live_of(verdict: Verdict) -> Live:
    """The rows of a verdict as they would be read back."""
    live = Live()

    def rows(columns: Any) -> list[dict[str, Any]]:
        named = [dict(zip(columns.names, row, strict=True)) for row in verdict.rows[columns]]
        return [row for row in named if not row["removed"]]

    live.attempts = {(row["timestamp"], row["statement_id"]): row for row in rows(ATTEMPTS)}
    live.days = {row["day"]: row for row in rows(DAYS)}
    live.skills = {row["skill_id"]: row for row in rows(SKILLS)}
    live.state = next(iter(rows(STATES)), None)
    return live


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 12), st.integers(-1, 12), st.integers(0, 1_000))
def test_what_was_computed_up_to_any_offset_agrees_whatever_has_come_since(end: int, sinks: int, seed: int) -> None:
    everything = kept(answers(12, seed))
    live = live_of(judged(Record(everything[:end]), Live(), 12))
    verdict = judged(Record(everything), live, min(sinks, end - 1))
    assert verdict.differences == []
    assert not any(verdict.changed.values())
    assert not verdict.unsettled


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(0, 1_000), st.randoms(use_true_random=False))
def test_one_value_that_is_wrong_is_the_one_that_is_named(count: int, seed: int, rng: random.Random) -> None:
    record = Record(kept(answers(count, seed)))
    live = live_of(judged(record, Live(), count))
    rows: list[tuple[str, Any]] = [
        *(("student_days", row) for row in live.days.values()),
        *(("skill_states", row) for row in live.skills.values()),
        ("student_states", live.state),
    ]
    table, row = rng.choice(rows)
    column = rng.choice([name for name, value in row.items() if isinstance(value, float | int) and name in VALUES])
    right = row[column]
    row[column] = right + 1
    verdict = judged(record, live, count)
    assert [(d.table, d.column, d.rebuilt) for d in verdict.differences] == [(table, column, words(column, right))]
    assert [len(verdict.changed[columns]) for columns in REBUILT if columns.table == table] == [1]


VALUES = {"statements", "activity", "attempts", "successes", "duration_ms", "rating", "mastery", "recent"}


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 10), st.data())
def test_in_any_order_and_however_often_the_rows_are_the_same(count: int, data: st.DataObject) -> None:
    everything = kept(answers(count))
    some = data.draw(st.lists(st.sampled_from(everything), max_size=count))
    shuffled = data.draw(st.permutations([*everything, *some]))
    assert judged(Record(shuffled), Live(), count).rows == judged(Record(everything), Live(), count).rows


def test_a_statement_that_was_taken_out_counts_nowhere_and_its_attempt_goes() -> None:
    record = Record(kept(answers(3)))
    live = live_of(judged(record, Live(), 3))
    gone = record.kept[1].arrival.item
    record.removed[gone.timestamp, gone.statement_id] = Decision("voided", "cause", restored=False, offset=5)
    assert judged(record, live, 4).unsettled, "what is being taken out is looked at again"
    verdict = judged(record, live, 5)
    [row] = verdict.changed[ATTEMPTS]
    assert row[-2:] == (5, 1)
    assert not verdict.unsettled
    rest = Record([one for one in record.kept if one.arrival.item is not gone])
    assert live_of(verdict).skills.keys() == live_of(judged(rest, Live(), 5)).skills.keys()
    [left], [told] = verdict.rows[STATES], judged(rest, Live(), 5).rows[STATES]
    assert left[:-6] == told[:-6]


def test_rows_of_an_earlier_generation_agree_and_are_given_this_ones_place_only_in_new_tables() -> None:
    record = Record(kept(answers(4)))
    live = live_of(judged(record, Live(), 4))
    in_place = judged(record, live, -1, generation=2)
    renewed = judged(record, live, -1, generation=2, renew=True)
    assert in_place.differences == renewed.differences == []
    assert {row[-4:-1] for row in in_place.rows[STATES]} == {(1, 2, 3)}
    assert {row[-4:-1] for row in renewed.rows[STATES]} == {(2, 2, -1)}


def test_a_row_that_hides_newer_ones_with_the_watermark_of_an_earlier_generation_is_told() -> None:
    old = kept(answers(4))
    live = live_of(judged(Record(old), Live(), 4))
    late = read(2, 1, 0, answers(1, 9)[0])
    verdict = judged(Record([*old, Kept(2, late)]), live, 1, generation=2)
    assert verdict.stuck
    assert {difference.table for difference in verdict.differences} > {"student_states"}


def test_ranges_hold_few_statements_or_one_student() -> None:
    students = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(6)]
    sizes = [15_000, 4_000, 4_000, 50_000, 1, 1]
    asked = []

    def store(sql: str) -> list[list[object]]:
        asked.append(sql)
        return [list(students), list(sizes)] if len(asked) == 1 else []

    found = list(scope.parts(store, scope.Scope()))
    assert [part.students for part in found] == [
        tuple(students[:2]), tuple(students[2:3]), tuple(students[3:4]), tuple(students[4:]),
    ]  # fmt: skip
    assert [part.statements for part in found] == [19_000, 4_000, 50_000, 2]
    assert found[-1].until == students[-1]
    assert f"student_id > '{students[-1]}'" in asked[1]


def test_differences_are_told_in_the_words_of_people() -> None:
    live, rebuilt = {"first_at": FIRST_DAY_US, "rating": 0.1}, {"first_at": FIRST_DAY_US + 1, "rating": 0.1}
    assert [str(one) for one in compare("student_days", STUDENT, "2026-09-01", live, rebuilt)] == [
        f"student_days · student {STUDENT} · 2026-09-01 · first_at: "
        "live 2026-09-01T00:00:00+00:00, rebuilt 2026-09-01T00:00:00.000001+00:00"
    ]
    assert list(compare("student_days", STUDENT, "", None, None)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T10:00", datetime(2026, 11, 21, 16, tzinfo=UTC)),
        ("2026-11-21T10:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21 10:00:00+01:00", datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ("90m", datetime(2026, 11, 21, 10, 30, tzinfo=UTC)),
        ("2d ago", datetime(2026, 11, 19, 12, tzinfo=UTC)),
    ],
)
def test_times_are_those_of_the_district_unless_they_say_otherwise(text: str, expected: datetime) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert moment(text, int(now.timestamp()) * 1_000_000, "America/Chicago") == int(expected.timestamp()) * 1_000_000


def test_a_time_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(UsageFault, match="'soon' is no time: write it as"):
        moment("soon", 0, "UTC")


def test_students_to_be_folded_again_go_into_their_partitions_a_few_hundred_to_an_envelope() -> None:
    rng = random.Random(5)
    items = [fold_again(seeded_uuid(rng), 7) for _ in range(MOST_ITEMS + 10)]
    sealed = list(envelopes(items, 1, "rebuild", 7))
    assert [(partition, len(envelope.items)) for partition, envelope in sealed] == [(0, MOST_ITEMS), (0, 10)]
    assert not any(item.primary for _, envelope in sealed for item in envelope.items)
    assert msgspec.json.encode(sealed[0][1])
