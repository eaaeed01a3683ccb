"""The core of the worker without servers: dead letters, duplicates, credits, and what is looked up."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.codec import CodecError
from schemas.events import CREDIT, FOLD_AGAIN, ID_GENERATED, REMOVAL, Envelope, Item, Removal
from streams.learner.calibration import Calibration
from streams.processor import Batch, Processor, ProcessorOptions, Record
from streams.rows import tables
from streams.rows.arrival import Fault
from tests.fixtures.envelopes import FIRST_DAY_US, make_item, seeded_uuid
from tests.fixtures.memory_store import MemoryStore

_RNG = random.Random(3)
STUDENT, MEMBER = seeded_uuid(_RNG), seeded_uuid(_RNG)
ONE, TWO, THREE = seeded_uuid(_RNG), seeded_uuid(_RNG), seeded_uuid(_RNG)


def the_processor(store: MemoryStore, remembered: int = 1_000) -> Processor:
    def decode(value: bytes) -> Envelope:
        if value == b"broken":
            raise CodecError("broken record")
        return Envelope("i", 0, msgspec.msgpack.decode(value, type=list[Item]))

    options = ProcessorOptions(
        topic="statements", generation=1, timezone="UTC", cached_students=10,
        remembered_statements=remembered, calibration=Calibration(), clock=lambda: FIRST_DAY_US,
    )  # fmt: skip
    return Processor(decode, store, options)


def record(offset: int, *items: Item) -> Record:
    return Record(0, offset, msgspec.msgpack.encode(items))


def outcomes(batch: Batch) -> list[dict[str, Any]]:
    return [dict(zip(tables.OUTCOMES.names, row, strict=True)) for row in batch.rows[tables.OUTCOMES]]


def flushed(processor: Processor, store: MemoryStore, records: Sequence[Record]) -> Batch:
    batch = processor.process(records)
    store.flush(batch)
    return batch


def test_an_envelope_that_cannot_be_decoded_is_one_dead_letter_counted_by_its_header() -> None:
    counts = json.dumps({"provider-a": 3, "provider-b": 1}).encode()
    broken = Record(0, 4, b"broken", (("counts", counts),), FIRST_DAY_US)
    batch = the_processor(MemoryStore()).process([broken, record(5, make_item(ONE, STUDENT, FIRST_DAY_US))])
    [letter] = batch.dead
    assert (letter.index, letter.payload, letter.reason, letter.offset) == (-1, b"broken", "undecodable", 4)
    assert {row["provider_id"]: row["statements"] for row in outcomes(batch)} == {"provider-a": 3, "provider-b": 1}
    assert len(batch.rows[tables.STATEMENTS]) == 1
    assert batch.parts[0].last_offset == 5
    assert batch.statements == 5


def test_a_bad_statement_goes_to_the_dead_letters_and_its_neighbours_go_on() -> None:
    bad = msgspec.structs.replace(make_item(ONE, STUDENT, FIRST_DAY_US), statement=b"{")
    batch = the_processor(MemoryStore()).process([record(0, bad, make_item(TWO, STUDENT, FIRST_DAY_US))])
    [letter] = batch.dead
    assert letter.reason == "statement_undecodable"
    assert msgspec.json.decode(letter.payload, type=Item) == bad
    assert [(row["outcome"], row["idx"]) for row in outcomes(batch)] == [("dead", 0)]
    assert [row[2] for row in batch.rows[tables.STATEMENTS]] == [TWO]


def test_the_same_statement_again_is_a_duplicate_and_other_content_a_conflict() -> None:
    again = make_item(ONE, STUDENT, FIRST_DAY_US)
    other = make_item(ONE, STUDENT, FIRST_DAY_US, success=False)
    batch = the_processor(MemoryStore()).process([record(0, again, again), record(1, other)])
    assert [(row["outcome"], row["reason"]) for row in outcomes(batch)] == [
        ("duplicate", "duplicate"),
        ("dead", "conflict"),
    ]
    assert [letter.reason for letter in batch.dead] == ["conflict"]
    assert len(batch.rows[tables.ATTEMPTS]) == 1


def test_a_duplicate_days_later_is_found_by_a_worker_that_just_started() -> None:
    store = MemoryStore()
    flushed(the_processor(store), store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US))])
    late = make_item(ONE, STUDENT, FIRST_DAY_US, stored=FIRST_DAY_US + 5 * 86_400_000_000)
    batch = flushed(the_processor(store), store, [record(900, late)])
    assert [row["outcome"] for row in outcomes(batch)] == ["duplicate"]
    assert store.lookups == 1


def test_a_redelivered_statement_is_no_duplicate_of_itself() -> None:
    store = MemoryStore()
    records = [record(7, make_item(ONE, STUDENT, FIRST_DAY_US))]
    store.flush(the_processor(store).process(records), only=[tables.LEDGER, tables.STATEMENTS])
    batch = flushed(the_processor(store), store, records)
    assert not outcomes(batch)
    assert len(batch.rows[tables.SKILL_STATES]) == 1


def test_memory_decides_alone_from_the_beginning_of_the_log_and_for_what_just_happened() -> None:
    store = MemoryStore()
    from_the_start = the_processor(store)
    flushed(from_the_start, store, [record(0, make_item(TWO, STUDENT, FIRST_DAY_US))])
    assert store.lookups == 0
    later = the_processor(store)
    later.process([record(50, make_item(ONE, STUDENT, FIRST_DAY_US, stored=FIRST_DAY_US))])
    assert store.lookups == 1
    hours_on = FIRST_DAY_US + 3 * 3_600_000_000
    later.process([record(51, make_item(THREE, STUDENT, hours_on, stored=hours_on))])
    assert store.lookups == 1


def test_of_a_student_of_whom_nothing_is_stored_no_statement_is_looked_up() -> None:
    store = MemoryStore()
    flushed(the_processor(store), store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US))])
    later = the_processor(store)
    again = make_item(TWO, MEMBER, FIRST_DAY_US)
    assert not outcomes(flushed(later, store, [record(900, again, make_item(THREE, STUDENT, FIRST_DAY_US))]))
    assert store.lookups == 1, "the statement of the student who is known"
    assert [row["outcome"] for row in outcomes(flushed(later, store, [record(901, again)]))] == ["duplicate"]
    assert not outcomes(flushed(later, store, [record(902, make_item(ONE, MEMBER, FIRST_DAY_US))]))
    assert store.lookups == 1


def test_a_student_is_no_newcomer_any_longer_when_memory_has_forgotten() -> None:
    store = MemoryStore()
    later = the_processor(store, remembered=1)
    first = make_item(ONE, STUDENT, FIRST_DAY_US)
    for offset, item in enumerate((first, make_item(TWO, STUDENT, FIRST_DAY_US), make_item(THREE, STUDENT, 0))):
        flushed(later, store, [record(900 + offset, item)])
    batch = flushed(later, store, [record(910, first)])
    assert [row["outcome"] for row in outcomes(batch)] == ["duplicate"]
    assert store.lookups


def test_a_member_of_a_group_is_credited_without_a_second_statement() -> None:
    primary = make_item(ONE, STUDENT, FIRST_DAY_US)
    member = make_item(ONE, MEMBER, FIRST_DAY_US, flags=CREDIT)
    store = MemoryStore()
    batch = flushed(the_processor(store), store, [record(0, primary, member)])
    assert batch.statements == len(batch.rows[tables.STATEMENTS]) == len(batch.rows[tables.CREDITS]) == 1
    assert len(batch.rows[tables.ATTEMPTS]) == len(batch.rows[tables.STUDENT_STATES]) == 2
    again = flushed(the_processor(store), store, [record(9, member)])
    assert not outcomes(again)
    assert not again.rows[tables.ATTEMPTS]


def test_a_late_attempt_folds_its_student_again_once() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    flushed(processor, store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US + 10))])
    late = [make_item(seeded_uuid(_RNG), STUDENT, FIRST_DAY_US + n, success=False) for n in range(5)]
    batch = flushed(processor, store, [record(1, *late)])
    assert batch.refolds == 1
    assert len(batch.rows[tables.SKILL_STATES]) == 1
    [state] = store.tables[tables.STUDENT_STATES].values()
    assert (state["attempts"], state["last_statement_id"], state["watermark"]) == (6, ONE, 1)


def test_a_class_that_comes_back_after_48_hours_is_folded_once_a_student() -> None:
    store = MemoryStore()
    pupils = [seeded_uuid(_RNG) for _ in range(30)]
    today = FIRST_DAY_US + 48 * 3_600_000_000
    online = [make_item(seeded_uuid(_RNG), pupil, today, stored=today) for pupil in pupils]
    processor = the_processor(store)
    flushed(processor, store, [record(0, *online)])
    late = [
        make_item(
            seeded_uuid(_RNG), pupil, FIRST_DAY_US + n * 60_000_000, success=n % 3 == 0, stored=today + 60_000_000
        )
        for n in range(40)
        for pupil in pupils
    ]
    store.attempts_read = 0
    batch = flushed(processor, store, [record(1 + n, *late[n * 20 : n * 20 + 20]) for n in range(60)])
    assert batch.refolds == 30
    assert store.attempts_read == 1
    assert {row["attempts"] for row in store.tables[tables.STUDENT_STATES].values()} == {41}


def test_a_worker_that_starts_reads_back_what_came_last_and_knows_a_copy_with_another_timestamp() -> None:
    store = MemoryStore()
    at = FIRST_DAY_US + 3_600_000_000
    flushed(the_processor(store), store, [record(0, make_item(ONE, STUDENT, at, stored=at))])
    again = make_item(ONE, STUDENT, at + 5_000_000, stored=at + 6_000_000)
    batch = flushed(the_processor(store), store, [record(1, again)])
    assert [row["outcome"] for row in outcomes(batch)] == ["duplicate"]
    other = make_item(ONE, STUDENT, at + 7_000_000, stored=at + 8_000_000, success=False)
    batch = flushed(the_processor(store), store, [record(2, other)])
    assert [letter.reason for letter in batch.dead] == ["conflict"]
    assert len(store.tables[tables.STATEMENTS]) == 1


def test_a_rebalance_forgets_no_duplicate() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    late = FIRST_DAY_US + 7_200_000_000
    flushed(processor, store, [record(0, make_item(ONE, STUDENT, late, stored=late))])
    processor.drop([0])
    batch = flushed(processor, store, [record(1, make_item(ONE, STUDENT, late + 1_000_000, stored=late + 2_000_000))])
    assert [row["outcome"] for row in outcomes(batch)] == ["duplicate"]


def a_removal(item: Item, reason: str, offset: int = 0, credited: bool = False) -> Item:
    told = msgspec.json.encode(Removal(reason, "cause", item.stored, credited, 0, offset, 0))
    return msgspec.structs.replace(item, flags=REMOVAL, statement=told)


def test_a_voided_attempt_is_taken_out_and_with_the_last_one_the_state() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    one, two = make_item(ONE, STUDENT, FIRST_DAY_US), make_item(TWO, STUDENT, FIRST_DAY_US + 1, success=False)
    flushed(processor, store, [record(0, one, two)])
    flushed(processor, store, [record(1, a_removal(two, "voided"))])
    [state] = store.tables[tables.STUDENT_STATES].values()
    assert (state["attempts"], state["last_statement_id"], state["watermark"]) == (1, ONE, 1)
    flushed(processor, store, [record(2, a_removal(one, "voided"))])
    left = store.contents()
    assert not left["skill_states"] + left["student_states"] + left["student_days"] + left["attempts"]
    assert len(left["statements"]) == len(left["removals"]) == 2


def test_what_was_unlinked_comes_back_with_a_credit_and_what_is_void_does_not() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    one, two = make_item(ONE, STUDENT, FIRST_DAY_US), make_item(TWO, STUDENT, FIRST_DAY_US + 1, flags=ID_GENERATED)
    flushed(processor, store, [record(0, one, two)])
    gone = [a_removal(one, "voided"), a_removal(one, "unlinked"), a_removal(two, "unlinked")]
    flushed(processor, store, [record(1, *gone)])
    assert not store.tables[tables.STUDENT_DAYS]
    back = [msgspec.structs.replace(item, flags=CREDIT) for item in (one, two)]
    flushed(the_processor(store), store, [record(2, *back)])
    [day] = store.tables[tables.STUDENT_DAYS].values()
    assert (day["statements"], day["attempts"]) == (1, 1)
    assert list(store.tables[tables.ATTEMPTS]) == [(STUDENT, FIRST_DAY_US + 1, TWO)]


def test_a_late_conflict_leaves_statements_and_becomes_a_dead_letter_with_its_content() -> None:
    store = MemoryStore()
    one = make_item(ONE, STUDENT, FIRST_DAY_US)
    flushed(the_processor(store), store, [record(0, one)])
    for processor in (the_processor(store), the_processor(store)):
        batch = flushed(processor, store, [record(1, a_removal(one, "conflict"))])
        [letter] = batch.dead
        assert (letter.reason, letter.offset, letter.index) == ("conflict", 0, 0)
        assert msgspec.json.decode(letter.payload, type=Item).statement == one.statement
    assert not store.tables[tables.STATEMENTS]
    [told] = store.tables[tables.OUTCOMES].values()
    assert (told["offset"], told["outcome"]) == (0, "dead")


def test_a_fold_again_writes_what_stands_and_takes_away_what_should_not() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    flushed(processor, store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US))])
    good = store.contents("watermark")
    [day] = store.tables[tables.STUDENT_DAYS].values()
    spoiled = {**day, "statements": 9}
    nowhere = {**day, "day": day["day"] + 5}
    rows = [tuple(row[name] for name in tables.STUDENT_DAYS.names) for row in (spoiled, nowhere)]
    store.write(tables.STUDENT_DAYS, rows)
    [skill] = store.tables[tables.SKILL_STATES].values()
    unknown = tuple({**skill, "skill_id": "nothing"}[name] for name in tables.SKILL_STATES.names)
    store.write(tables.SKILL_STATES, [unknown])
    again = msgspec.structs.replace(make_item(ONE, STUDENT, FIRST_DAY_US), flags=FOLD_AGAIN, statement=b"")
    flushed(processor, store, [record(4, again)])
    assert store.contents("watermark") == good


def test_a_malformed_directive_is_a_dead_letter_and_blocks_nothing() -> None:
    good = make_item(TWO, STUDENT, FIRST_DAY_US)
    bad = [
        msgspec.structs.replace(good, flags=REMOVAL, statement=b"{"),
        msgspec.structs.replace(good, flags=REMOVAL, statement=b'{"reason":"voided"}'),
        msgspec.structs.replace(good, flags=REMOVAL | FOLD_AGAIN),
        msgspec.structs.replace(good, flags=FOLD_AGAIN, student_id="nobody"),
        a_removal(good, "for fun"),
        msgspec.structs.replace(a_removal(good, "voided"), timestamp=2**62),
    ]
    batch = the_processor(MemoryStore()).process([record(0, *bad, good)])
    assert [letter.reason for letter in batch.dead] == [
        "directive_invalid", "directive_invalid", "directive_invalid", "id_invalid", "directive_invalid",
        "directive_invalid",
    ]  # fmt: skip
    assert not outcomes(batch)
    assert not batch.rows[tables.REMOVALS]
    assert len(batch.rows[tables.STATEMENTS]) == batch.statements == 1


def test_a_revoked_partition_is_forgotten() -> None:
    store = MemoryStore()
    processor = the_processor(store)
    flushed(processor, store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US))])
    processor.drop([0])
    assert len(processor.students) == 0
    flushed(processor, store, [record(0, make_item(ONE, STUDENT, FIRST_DAY_US))])
    [state] = store.tables[tables.STUDENT_STATES].values()
    assert state["attempts"] == 1


def test_a_record_that_breaks_the_program_can_be_put_aside() -> None:
    batch = the_processor(MemoryStore()).put_aside(record(3), Fault("processing_failed", "KeyError: 'x'"))
    assert [(letter.reason, letter.offset) for letter in batch.dead] == [("processing_failed", 3)]
    assert batch.parts[0].last_offset == 3
