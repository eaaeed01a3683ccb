"""The ledger counts what the door put into the log, once, whatever is delivered again and whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest

from streams.ledger import Entry, Ledger, Replay, told_counts
from streams.processor import Record
from streams.rows import tables
from tests.fixtures.envelopes import FIRST_DAY_US, make_item
from tests.fixtures.memory_store import MemoryStore
from tests.unit.test_streams_processor import STUDENT, the_processor

ONE = "11111111-1111-4111-8111-111111111111"
MINUTE = FIRST_DAY_US // 60_000_000


def held(store: MemoryStore) -> dict[str, int]:
    return {row["provider_id"]: row["statements"] for row in store.tables[tables.LEDGER].values()}


def told(offset: int, counts: Mapping[str, int], value: bytes = b"broken", at: int = FIRST_DAY_US) -> Record:
    return Record(0, offset, value, (("counts", json.dumps(dict(counts)).encode()),), at)


def test_records_are_added_up_by_provider_and_minute() -> None:
    store = MemoryStore()
    records = [told(0, {"a": 3, "b": 1}), told(1, {"a": 2}), told(2, {"a": 5}, at=FIRST_DAY_US + 60_000_000)]
    store.flush(the_processor(store).process(records))
    found = {
        (r["provider_id"], r["minute"] // 60 - MINUTE): r["statements"] for r in store.tables[tables.LEDGER].values()
    }
    assert found == {("a", 0): 5, ("b", 0): 1, ("a", 1): 5}


@pytest.mark.parametrize("written", [True, False], ids=["after the ledger was written", "before anything was written"])
def test_a_redelivery_after_a_crash_counts_once(written: bool) -> None:
    store, records = MemoryStore(), [told(0, {"a": 3}), told(1, {"a": 2})]
    crashed = the_processor(store).process(records)
    if written:
        store.flush(crashed, only=[tables.LEDGER])
    again = the_processor(store)
    for batch in ([records[0]], [records[1], told(2, {"a": 1})]):
        store.flush(again.process(batch))
    assert held(store) == {"a": 6}


def test_the_count_is_the_doors_and_not_what_was_decoded() -> None:
    store = MemoryStore()
    item = make_item(ONE, STUDENT, FIRST_DAY_US)
    store.flush(the_processor(store).process([told(0, {item.provider_id: 7}, msgspec.msgpack.encode([item]))]))
    assert held(store) == {item.provider_id: 7}
    assert len(store.tables[tables.STATEMENTS]) == 1


def test_a_record_without_the_doors_count_is_counted_by_its_items() -> None:
    store = MemoryStore()
    item = make_item(ONE, STUDENT, FIRST_DAY_US)
    store.flush(the_processor(store).process([Record(0, 0, msgspec.msgpack.encode([item]))]))
    assert held(store) == {item.provider_id: 1}


def test_partitions_that_were_revoked_are_read_again_from_the_store() -> None:
    store, ledger = MemoryStore(), Ledger(1)
    store.write(tables.LEDGER, ledger.rows([Entry((0, MINUTE, "a"), 0, 3)], store))
    store.write(tables.LEDGER, Ledger(1).rows([Entry((0, MINUTE, "a"), 1, 4)], store))  # another worker's
    ledger.drop([0])
    store.write(tables.LEDGER, ledger.rows([Entry((0, MINUTE, "a"), 2, 5)], store))
    assert held(store) == {"a": 12}


@pytest.mark.parametrize("header", [b"{", b"[1]", b'{"a":"x"}'])
def test_a_header_that_cannot_be_read_tells_nothing(header: bytes) -> None:
    assert told_counts((("counts", header),)) is None


def test_what_is_said_to_be_nothing_new_is_not_counted() -> None:
    store = MemoryStore()
    item = make_item(ONE, STUDENT, FIRST_DAY_US)
    store.flush(the_processor(store).process([told(0, {}, msgspec.msgpack.encode([item]))]))
    assert held(store) == {}
    assert len(store.tables[tables.STATEMENTS]) == 1


def test_a_replayed_record_that_is_put_aside_again_counts_as_dead_where_it_counted_first() -> None:
    store = MemoryStore()
    stored = FIRST_DAY_US - 86_400_000_000
    replay = msgspec.json.encode(Replay(1, 0, 3, -1, stored, {"a": 4}))
    record = Record(0, 9, b"broken", (("counts", b"{}"), ("replay", replay)), FIRST_DAY_US)
    store.flush(the_processor(store).process([record]))
    assert held(store) == {}
    [row] = store.tables[tables.OUTCOMES].values()
    assert (row["outcome"], row["provider_id"], row["statements"], row["stored"]) == ("dead", "a", 4, stored)
