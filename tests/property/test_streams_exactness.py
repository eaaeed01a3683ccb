"""Whatever happens on the way, the tables end the same: order, repetition, batching, crashes, zombies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import verbs
from schemas.events import CREDIT, ID_GENERATED, TIMESTAMP_GENERATED, Envelope, Item
from streams.learner.calibration import Calibration
from streams.learner.fold import Attempt, fold
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows import tables
from tests.fixtures.envelopes import FIRST_DAY_US, make_item, seeded_uuid
from tests.fixtures.memory_store import MemoryStore

CALIBRATION = Calibration(
    3, items={"https://items.example/1": 0.4}, skills={"s1": -0.3, "s2": 0.7}, medians={"s1": 0.1}
)
HOUR_US = 3_600_000_000
_SEEDED = random.Random(7)
STUDENTS = [seeded_uuid(_SEEDED) for _ in range(3)]
STATEMENTS = [seeded_uuid(_SEEDED) for _ in range(12)]


class Template(NamedTuple):
    """A statement as its provider may send it, again and again."""

    student: str
    hour: int
    verb: str
    skills: tuple[str, ...]
    success: bool | None
    flags: int


templates = st.builds(
    Template,
    st.sampled_from(STUDENTS),
    st.integers(0, 30),
    st.sampled_from([verbs.ANSWERED, verbs.ANSWERED, verbs.PASSED, verbs.PLAYED, verbs.ATTENDED, verbs.ABSENT]),
    st.sampled_from([(), ("s1",), ("s1", "s2"), ("s3",)]),
    st.sampled_from([True, False, None]),
    st.sampled_from([0, 0, 0, ID_GENERATED, TIMESTAMP_GENERATED, CREDIT]),
)
picks = st.lists(
    st.lists(st.tuples(st.integers(0, 11), st.booleans()), min_size=1, max_size=4), min_size=1, max_size=12
)


@st.composite
def logs(draw: st.DrawFn) -> list[list[Item]]:
    """Envelopes an hour apart, of a few statements each of which comes again and again, sometimes with new content."""
    made = draw(st.lists(templates, min_size=12, max_size=12))
    first_stored: dict[int, int] = {}
    log = []
    for hour, numbers in enumerate(draw(picks)):
        items: list[Item] = []
        for number, changed in numbers:
            template, stored = made[number], FIRST_DAY_US + (20 + hour) * HOUR_US
            # Nothing is stored before it happens.
            happened = min(FIRST_DAY_US + template.hour * HOUR_US, first_stored.setdefault(number, stored))
            fresh_id = seeded_uuid(random.Random(f"{hour} {len(items)}"))
            items.append(
                make_item(
                    fresh_id if template.flags & ID_GENERATED else STATEMENTS[number],
                    template.student,
                    stored if template.flags & TIMESTAMP_GENERATED else happened,
                    verb=template.verb,
                    skills=template.skills,
                    success=template.success,
                    activity=f"https://items.example/{number % 2}{'/changed' if changed and hour > 6 else ''}",
                    stored=stored,
                    provider="ab"[number % 2],
                    flags=template.flags,
                )
            )
        log.append(items)
    return log


def the_processor(
    store: MemoryStore, envelopes: Sequence[Envelope], calibration: Calibration = CALIBRATION
) -> Processor:
    options = ProcessorOptions(
        topic="statements", generation=1, timezone="America/Chicago", cached_students=2,
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


def states(store: MemoryStore) -> dict[str, list[tuple[Any, ...]]]:
    """All rows; by which envelope a row was written last may differ, where its content does not."""
    return store.contents("watermark")


@settings(deadline=None, max_examples=300)
@given(logs(), st.data())
def test_crashes_and_other_batches_leave_the_same_rows(batches: list[list[Item]], data: st.DataObject) -> None:
    expected = straight(batches)
    envelopes, records = as_log(batches)
    store = MemoryStore()
    processor = the_processor(store, envelopes)
    committed = read = crashes = 0
    while committed < len(records):
        end = data.draw(st.integers(read + 1, len(records)))
        batch = processor.process(records[read:end])
        died_after = data.draw(st.sampled_from([None, *tables.OF_STATEMENTS])) if crashes < 4 else None
        store.flush(batch, died_after)
        read = end
        if died_after is None and data.draw(st.booleans()):
            committed = end
        if died_after is not None or (crashes < 4 and data.draw(st.booleans())):
            crashes += 1
            processor, read = the_processor(store, envelopes), committed
        if read == len(records):
            committed = read
    assert states(store) == states(expected)


@settings(deadline=None, max_examples=200)
@given(logs(), st.data())
def test_a_zombie_that_writes_on_changes_nothing_for_good(batches: list[list[Item]], data: st.DataObject) -> None:
    envelopes, records = as_log(batches)
    store = MemoryStore()
    zombie = the_processor(store, envelopes)
    slept_at = data.draw(st.integers(1, len(records)))
    late = zombie.process(records[:slept_at])
    owner = the_processor(store, envelopes)
    for record in records:
        store.flush(owner.process([record]))
    store.flush(late)
    assert states(store) == states(straight(batches))


@settings(deadline=None, max_examples=200)
@given(logs())
def test_every_statement_is_stored_or_told(batches: list[list[Item]]) -> None:
    store = straight(batches)
    accepted = sum(item.primary for items in batches for item in items)
    told = sum(row["statements"] for row in store.tables[tables.OUTCOMES].values())
    assert len(store.tables[tables.STATEMENTS]) + told == accepted


@settings(deadline=None, max_examples=200)
@given(logs())
def test_states_are_the_fold_over_the_sorted_attempts(batches: list[list[Item]]) -> None:
    store = straight(batches)
    for student in STUDENTS:
        attempts = [
            Attempt(r["timestamp"], r["statement_id"], r["item"], r["skills"], r["outcome"])
            for r in store.tables[tables.ATTEMPTS].values()
            if r["student_id"] == student
        ]
        expected = fold(attempts, CALIBRATION)
        rows = {r["skill_id"]: r for r in store.tables[tables.SKILL_STATES].values() if r["student_id"] == student}
        assert rows.keys() == expected.skills.keys()
        for skill, state in expected.skills.items():
            names = ("attempts", "successes", "rating", "mastery", "recent", "first_at", "last_at")
            assert tuple(rows[skill][name] for name in names) == state.values()
        if attempts:
            assert store.tables[tables.STUDENT_STATES][student,]["rating"] == expected.rating


@settings(deadline=None, max_examples=100)
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
