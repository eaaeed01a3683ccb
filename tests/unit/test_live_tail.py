"""Parts of the live tail: places in the log, what a listener wants, and what happens to one that reads too slowly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.tail.choosing import Asked, choose
from ingest.tail.listener import Listener, event
from ingest.tail.places import Place, event_id, from_event_id
from ingest.xapi.agents import put_back as swap_back
from ingest.xapi.matching import Wanted
from ingest.xapi.parse import DECODER
from schemas.events import Item

AGENTS: dict[str, dict[str, Any]] = {
    "i1.1": {"mbox": "mailto:one@x.example"},
    "i2.1": {"mbox": "mailto:two@x.example"},
    "g1.1": {"objectType": "Group", "member": [{"mbox": "mailto:one@x.example", "name": "One"}]},
}


def item(actor: str, provider: str = "p1", verb: str = "https://verbs.example/did") -> Item:
    statement = {"id": "0", "actor": actor, "verb": {"id": verb}, "object": {"id": "https://x.example/1"}}
    return Item("0", "s", provider, "did", [], 0, 0, 0, 0, json.dumps(statement).encode())


async def put_back(statements: list[bytes]) -> list[dict[str, Any]]:
    return [swap_back(DECODER.decode(one), AGENTS) for one in statements]


def test_an_id_says_where_each_partition_is() -> None:
    places = {1: Place(7, 0), 0: Place(123, 4)}
    assert event_id(2, places) == "2/0:123:4,1:7:0"
    assert from_event_id("2/0:123:4,1:7:0", 2) == places
    assert from_event_id("2/0:123:4,1:7:0", 3) is None, "the log began anew"


@pytest.mark.parametrize("text", ["", "1/", "0:1:2", "1/0:1", "1/0:1:2,", "1/0:-1:2", "x" * 10_000])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        from_event_id(text, 1)


async def test_each_listener_gets_what_it_asked_for_and_nothing_is_encoded_for_nobody() -> None:
    items = list(enumerate([item("i1.1"), item("i2.1", "p2"), item("g1.1"), item("i1.1", "p3")]))
    asked = [
        Asked("p1"),
        Asked("", agent=("mbox", "mailto:one@x.example")),
        Asked("p2", Wanted(verb="https://verbs.example/other")),
        Asked("p2"),
    ]
    chosen = await choose(items, asked, put_back)
    assert [(one.idx, one.takers) for one in chosen] == [(0, (0, 1)), (1, (3,)), (2, (0, 1)), (3, (1,))]
    assert json.loads(chosen[1].json)["actor"] == AGENTS["i2.1"]
    assert await choose(items, [], put_back) == []


async def test_a_slow_listener_costs_bounded_memory_and_is_told_what_it_missed() -> None:
    slow = Listener(Asked(), max_events=3)
    for number in range(10):
        slow.push(f"1/0:{number}:1", b"{}")
    told = await slow.take(1.0)
    kept = b"".join(event("statement", f"1/0:{number}:1", b"{}") for number in range(3))
    gap = event("gap", "1/0:9:1", b'{"dropped":7,"after":"1/0:2:1"}')
    assert told == kept + gap
    slow.push("1/0:10:1", b"{}")
    assert await slow.take(1.0) == event("statement", "1/0:10:1", b"{}")


async def test_large_statements_are_bounded_by_their_size() -> None:
    slow = Listener(Asked(), max_bytes=1_000)
    for number in range(10):
        slow.push(str(number), b"x" * 600)
    assert (await slow.take(1.0)).count(b"event: statement") == 2


async def test_nothing_to_tell_ends_the_wait_and_so_does_a_close() -> None:
    listener = Listener(Asked())
    assert await listener.take(0.01) == b""
    listener.close()
    assert await listener.take(60.0) == b""
    assert listener.closed
