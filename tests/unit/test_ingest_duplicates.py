"""Ids that are taken: who gets one, what processes tell each other, and what a killed one leaves behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.duplicates import local
from ingest.duplicates.conflicts import conflict
from ingest.duplicates.local import LocalReservations
from ingest.duplicates.taking import ReservationsAwayError, Taking, decide

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
NOTHING: dict[bytes, int] = {}


class Folder:
    """Reservations of several processes over one directory, with a clock and a store of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1_000_000_000
        self.readable = 0
        self.opened: list[LocalReservations] = []

    def open(self, most: int = 1000) -> LocalReservations:
        made = LocalReservations(self.path, 600.0, lambda: self.now, lambda: self.readable, most)
        self.opened.append(made)
        return made

    def files(self) -> list[str]:
        return sorted(one.name for one in self.path.iterdir() if one.name != "ids.lock")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "ids")
    yield made
    for one in made.opened:
        one.close()


def test_an_id_is_of_who_comes_first_and_a_request_is_taken_whole_or_not_at_all() -> None:
    conflicts, taken = decide([[(A, 1), (B, 1)], [(C, 3), (B, 2)], [(C, 4)], [(A, 1)]], NOTHING)
    assert conflicts == [[], [1], [], []]
    assert taken == {A: 1, B: 1, C: 4}


def test_one_id_twice_in_a_request_is_a_conflict_where_the_contents_differ() -> None:
    assert decide([[(A, 1), (A, 2)], [(B, 1), (B, 1)]], NOTHING) == ([[1], []], {B: 1})


requests_ = st.lists(st.lists(st.tuples(st.sampled_from([A, B, C, b"d" * 16]), st.integers(1, 3)), max_size=4))


@given(requests_, st.dictionaries(st.sampled_from([A, B]), st.integers(1, 3)))
def test_one_look_up_for_many_decides_as_one_request_after_the_other(
    requests: list[list[Taking]], held: dict[bytes, int]
) -> None:
    together, taken = decide(requests, held)
    after = dict(held)
    for request, wrong in zip(requests, together, strict=True):
        alone, own = decide([request], after)
        assert alone == [wrong]
        after.update(own)
    assert after == held | taken


async def test_processes_see_at_once_what_the_others_took(folder: Folder) -> None:
    one, other = folder.open(), folder.open()
    assert await one.take([[(A, 1)]]) == [[]]
    assert await other.take([[(A, 2)], [(A, 1)], [(B, -5)]]) == [[0], [], []]
    assert await one.take([[(B, -5)], [(B, 5), (A, 1)]]) == [[], [0]]
    late = folder.open()
    assert await late.take([[(A, 3)], [(B, 3)]]) == [[0], [0]]


async def test_what_a_killed_process_wrote_half_is_cut_off(folder: Folder) -> None:
    one = folder.open()
    await one.take([[(A, 1)]])
    with (folder.path / folder.files()[0]).open("ab") as torn:
        torn.write(b"bbbbbbbbbb")
    assert await one.take([[(B, 2), (A, 1)]]) == [[]]
    assert await folder.open().take([[(A, 2)], [(B, 1)], [(C, 1)]]) == [[0], [0], []]


async def test_what_cannot_be_written_is_nobodys(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    one = folder.open()
    await one.take([[(A, 1)]])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda _file, _data: 0)
        with pytest.raises(ReservationsAwayError):
            await one.take([[(B, 1)]])
    assert await one.take([[(B, 2)], [(A, 2)]]) == [[], [0]]


async def test_a_lock_that_is_not_given_back_holds_nobody_up_for_long(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_TRIES", 3)
    one = folder.open()
    stopped = os.open(folder.path / "ids.lock", os.O_RDWR)
    fcntl.flock(stopped, fcntl.LOCK_EX)
    with pytest.raises(ReservationsAwayError):
        await one.take([[(A, 1)]])
    os.close(stopped)
    assert await one.take([[(A, 1)]]) == [[]]


async def test_the_older_file_goes_when_time_has_passed_and_the_store_knows_its_ids(folder: Folder) -> None:
    one, other = folder.open(), folder.open()
    await one.take([[(A, 1)]])
    folder.now += 601_000_000
    one.look_after()
    await one.take([[(B, 1)]])
    assert folder.files() == ["ids.0", "ids.1"]
    folder.now += 601_000_000
    one.look_after()
    assert folder.files() == ["ids.0", "ids.1"], "the store is behind"
    assert await other.take([[(A, 2)], [(B, 2)]]) == [[0], [0]]
    folder.readable = folder.now
    one.look_after()
    assert folder.files() == ["ids.1", "ids.2"]
    for process in (one, other, folder.open()):
        assert await process.take([[(B, 2)]]) == [[0]]
    assert await other.take([[(A, 2)]]) == [[]]


async def test_an_id_that_is_sent_again_is_remembered_from_then_on(folder: Folder) -> None:
    one = folder.open()
    await one.take([[(A, 1)]])
    for _ in range(4):
        folder.now += 601_000_000
        folder.readable = folder.now
        one.look_after()
        assert await one.take([[(A, 1)]]) == [[]]
    assert await folder.open().take([[(A, 2)]]) == [[0]]


async def test_a_file_is_bounded_also_when_the_store_is_away(folder: Folder) -> None:
    one, other = folder.open(most=10), folder.open(most=10)
    for number in range(55):
        await (one if number % 2 else other).take([[(number.to_bytes(16, "big"), 1)]])
        one.look_after()
    assert len(folder.files()) == 2
    assert await folder.open().take([[((54).to_bytes(16, "big"), 2)], [((0).to_bytes(16, "big"), 2)]]) == [[0], []]


def test_a_conflict_names_each_item_and_does_not_ask_to_be_repeated() -> None:
    error = conflict(["one", "two", "three"], [0, 2], single=False)
    assert error.status == 409
    assert [fault.path for fault in error.faults] == ["$[0].id", "$[2].id"]
    assert error.statements == 3
    assert not error.headers
    assert "will not help" in error.message
    assert [fault.path for fault in conflict(["one"], [0], single=True).faults] == ["$.id"]
