"""A worker that lost a partition while it wrote: what it still writes changes nothing for good."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from schemas.events import REMOVAL, Item, Removal
from tests.fixtures.envelopes import FIRST_DAY_US, make_item
from tests.fixtures.memory_store import MemoryStore
from tests.unit.test_streams_processor import ONE, STUDENT, TWO, record, the_processor


def voided(item: Item, offset: int) -> Item:
    told = msgspec.json.encode(Removal("voided", "cause", item.stored, False, 0, offset, 0))
    return msgspec.structs.replace(item, flags=REMOVAL, statement=told)


STAYS = make_item(TWO, STUDENT, FIRST_DAY_US + 1, skills=("B",), success=False)
GOES = make_item(ONE, STUDENT, FIRST_DAY_US, skills=("A",))
LOG = [record(0, STAYS), record(1, GOES), record(2, voided(GOES, 1))]


@pytest.mark.parametrize("stayed", [True, False], ids=["one attempt stays", "none stays"])
@pytest.mark.parametrize("cut", [1, 2])
def test_rows_of_an_attempt_that_the_new_owner_got_together_with_its_voiding(stayed: bool, cut: int) -> None:
    log = LOG if stayed else LOG[1:]
    wanted = MemoryStore()
    wanted.flush(the_processor(wanted).process(log))
    store = MemoryStore()
    former, present = the_processor(store), the_processor(store)
    in_hand = [former.process([one]) for one in itertools.islice(log, cut)]
    store.flush(present.process(log))
    for batch in in_hand:
        store.flush(batch)
    assert store.contents() == wanted.contents()
