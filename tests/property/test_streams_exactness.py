"""Whatever happens on the way, the tables end the same: order, repetition, batching, corrections, crashes, zombies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import verbs
from schemas.events import Envelope, Item
from streams import history
from streams.corrections.publisher import fold_again
from streams.learner.calibration import Calibration
from streams.learner.fold import Attempt, fold
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows import tables
from streams.rows.arrival import read
from streams.rows.days import LocalDays
from streams.rows.states import Stamp, skill_row, student_row
from streams.running import Running
from tests.fixtures.calibrations import drawn
from tests.fixtures.memory_store import MemoryStore
from tests.fixtures.record_logs import STUDENTS, left_of, logs
from tests.fixtures.torn import TORN, WHOLE

CALIBRATION = drawn(random.Random(3), ["https://items.example/0", "https://items.example/1"], ["s1", "s2", "s3"])
ZONE = "America/Chicago"


def the_processor(
    store: MemoryStore, envelopes: Sequence[Envelope], calibration: Calibration = CALIBRATION
) -> Processor:
    options = ProcessorOptions(
        topic="statements", generation=1, timezone=ZONE, cached_students=2,
        remembered_statements=3, calibration=calibration, clock=lambda: 5,
    )  # fmt: skip
    return Processor(lambda value: envelopes[int(value)], store, options)


def as_log(batches: Sequence[Sequence[Item]]) -> tuple[list[Envelope], list[Record]]:
    envelopes = [Envelope("i", 0, list(items)) for items in batches]
    return envelopes, [Record(0, offset, str(offset).encode()) for offset in range(len(envelopes))]


def straight(batches: Sequence[Sequence[Item]]) -> MemoryStore:
    """The log processed once, one envelope a batch, by one worker that never dies."""
    envelopes, records = as_log(batches)
    store = MemoryStore()
    processor = the_processor(store, envelopes)
    for record in records:
        store.flush(processor.process([record]))
    return store


def rows_of(store: MemoryStore) -> dict[str, list[tuple[Any, ...]]]:
    """All rows; by which envelope a row was written last may differ, where its content does not."""
    return store.contents("watermark")


@settings(deadline=None, max_examples=150)
@given(logs(), st.booleans(), st.data())
def test_crashes_and_other_batches_leave_the_same_rows(
    batches: list[list[Item]], merging: bool, data: st.DataObject
) -> None:
    expected = straight(batches)
    envelopes, records = as_log(batches)
    store = MemoryStore(merging=merging)
    processor = the_processor(store, envelopes)
    committed = read_until = crashes = 0
    while committed < len(records):
        end = data.draw(st.integers(read_until + 1, len(records)))
        batch = processor.process(records[read_until:end])
        written = data.draw(st.just(WHOLE) | st.sampled_from(TORN)) if crashes < 4 else WHOLE
        store.flush(batch, written)
        read_until = end
        if written == WHOLE and data.draw(st.booleans()):
            committed = end
        if written != WHOLE or (crashes < 4 and data.draw(st.booleans())):
            crashes += 1
            processor, read_until = the_processor(store, envelopes), committed
        if read_until == len(records):
            committed = read_until
    assert rows_of(store) == rows_of(expected)


@settings(deadline=None, max_examples=100)
@given(logs(), st.booleans(), st.data())
def test_a_zombie_that_writes_on_changes_nothing_for_good(
    batches: list[list[Item]], merging: bool, data: st.DataObject
) -> None:
    envelopes, records = as_log(batches)
    store = MemoryStore(merging=merging)
    zombie = the_processor(store, envelopes)
    slept_at = data.draw(st.integers(1, len(records)))
    late = zombie.process(records[:slept_at])
    owner = the_processor(store, envelopes)
    for record in records:
        store.flush(owner.process([record]))
    store.flush(late)
    assert rows_of(store) == rows_of(straight(batches))


@settings(deadline=None, max_examples=80)
@given(logs())
def test_every_statement_is_stored_or_told(batches: list[list[Item]]) -> None:
    store = straight(batches)
    left = left_of(batches)
    told = {"duplicate": 0, "dead": 0}
    for row in store.tables[tables.OUTCOMES].values():
        told[row["outcome"]] += row["statements"]
    accepted = sum(item.primary for items in batches for item in items)
    assert (len(store.tables[tables.STATEMENTS]), told["duplicate"], told["dead"]) == left[1:]
    assert len(store.tables[tables.STATEMENTS]) + sum(told.values()) == accepted


@settings(deadline=None, max_examples=150)
@given(logs())
def test_states_are_the_fold_over_the_attempts_that_stand(batches: list[list[Item]]) -> None:
    store = straight(batches)
    standing = [read(0, 0, 0, item) for item in left_of(batches).standing.values() if item.statement]
    for student in STUDENTS:
        attempts = [
            Attempt(a.item.timestamp, a.item.statement_id, a.activity, a.item.skills, a.outcome, a.duration_ms)
            for a in standing
            if a.item.student_id == student and a.outcome is not None
        ]
        expected = fold(attempts, CALIBRATION)
        rows = {r["skill_id"]: r for r in store.tables[tables.SKILL_STATES].values() if r["student_id"] == student}
        assert rows.keys() == expected.skills.keys()
        for skill, state in expected.skills.items():
            names = ("attempts", "successes", "rating", "mastery", "recent", "first_at", "last_at")
            assert tuple(rows[skill][name] for name in names) == state.values()
        found = store.tables[tables.STUDENT_STATES].get((student,))
        assert (found["rating"] if found else None) == (expected.rating if attempts else None)
        evidence = {k for k, r in store.tables[tables.ATTEMPTS].items() if r["student_id"] == student}
        assert evidence == {(student, *attempt.key) for attempt in attempts}


@settings(deadline=None, max_examples=80)
@given(logs())
def test_days_count_the_statements_that_stand(batches: list[list[Item]]) -> None:
    store, day_of = straight(batches), LocalDays(ZONE).day_of
    standing = left_of(batches).standing
    expected: dict[tuple[str, int], list[Item]] = {}
    for (student, timestamp, _), item in standing.items():
        expected.setdefault((student, day_of(timestamp)), []).append(item)
    rows = store.tables[tables.STUDENT_DAYS]
    assert rows.keys() == expected.keys()
    for key, items in expected.items():
        row, own = rows[key], [item for item in items if item.verb not in verbs.ADMINISTRATIVE]
        assert (row["statements"], row["activity"]) == (len(items), len(own))
        assert row["attended"] == sum(item.verb == verbs.ATTENDED for item in items)
        assert row["absent"] == sum(item.verb == verbs.ABSENT for item in items)
        assert row["incidents"] == sum(item.verb == verbs.REPORTED for item in items)
        assert row["providers"] == sorted({item.provider_id for item in own})
        moments = [item.timestamp for item in items]
        assert (row["first_at"], row["last_at"]) == (min(moments), max(moments))


@settings(deadline=None, max_examples=80)
@given(logs(), st.booleans())
def test_what_was_kept_tells_the_same_as_what_was_counted_up(batches: list[list[Item]], merging: bool) -> None:
    """What a rebuild reads is enough to come to the rows that stand."""
    envelopes, records = as_log(batches)
    store = MemoryStore(merging=merging)
    processor = the_processor(store, envelopes)
    for record in records:
        store.flush(processor.process([record]))
    removals, days = store.removals(STUDENTS), LocalDays(ZONE)
    for student, kept in store.kept(STUDENTS).items():
        standing = history.standing([k.arrival for k in kept], removals.get(student, {}))
        state = fold(history.attempts(standing), CALIBRATION)
        found = store.learners([student]).get(student)
        assert (found.state.rating if found else 0.0) == state.rating
        rows = store.days_of([student])
        counted = history.days(standing, days.day_of)
        assert {day for _, day in rows} == counted.keys()
        for (_, day), row in rows.items():
            assert row.row(student, day, 1, 0)[:-1] == counted[day].row(student, day, 1, 0)[:-1]


@settings(deadline=None, max_examples=50)
@given(logs())
def test_a_new_calibration_folds_a_student_again_when_met(batches: list[list[Item]]) -> None:
    envelopes, records = as_log(batches)
    store = MemoryStore()
    old = the_processor(store, envelopes, Calibration())
    for record in records[:-1]:
        store.flush(old.process([record]))
    new = the_processor(store, envelopes)
    store.flush(new.process(records[-1:]))
    met = {item.student_id for item in batches[-1]}
    expected = straight(batches).contents("watermark")["skill_states"]
    found = store.contents("watermark")["skill_states"]
    fresh = {r["student_id"] for r in store.tables[tables.STATEMENTS].values() if r["offset"] == len(records) - 1}
    assert [row for row in found if row[0] in fresh & met] == [row for row in expected if row[0] in fresh & met]


@settings(deadline=None, max_examples=100)
@given(logs(), st.booleans(), st.data())
def test_a_switch_of_the_calibration_at_any_moment_ends_as_the_fold_under_the_new_one(
    batches: list[list[Item]], merging: bool, data: st.DataObject
) -> None:
    """A worker that is behind writes on under the old one, states were exchanged long before, somebody else goes on."""
    envelopes, records = as_log(batches)
    store = MemoryStore(merging=merging)
    behind = the_processor(store, envelopes, Calibration())
    exchanged_at, taken_up_at = sorted(data.draw(st.tuples(*[st.integers(0, len(records))] * 2)))
    for record in records[:exchanged_at]:
        store.flush(behind.process([record]))
    exchange(store, exchanged_at - 1)
    for record in records[exchanged_at:taken_up_at]:
        store.flush(behind.process([record]))
    late = behind.process(records[taken_up_at : taken_up_at + 1])  # it writes that when all is over
    new = behind if data.draw(st.booleans()) else the_processor(store, envelopes)
    new.run_under(SWITCHED)
    for record in records[taken_up_at:]:
        store.flush(new.process([record]))
    envelopes.append(Envelope("i", 0, [fold_again(student, 1) for student in STUDENTS]))
    store.flush(new.process([Record(0, len(records), str(len(records)).encode())]))
    store.flush(late)
    assert states_of(store) == states_of(straight(batches))


SWITCHED = Running(CALIBRATION, 1, switching=True)


def exchange(store: MemoryStore, until: int) -> None:
    """What a switch puts in place: every student folded under the new calibration up to an offset."""
    past, removed = store.attempts(dict.fromkeys(STUDENTS, until)), store.removals(STUDENTS)
    for student in STUDENTS:
        out = removed.get(student, {})
        learner = fold((a for a in past[student] if not history.is_out(a.key, out)), CALIBRATION)
        stamp = Stamp(CALIBRATION.version, 1, 1, 0, until)
        store.write(tables.SKILL_STATES, [skill_row(student, name, s, stamp) for name, s in learner.skills.items()])
        if learner.attempts:
            store.write(tables.STUDENT_STATES, [student_row(student, learner, stamp)])


def states_of(store: MemoryStore) -> list[list[tuple[Any, ...]]]:
    found = store.contents("watermark", "activation")
    return [found["skill_states"], found["student_states"]]
