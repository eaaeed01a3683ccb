"""Too much poison stops a partition, in the core alone: other partitions go on and nothing is lost of it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import limits
from streams.limits import Entry, Gate, HeldTooMuchError, Known, Limit, Stop, Window
from streams.processor import Batch, Record
from streams.rows import tables

LIMIT = Limit(share=0.2, window=1_000, least=100)


def entry(offset: int, statements: int, poison: int = 0) -> Entry:
    return Entry(offset, statements, {"undecodable": poison} if poison else {})


def batch(partition: int, offset: int, statements: int, *outcomes: tuple[str, str, int]) -> Batch:
    made = Batch()
    made.parts[partition].last_offset = offset
    made.parts[partition].statements = statements
    for idx, (outcome, reason, count) in enumerate(outcomes):
        made.rows[tables.OUTCOMES].append((1, partition, offset, idx, "a", "", 0, count, outcome, reason, "", 0))
    return made


def the_gate(accepted_until: int = -1) -> Gate:
    return Gate(LIMIT, lambda partition: Known(accepted_until))


def test_a_fifth_of_the_last_thousand_is_not_too_much_and_one_more_is() -> None:
    window = Window(LIMIT)
    assert not window.add(entry(0, 800))
    assert not window.add(entry(1, 200, 200))
    assert window.add(entry(2, 1, 1))
    assert not window.add(entry(2, 1_000))


def test_a_few_are_never_too_much_though_they_be_all() -> None:
    window = Window(LIMIT)
    assert not window.add(entry(0, 99, 99))
    assert window.add(entry(1, 1, 1))


def test_what_is_too_much_stays_too_much_however_often_it_is_judged() -> None:
    window = Window(LIMIT)
    assert not window.add(entry(0, 90, 90))
    for _ in range(3):
        assert window.add(entry(1, 50, 50))


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=60), st.data())
def test_a_batch_that_is_judged_again_replaces_itself(sizes: list[tuple[int, float]], data: st.DataObject) -> None:
    entries = [entry(n, size, round(size * share)) for n, (size, share) in enumerate(sizes)]
    once, again = Window(LIMIT), Window(LIMIT)
    for one in entries:
        judged = once.add(one)
        for _ in range(data.draw(st.integers(1, 2))):
            assert again.add(one) == judged
        assert (again.statements, +again.poison) == (once.statements, +once.poison)
        assert once.statements >= 0


def test_after_a_stop_the_share_alone_decides_until_a_window_is_mended() -> None:
    window = Window(LIMIT, stopped_before=True)
    assert window.add(entry(0, 10, 3))
    assert not window.add(entry(0, 1_000, 2))
    assert not window.add(entry(1, 10, 10))


def test_a_stopped_partition_holds_back_what_comes_and_others_go_on() -> None:
    gate = the_gate()
    records = [Record(0, 5, b"x"), Record(1, 9, b"y"), Record(0, 6, b"z")]
    assert gate.let_through(records) == records
    assert gate.judge(batch(0, 6, 200, ("dead", "undecodable", 150)))
    assert gate.stopped == {0: Stop("150 of the last 200 statements cannot be processed (undecodable 150)", 5)}
    assert gate.let_through(records) == [records[1]]
    assert gate.let_through([records[0], Record(0, 7, b"")]) == []
    assert [record.offset for record in gate.release(0, 7)] == [5, 6, 7]
    assert gate.stopped == {}


def test_what_was_accepted_is_put_aside_and_what_comes_behind_it_is_judged() -> None:
    gate = the_gate(accepted_until=6)
    gate.let_through([Record(0, 5, b"x")])
    assert not gate.judge(batch(0, 6, 200, ("dead", "undecodable", 150)))
    both = batch(0, 7, 200, ("dead", "undecodable", 120))
    both.rows[tables.OUTCOMES] += batch(0, 6, 200, ("dead", "undecodable", 150)).rows[tables.OUTCOMES]
    gate.let_through([Record(0, 6, b"x"), Record(0, 7, b"x")])
    assert gate.judge(both)
    assert gate.stopped[0].why.startswith("120 of")


def test_conflicts_and_duplicates_stop_nobody() -> None:
    gate = the_gate()
    gate.let_through([Record(0, 5, b"x")])
    assert not gate.judge(batch(0, 5, 400, ("dead", "conflict", 200), ("duplicate", "duplicate", 200)))


def test_records_whose_count_cannot_be_read_count_too() -> None:
    gate = the_gate()
    gate.let_through([Record(0, 1, b"x")])
    assert gate.judge(batch(0, 1, 0, *[("dead", "undecodable", 0)] * 100))


def test_the_store_is_asked_once_and_only_about_poison() -> None:
    asked: list[int] = []
    gate = Gate(LIMIT, lambda partition: asked.append(partition) or Known(stopped_before=True))  # type: ignore[func-returns-value]
    for offset, poison in enumerate((0, 1, 2)):
        gate.let_through([Record(3, offset, b"")])
        assert not gate.judge(batch(3, offset, 100, *[("dead", "statement_invalid", 1)] * poison))
    assert asked == [3]


def test_a_partition_that_was_revoked_is_judged_anew() -> None:
    gate = the_gate()
    gate.let_through([Record(0, 5, b"x")])
    assert gate.judge(batch(0, 5, 200, ("dead", "undecodable", 150)))
    gate.let_through([Record(0, 5, b"x")])
    gate.drop([0])
    assert gate.stopped == {}
    assert gate.release(0, -1) == []


def test_what_is_held_back_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_HELD_BYTES", 100)
    gate = the_gate()
    gate.let_through([Record(0, 0, b"x")])
    assert gate.judge(batch(0, 0, 200, ("dead", "undecodable", 150)))
    gate.let_through([Record(0, 0, b"x" * 100)])
    with pytest.raises(HeldTooMuchError):
        gate.let_through([Record(0, 1, b"x")])


def test_the_words_name_the_reasons() -> None:
    window = Window(LIMIT)
    poison = Counter({"undecodable": 90, "statement_invalid": 30})
    assert window.words(Entry(0, 1_200, poison)).endswith("1,200 statements cannot be processed"
                                                         " (undecodable 90, statement_invalid 30)")  # fmt: skip
