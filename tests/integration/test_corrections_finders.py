"""What the finders read from the real ClickHouse engine, and how they go on after one another."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, insert

from infra.dev.front.process import Front
from infra.runtime import clickhouse, registry
from infra.runtime.metrics import StreamsMetrics
from infra.runtime.settings import ClickHouseSettings
from ingest.identity import moving
from schemas import verbs
from schemas.registry.tables import identities, students
from streams.corrections import links
from streams.corrections.copies import Copies
from streams.corrections.facts import Facts
from streams.corrections.items import Correction, Key, Name
from streams.corrections.links import Links
from streams.corrections.outbox import Lately
from streams.corrections.turns import DAY_US, SLICE_US, CopiesTurn, VoidsTurn
from streams.corrections.voids import Voids
from streams.rows import tables
from streams.sink import Sink
from tests.fixtures.envelopes import FIRST_DAY_US, seeded_uuid

pytestmark = pytest.mark.clickhouse

_RNG = random.Random(31)
NOW = FIRST_DAY_US + 60 * DAY_US
HOUR_US = SLICE_US
ADA, BEN, EVE = (seeded_uuid(_RNG) for _ in range(3))
IDENTITY = "i" * 22


def new_id() -> str:
    return seeded_uuid(_RNG)


class Stored:
    """A store of a test's own, into which rows are written as a worker would."""

    def __init__(self, front: Front, name: str) -> None:
        settings = ClickHouseSettings(host=front.host, port=front.port, database=name)
        clickhouse.migrate(settings)
        self.sink = Sink(lambda: clickhouse.open_clickhouse(settings), threading.Event())
        self.facts = Facts(self.sink.read, 1, 2)
        self._offset = 0

    def statement(
        self, student: str, statement_id: str, stored: int, *, verb: str = "answered", activity: str = "item",
        provider: str = "p", timestamp: int = FIRST_DAY_US, digest: int = 1, gone: bool = False,
    ) -> Key:  # fmt: skip
        self._offset += 1
        row = (
            student, timestamp, statement_id, stored, provider, verb, "iri", activity, f"{IDENTITY}.1",
            "00000000-0000-0000-0000-000000000000", ["a"], digest, 1, 0, self._offset, 0, b"{}",
        )  # fmt: skip
        assert not self.sink.insert(tables.STATEMENTS, [row])
        if gone:
            assert not self.sink.insert(tables.STATEMENT_REVISIONS, [(*row, self._offset + 100, 1)])
        return Key(student, timestamp, statement_id)

    def credit(self, key: Key, stored: int, *, digest: int = 1) -> None:
        self._offset += 1
        values = dict.fromkeys(tables.CREDITS.names, 0) | {
            "student_id": key.student_id, "timestamp": key.timestamp, "statement_id": key.statement_id,
            "stored": stored, "provider_id": "p", "verb": "answered", "activity": "item", "skills": [],
            "digest": digest, "generation": 1, "offset": self._offset,
        }  # fmt: skip
        assert not self.sink.insert(tables.CREDITS, [tuple(values.values())])

    def removal(self, key: Key, reason: str) -> None:
        assert not self.sink.insert(tables.REMOVALS, [(*key, reason, "cause", 0, 1, 0, 900, NOW)])

    def progress(self, partition: int, checked_at: int) -> None:
        assert not self.sink.insert(tables.SINK_PROGRESS, [(1, partition, 5, 5, 0, checked_at)])


@pytest.fixture
def store(clickhouse_front: Front, request: pytest.FixtureRequest) -> Iterator[Stored]:
    made = Stored(clickhouse_front, f"finders_{abs(hash(request.node.name))}")
    yield made
    made.sink.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = registry.open_registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    registry.migrate(made)
    yield made
    made.dispose()


def told(found: list[Correction]) -> list[tuple[str, str]]:
    return sorted((one.item.student_id, one.reason) for one in found)


