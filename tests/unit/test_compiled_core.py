"""A core with the extension makes of a log what a core without it makes: rows, verdicts, and what is remembered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import CREDIT, FOLD_AGAIN, ID_GENERATED, TIMESTAMP_GENERATED, Envelope, Item
from streams import dedupe
from streams.dedupe import First, Key, Memories, Remembered, Seen
from streams.learner.calibration import Calibration
from streams.processor import Processor, ProcessorOptions, Record
from streams.rows import arrival as arrivals
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_items
from tests.fixtures.memory_store import MemoryStore

ITEMS = list(make_items(3, 40, Mix(students=4, skills=3, items=5, attempts=0.5, filler=0)))
KINDS: dict[str, dict[str, Any]] = {
    "as it came": {},
    "without an id": {"flags": ID_GENERATED},
    "without a timestamp": {"flags": TIMESTAMP_GENERATED},
    "a credit": {"flags": CREDIT},
    "fold again": {"flags": FOLD_AGAIN, "statement": b"{}"},
    "of other content": {"digest": 7},
    "long ago": {"timestamp": FIRST_DAY_US - 40 * 86_400_000_000},
    "no JSON": {"statement": b"{"},
}
items = st.builds(
    lambda item, kind: msgspec.structs.replace(item, **KINDS[kind]),
    st.sampled_from(ITEMS),
    st.one_of(st.just("as it came"), st.sampled_from(list(KINDS))),
)
logs = st.lists(st.tuples(st.sampled_from([0, 1, 300]), st.lists(items, max_size=6)), max_size=8)


def processed(log: list[tuple[int, list[Item]]], cut: int) -> list[object]:
    """Batches of a log, written as they come, and what is remembered in the end."""
    options = ProcessorOptions(
        topic="statements", generation=1, timezone="UTC", cached_students=2, remembered_statements=5,
        calibration=Calibration(), clock=lambda: FIRST_DAY_US,
    )  # fmt: skip
    store = MemoryStore()
    processor = Processor(
        lambda value: Envelope("i", FIRST_DAY_US, msgspec.msgpack.decode(value, type=list[Item])), store, options
    )
    ends: dict[int, int] = {}
    records = []
    for partition, some in log:
        offset = ends[partition] = ends.get(partition, 6) + 1
        records.append(Record(partition, offset, msgspec.msgpack.encode(some)))
    told: list[object] = []
    for start in range(0, len(records), cut):
        batch = processor.process(records[start : start + cut])
        for columns, rows in batch.rows.items():
            store.write(columns, rows)
        told.append((batch.rows, batch.dead, dict(batch.parts), batch.students, batch.duplicates, batch.refolds))
    memories = processor._memories.of
    keys = sorted({(item.statement_id, item.student_id) for _, some in log for item in some})
    told.append({p: (m.latest, m.highest_stored, m.complete_from) for p, m in memories.items()})
    told.append(
        {p: [len(m.young), len(m.old), *map(m.young.get, keys), *map(m.old.get, keys)] for p, m in memories.items()}
    )
    return told


@settings(max_examples=200, deadline=None)
@given(logs, st.integers(1, 8))
def test_a_log_becomes_the_same_batches_with_and_without_the_extension(
    log: list[tuple[int, list[Item]]], cut: int
) -> None:
    assert arrivals.extension is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "extension", None)
        patch.setattr(dedupe, "extension", None)
        in_python = processed(log, cut)
    assert processed(log, cut) == in_python


def test_only_what_is_new_beyond_doubt_is_remembered_unjudged() -> None:
    memories = Memories(100, 1)
    memories.meet({0: First(0, FIRST_DAY_US)}, lambda older: {})
    first, second, generated = ITEMS[0], ITEMS[1], msgspec.structs.replace(ITEMS[0], flags=ID_GENERATED)
    log = [arrivals.read(0, 5, n, item) for n, item in enumerate((first, second, first, generated, first))]
    assert list(dedupe.remember_new(log, memories.of)) == [2, 4]
    assert list(dedupe.remember_new([arrivals.read(0, 5, 0, first)], memories.of)) == [0]
    assert list(dedupe.remember_new([arrivals.read(9, 5, 0, first)], memories.of)) == [0]
    assert memories.of[0].highest_stored == second.stored
    assert len(memories.of[0]) == 2


def test_statements_later_than_all_that_is_stored_of_a_student_are_new_beyond_doubt() -> None:
    memories = Memories(100, 1)
    memories.meet({0: First(5, FIRST_DAY_US)}, lambda older: {})
    log = [arrivals.read(0, 5, n, item) for n, item in enumerate((ITEMS[0], ITEMS[1], ITEMS[0]))]
    assert list(dedupe.remember_new(log, memories.of)) == [0, 1, 2]
    others = [n for n, item in enumerate(ITEMS[:2]) if item.student_id != ITEMS[0].student_id]
    memories.of[0].meet(ITEMS[0].student_id, ITEMS[0].timestamp)
    assert 0 in dedupe.remember_new(log, memories.of)
    memories.of[0].meet(ITEMS[0].student_id, ITEMS[0].timestamp - 1)
    assert list(dedupe.remember_new(log[:1], memories.of)) == []
    assert list(dedupe.remember_new(log[1:], memories.of)) == [n - 1 for n in [*others, 2]]


def test_rows_of_what_is_no_arrival_are_left_to_the_python() -> None:
    some = [arrivals.read(0, 5, 0, ITEMS[0])]
    assert arrivals.extension.rows(some, 1)[0] == [arrivals.statement_row(some[0], 1)]
    assert arrivals.extension.rows([*some, ITEMS[0]], 1) is None
    assert arrivals.extension.read_all(0, 5, [ITEMS[0], None]) is None


uuids = st.one_of(
    st.uuids().map(str),
    st.builds(lambda high, low: str(UUID(int=high << 64 | low)), st.integers(0, 3), st.integers(0, 3)),
)
places = st.builds(Seen, st.integers(-1, 2**63 - 1), st.integers(0, 2**31 - 1), st.integers(-(2**63), 2**63 - 1))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.tuples(uuids, uuids), places), max_size=200), st.lists(st.tuples(uuids, uuids), max_size=5)
)
def test_what_is_remembered_is_what_a_dict_would_hold(puts: list[tuple[Key, Seen]], asked: list[Key]) -> None:
    compiled, reference = arrivals.extension.Remembered(Seen), Remembered(Seen)
    for key, seen in puts:
        assert compiled.get(key) == reference.get(key)
        compiled.put(key, seen)
        reference.put(key, seen)
        assert len(compiled) == len(reference)
    for key in [key for key, _ in puts] + asked:
        assert compiled.get(key) == reference.get(key)


def test_many_statements_are_remembered_each_at_its_place() -> None:
    compiled = arrivals.extension.Remembered(Seen)
    keys = [(str(UUID(int=number)), str(UUID(int=number % 7))) for number in range(20_000)]
    for number, key in enumerate(keys):
        compiled.put(key, Seen(number, 1, -number))
    assert len(compiled) == len(keys)
    assert [compiled.get(key) for key in keys] == [Seen(number, 1, -number) for number in range(len(keys))]
    assert compiled.get((keys[0][0], keys[1][1])) is None


@pytest.mark.parametrize("key", [("s1", "s2"), (ITEMS[0].statement_id, "x" * 36), (ITEMS[0].statement_id,), "text"])
def test_what_is_no_uuid_is_not_remembered(key: Any) -> None:
    compiled = arrivals.extension.Remembered(Seen)
    assert compiled.get(key) is None
    with pytest.raises(ValueError, match="both ids are UUIDs"):
        compiled.put(key, Seen(0, 0, 0))
    assert len(compiled) == 0
