"""Documents are written by compare-and-set: of several processes at once none overwrites what it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.runtime.registry import migrate, open_registry
from ingest.credentials import add_provider
from ingest.documents.conditions import conditions
from ingest.documents.store import ConflictError, DocumentStore, Owner, Place, PreconditionError, etag_of

OWNER = Owner("state", "p1", False, "https://example.org/a", "identity")
PLACE = Place(OWNER, "progress")
ANYTHING = conditions("", "")
NEW_ONLY = conditions("", "*")
JSON = "application/json"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[DocumentStore]]:
    """Three stores with connections of their own, as of three processes, on one registry."""
    url = (
        f"sqlite:///{tmp_path / 'registry.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    engines = [open_registry(url) for _ in range(3)]
    migrate(engines[0])
    with engines[0].begin() as transaction:
        for provider in ("p1", "p2"):
            add_provider(transaction, provider, provider, 1)
    ticks = iter(range(1, 1_000_000))
    yield [DocumentStore(engine, lambda: next(ticks)) for engine in engines]
    for engine in engines:
        engine.dispose()


def at_once(calls: list[Callable[[], None]]) -> list[Any]:
    """Run all at the same time; the exception of each, or None."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [done.exception() for done in [threads.submit(call) for call in calls]]


def put(store: DocumentStore, content: bytes, asked: Any = ANYTHING, *, overwrite: bool = False) -> None:
    store.put(PLACE, "text/plain", content, asked, overwrite=overwrite)


def test_of_writers_who_all_saw_the_same_document_one_wins(stores: list[DocumentStore]) -> None:
    put(stores[0], b"start")
    seen = conditions(f'"{etag_of(b"start")}"', "")
    ended = at_once([lambda n=n, s=s: put(s, b"%d" % n, seen) for n in range(4) for s in stores])  # type: ignore[misc]
    assert ended.count(None) == 1
    assert sum(isinstance(one, PreconditionError) for one in ended) == 11
    assert stores[0].get(PLACE).content == b"%d" % (ended.index(None) // 3)


def test_of_writers_who_all_ask_for_an_empty_place_one_wins(stores: list[DocumentStore]) -> None:
    ended = at_once([lambda n=n, s=s: put(s, b"%d" % n, NEW_ONLY) for n in range(4) for s in stores])  # type: ignore[misc]
    assert ended.count(None) == 1
    assert sum(isinstance(one, PreconditionError) for one in ended) == 11


def test_merges_at_once_lose_nothing(stores: list[DocumentStore]) -> None:
    names = [f"p{n}" for n in range(24)]
    ended = at_once(
        [
            lambda name=name, s=stores[n % 3]: s.post(PLACE, JSON, b'{"%s": 1}' % name.encode(), ANYTHING)  # type: ignore[misc]
            for n, name in enumerate(names)
        ]
    )
    assert ended == [None] * 24
    assert json.loads(stores[0].get(PLACE).content) == dict.fromkeys(names, 1)


def test_an_overwriting_put_ends_whatever_others_do(stores: list[DocumentStore]) -> None:
    calls: list[Callable[[], None]] = [
        lambda n=n, s=s: put(s, b"%d" % n, overwrite=True)  # type: ignore[misc]
        for n in range(4)
        for s in stores
    ]
    calls += [lambda: stores[1].delete(PLACE, ANYTHING) for _ in range(4)]
    assert at_once(calls) == [None] * 16


def test_a_put_without_condition_onto_a_document_is_a_conflict(stores: list[DocumentStore]) -> None:
    put(stores[0], b"first")
    with pytest.raises(ConflictError):
        put(stores[0], b"second")
    assert stores[0].get(PLACE).content == b"first"


def test_a_tag_that_names_another_document_changes_nothing(stores: list[DocumentStore]) -> None:
    put(stores[0], b"{}")
    asked = conditions('"0000"', "")
    for call in (
        lambda: put(stores[0], b"new", asked),
        lambda: stores[0].post(PLACE, JSON, b"{}", asked),
        lambda: stores[0].delete(PLACE, asked),
    ):
        with pytest.raises(PreconditionError):
            call()
    assert stores[0].get(PLACE).content == b"{}"


def test_a_tag_that_names_the_document_lets_it_be_replaced(stores: list[DocumentStore]) -> None:
    for number, if_match in enumerate(("*", '"{etag}"', '"abc", "{etag}"')):
        put(stores[0], b"old", overwrite=True)
        put(stores[0], b"%d" % number, conditions(if_match.format(etag=etag_of(b"old")), ""))
        assert stores[0].get(PLACE).content == b"%d" % number


def test_a_condition_on_a_document_that_is_not_there_does_not_hold(stores: list[DocumentStore]) -> None:
    for call in (
        lambda: put(stores[0], b"x", conditions("*", "")),
        lambda: stores[0].post(PLACE, JSON, b"{}", conditions("*", "")),
        lambda: stores[0].delete(PLACE, conditions('"1"', "")),
    ):
        with pytest.raises(PreconditionError):
            call()
    stores[0].delete(PLACE, ANYTHING)
    assert stores[0].get(PLACE) is None


def test_a_merge_keeps_values_as_they_were_sent(stores: list[DocumentStore]) -> None:
    stores[0].post(PLACE, JSON, b'{"a": {"x": 1, "y": 2}, "b": 1.10, "c": 12345678901234567890.5}', ANYTHING)
    stores[0].post(PLACE, "application/json; charset=utf-8", b'{"a": {"z": 3}, "d": null}', ANYTHING)
    kept = stores[0].get(PLACE).content
    assert json.loads(kept) == {"a": {"z": 3}, "b": 1.1, "c": 12345678901234567890.5, "d": None}
    assert b"1.10" in kept
    assert b"12345678901234567890.5" in kept


def test_documents_are_told_apart_by_all_that_names_them(stores: list[DocumentStore]) -> None:
    places = [
        Place(Owner(kind, provider, sandbox, activity, identity), name, registration)
        for kind in ("state", "agent_profile")
        for provider in ("p1", "p2")
        for sandbox in (False, True)
        for activity in ("https://example.org/a", "https://example.org/b")
        for identity in ("i1", "i2")
        for name in ("n1", "n2")
        for registration in ("", "r1")
    ]
    for number, place in enumerate(places):
        stores[number % 3].put(place, "text/plain", b"%d" % number, NEW_ONLY, overwrite=False)
    assert [stores[0].get(place).content for place in places] == [b"%d" % number for number in range(len(places))]


def test_names_are_those_written_since_and_of_the_registration(stores: list[DocumentStore]) -> None:
    for name, registration in (("a", ""), ("b", "r1"), ("c", "r2"), ("b", "r2")):
        stores[0].put(Place(OWNER, name, registration), "text/plain", b"x", ANYTHING, overwrite=True)
    since = stores[0].get(Place(OWNER, "b", "r1")).updated_at
    assert [name for name, _ in stores[0].names(OWNER, "", None)] == ["a", "b", "c"]
    assert [name for name, _ in stores[0].names(OWNER, "r2", None)] == ["c", "b"]
    assert {name for name, _ in stores[0].names(OWNER, "", since)} == {"b", "c"}
    stores[0].delete_all(OWNER, "r2")
    assert [name for name, _ in stores[0].names(OWNER, "", None)] == ["a", "b"]
    stores[0].delete_all(OWNER, "")
    assert stores[0].names(OWNER, "", None) == []