def test_a_copy_is_found_within_the_horizon_alone_and_not_again_when_it_is_out(store: Stored) -> None:
    twice, redelivered = new_id(), new_id()
    store.statement(ADA, twice, NOW - 10 * DAY_US)
    later = store.statement(BEN, twice, NOW - HOUR_US, digest=2)
    for _ in range(2):
        store.statement(EVE, redelivered, NOW - HOUR_US)
    near, far = Copies(store.facts, 1, 5 * DAY_US), Copies(store.facts, 1, 35 * DAY_US)
    assert near.look(NOW - DAY_US, NOW, NOW, NOW) == []
    assert far.look(NOW - HOUR_US // 2, NOW, NOW, NOW) == []
    assert told(far.look(NOW - DAY_US, NOW, NOW, NOW)) == [(BEN, "conflict")]
    store.removal(later, "conflict")
    assert far.look(NOW - DAY_US, NOW, NOW, NOW) == []


def test_the_same_statement_with_another_timestamp_is_a_duplicate_of_the_first(store: Stored) -> None:
    twice = new_id()
    first = store.statement(ADA, twice, NOW - 10 * DAY_US)
    later = store.statement(ADA, twice, NOW - HOUR_US, timestamp=FIRST_DAY_US + 5)
    [found] = Copies(store.facts, 1, 35 * DAY_US).look(NOW - DAY_US, NOW, NOW, NOW)
    assert (found.name[0], found.reason) == (later, "duplicate")
    assert first != later


def test_a_copy_of_which_only_a_members_credit_stands_is_found_and_the_first_one_stays(store: Stored) -> None:
    """Its own row was known as a copy, in the partition of its own student."""
    first = store.statement(ADA, new_id(), NOW - 2 * HOUR_US)
    credited = first._replace(student_id=BEN)
    store.credit(credited, NOW - 2 * HOUR_US)
    copies = Copies(store.facts, 1, 35 * DAY_US)
    assert copies.look(NOW - DAY_US, NOW, NOW, NOW) == []
    again = credited._replace(timestamp=FIRST_DAY_US + 5)
    store.credit(again, NOW - HOUR_US)
    store.credit(first._replace(student_id=EVE), NOW - 3 * HOUR_US, digest=2)  # by the clock of another ingest process
    found = copies.look(NOW - HOUR_US, NOW, NOW, NOW)
    assert [(one.name[0], one.reason) for one in found] == [
        (first._replace(student_id=EVE), "conflict"),
        (again, "duplicate"),
    ]
    assert copies.look(NOW - HOUR_US, NOW, NOW - 4 * HOUR_US, NOW) == [], "their own rows may be on their way"


def test_copies_are_looked_for_slice_by_slice_from_the_first_statement_on(store: Stored, engine: Engine) -> None:
    for hours in (30, 3):
        twice = new_id()
        store.statement(ADA, twice, NOW - hours * HOUR_US)
        store.statement(BEN, twice, NOW - hours * HOUR_US + 1, digest=2)
    for partition in (0, 1):
        store.progress(partition, NOW)
    copies = Copies(store.facts, 1, 35 * DAY_US)
    found, slices, behind = set[Name](), 0, True
    while behind:
        if slices % 10 == 0:
            turn = CopiesTurn(store.facts, engine, copies)  # another worker goes on
        found |= {one.name for one in turn.look(NOW)}
        turn.settle()
        slices, behind = slices + 1, turn.behind
    assert [(key.student_id, reason) for key, reason, _ in found] == [(BEN, "conflict"), (BEN, "conflict")]
    assert slices == 30


def test_a_voiding_waits_for_its_statement_and_the_next_worker_knows_of_it(store: Stored, engine: Engine) -> None:
    target, old_target, taken_out = new_id(), new_id(), new_id()
    store.statement(ADA, new_id(), NOW - DAY_US, verb=verbs.VOIDED, activity=target.upper())
    store.statement(ADA, new_id(), NOW - 40 * DAY_US, verb=verbs.VOIDED, activity=old_target)
    store.statement(ADA, new_id(), NOW - DAY_US, verb=verbs.VOIDED, activity=taken_out, gone=True)
    store.statement(BEN, taken_out, NOW - DAY_US)
    metrics = StreamsMetrics(CollectorRegistry())
    turn = VoidsTurn(store.facts, engine, metrics)
    assert turn.look(NOW) == []
    turn.settle()
    assert metrics.voids_waiting._value.get() == 2
    key = store.statement(BEN, target, NOW)
    assert told(turn.look(NOW)) == [(BEN, "voided")]
    assert told(VoidsTurn(store.facts, engine, metrics).look(NOW)) == [(BEN, "voided")]
    store.removal(key, "voided")
    another = VoidsTurn(store.facts, engine, metrics)
    assert another.look(NOW) == []
    store.statement(EVE, old_target, NOW)
    assert told(another.look(NOW)) == [(EVE, "voided")]


def test_the_members_of_a_voided_group_follow_as_their_credits_are_written(store: Stored, engine: Engine) -> None:
    target, metrics = new_id(), StreamsMetrics(CollectorRegistry())
    store.statement(ADA, new_id(), NOW - 40 * DAY_US, verb=verbs.VOIDED, activity=target)
    turn = VoidsTurn(store.facts, engine, metrics)
    assert turn.look(NOW) == []
    key = store.statement(BEN, target, NOW)
    assert told(turn.look(NOW)) == [(BEN, "voided")]
    store.removal(key, "voided")
    assert turn.look(NOW) == []
    store.credit(key._replace(student_id=EVE), NOW)
    assert told(turn.look(NOW)) == [(EVE, "voided")]
    assert told(VoidsTurn(store.facts, engine, metrics).look(NOW)) == [(EVE, "voided")]


def test_a_voiding_without_effect_is_told_once(store: Stored) -> None:
    target = new_id()
    store.statement(ADA, target, NOW)
    store.statement(ADA, new_id(), NOW, verb=verbs.VOIDED, activity=target, provider="q")
    refused: list[str] = []
    finder = Voids(store.facts, lambda _, why: refused.append(why))
    assert finder.look(NOW - 1, NOW) + finder.look(NOW - 1, NOW) == []
    assert refused == ["other_provider"]


def test_the_sinks_are_as_far_as_the_slowest_partition_and_unknown_while_one_is_missing(store: Stored) -> None:
    store.progress(0, NOW)
    assert store.facts.settled_until() == 0
    store.progress(1, NOW - HOUR_US)
    assert store.facts.settled_until() == NOW - HOUR_US - 60_000_000


def test_a_large_move_goes_by_parts_and_waits_while_the_sinks_are_behind(
    store: Stored, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST", 4)
    with engine.begin() as connection:
        for one in (ADA, BEN):
            row = {"student_id": one, "linked": False, "created_at": 1, "updated_at": 1}
            connection.execute(insert(students).values(row))
        own = {"identity_id": IDENTITY, "kind": "mbox", "value": "mailto:a@x.example", "created_at": 1}
        connection.execute(insert(identities).values(own | {"student_id": ADA}))
        moving.link(connection, moving.find(connection, IDENTITY), BEN, NOW - 1, "me", "the same")
    for n in range(5):
        store.statement(ADA, new_id(), NOW - DAY_US, timestamp=FIRST_DAY_US + n)
    lately = Lately(lambda: 0.0)
    finder, found = Links(store.facts, engine, lately.__contains__), list[Correction]()
    assert finder.look(NOW - HOUR_US, NOW) == []
    while some := finder.look(NOW, NOW):
        assert len(some) <= 4
        lately.add((one.name for one in some), {0: 1})
        finder.settle()
        found += some
    assert told(found) == sorted([(ADA, "unlinked"), (BEN, "credited")] * 5)
    assert {one.item.statement for one in found if one.reason == "credited"} == {b"{}"}
