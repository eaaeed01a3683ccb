"""Rows computed again from the statements in the real engine: equal to the live ones, or the difference is named."""

from __future__ import annotations

import random

import pytest

from schemas import verbs
from schemas.events import CREDIT
from streams.rebuild import scope
from streams.rows import tables
from tests.fixtures.envelopes import FIRST_DAY_US, Mix, make_item, make_items, seeded_uuid
from tests.fixtures.rebuilding import STATES, Filled, Interrupted

pytestmark = pytest.mark.clickhouse

MIX = Mix(students=30, skills=6, items=20, attempts=0.6, filler=20)


def school_year(seed: int, count: int = 600) -> list:
    """Statements late and out of order, some of them of groups."""
    items = list(make_items(count, seed, MIX))
    rng = random.Random(seed)
    rng.shuffle(items)
    members = [
        make_item(
            item.statement_id, seeded_uuid(rng), item.timestamp, flags=CREDIT, verb=item.verb,
            skills=tuple(item.skills), success=None if item.verb != verbs.ANSWERED else True,
        )
        for item in items[:40]
    ]  # fmt: skip
    pairs = zip(items, members, strict=False)
    return [*[one for item, member in pairs for one in (item, same_content(item, member))], *items[40:]]


def same_content(item, member):
    import msgspec

    return msgspec.structs.replace(member, digest=item.digest, statement=item.statement, stored=item.stored)


def test_a_rebuild_of_all_equals_what_is_live(filled: Filled) -> None:
    items = school_year(1)
    for start in range(0, len(items), 100):
        filled.fill(items[start : start + 100])
    before = filled.states()
    assert filled.rebuild() == []
    assert filled.states() == before
    assert filled.folded_again == []
    assert filled.client.query("SHOW TABLES LIKE '%rebuilt'").result_rows == []
