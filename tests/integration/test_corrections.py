"""Corrections on real Kafka and the real ClickHouse engine: what is left is the fold of the statements that stand."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, insert

from infra.dev import processes
from infra.runtime import registry
from ingest.identity import moving
from schemas import verbs
from schemas.events import CREDIT, Item
from schemas.registry.tables import agents, identities, students
from streams.learner.calibration import Calibration
from streams.learner.fold import Attempt, fold
from tests.fixtures.envelopes import make_item, seeded_uuid
from tests.fixtures.workers import Lab

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

_RNG = random.Random(23)
ACTIVITY = "https://items.example/item-1"


def new_id() -> str:
    return seeded_uuid(_RNG)


def now() -> int:
    return time.time_ns() // 1_000


def lately(minutes: int) -> int:
    """A moment of the last hours, µs."""
    return now() - 3 * 3_600_000_000 + minutes * 60_000_000


def attempts_of(student: str, count: int) -> list[Item]:
    return [
        make_item(new_id(), student, lately(n), skills=(f"s{n % 2}",), success=n % 3 > 0, stored=now())
        for n in range(count)
    ]


def void(target: Item, student: str, provider: str = "provider-a") -> Item:
    return make_item(
        new_id(), student, lately(60), verb=verbs.VOIDED, skills=(), success=None, stored=now(),
        activity=target.statement_id.upper(), provider=provider,
    )  # fmt: skip


def credited(item: Item, student: str) -> Item:
    return msgspec.structs.replace(item, student_id=student, flags=item.flags | CREDIT)


def states(items: Iterable[Item]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By student and skill: the fold of the attempts; under no skill the number of statements of all kinds."""
    by_student: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_student[item.student_id].append(item)
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for student, own in by_student.items():
        attempts = [
            Attempt(
                i.timestamp, i.statement_id, ACTIVITY, i.skills, float(json.loads(i.statement)["result"]["success"])
            )
            for i in own
            if i.verb in verbs.OUTCOMES
        ]
        learner = fold(attempts, Calibration())
        found |= {(student, skill): tuple(state.values()) for skill, state in learner.skills.items()}
        found[student, ""] = (len(own), len(attempts))
    return found


def states_of(lab: Lab) -> dict[tuple[str, str], tuple[Any, ...]]:
    times = ", ".join(f"toUnixTimestamp64Micro({name})" for name in ("first_at", "last_at"))
    names = f"attempts, successes, rating, mastery, recent, {times}"
    as_text = {"UUID": "string"}
    with lab.client() as client:
        skills = client.query(f"SELECT student_id, skill_id, {names} FROM skill_states FINAL", query_formats=as_text)
        query = "SELECT student_id, sum(statements), sum(attempts) FROM student_days FINAL GROUP BY student_id"
        days = client.query(query, query_formats=as_text)
    found = {(row[0], row[1]): tuple(row[2:]) for row in skills.result_rows}
    return found | {(row[0], ""): tuple(row[1:]) for row in days.result_rows}


def wait_for(lab: Lab, standing: Iterable[Item]) -> None:
    """Wait until the states are those of these statements, to the last digit, and stay so."""
    expected = states(standing)
    try:
        lab.wait_until(lambda: states_of(lab) == expected)
    except BaseException:
        assert states_of(lab) == expected
        raise
    lab.wait_for_the_end()
    time.sleep(2.0)
    assert states_of(lab) == expected


def reasons(lab: Lab) -> list[tuple[str, int, int]]:
    query = "SELECT reason, restored, count() FROM removals FINAL GROUP BY reason, restored ORDER BY reason, restored"
    with lab.client() as client:
        return [tuple(row) for row in client.query(query).result_rows]


def test_a_voided_statement_counts_nowhere_whichever_came_first(lab: Lab) -> None:
    ada, ben, eve = new_id(), new_id(), new_id()
    of_ada, of_ben = attempts_of(ada, 6), attempts_of(ben, 6)
    later, first, shared, theirs = of_ada[2], of_ada[4], of_ben[1], of_ben[3]
    only = attempts_of(eve, 1)[0]
    for_members = credited(shared, ada)
    voids = [void(first, ada), void(later, ada), void(shared, ben), void(theirs, ben, "provider-b"), void(only, eve)]
    of_a_void = void(voids[1], ada)
    lab.start_worker()
    lab.publish([voids[0], *(item for item in of_ada if item is not first)])
    lab.publish([*of_ben, for_members, only])
    wait_for(lab, [voids[0], *(item for item in of_ada if item is not first), *of_ben, for_members, only])

    lab.publish([first, *voids[1:], of_a_void])
    kept = [item for item in (*of_ada, *of_ben) if item not in (later, first, shared)]
    wait_for(lab, [*kept, *voids, of_a_void])
    assert reasons(lab) == [("voided", 0, 5)]
    assert lab.count("statements") == 13 + 6, "what is voided keeps its row: an LRS shows it to who asks for it"
    assert lab.worker_log().count("a voiding statement has no effect") == 2


def test_a_voiding_waits_for_its_statement_also_across_workers(lab: Lab) -> None:
    ada = new_id()
    *others, target = attempts_of(ada, 4)
    early = void(target, ada)
    worker = lab.start_worker()
    lab.publish([early, *others])
    wait_for(lab, [early, *others])
    processes.kill(worker)
    lab.publish([target])
    lab.start_worker()
    lab.wait_until(lambda: lab.count("removals") == 1)
    wait_for(lab, [early, *others])


def test_of_statements_with_one_id_the_first_stays(lab: Lab) -> None:
    ada, ben = new_id(), new_id()
    of_ada, of_ben = attempts_of(ada, 5), attempts_of(ben, 5)
    lab.start_worker()
    lab.publish([*of_ada, *of_ben])
    wait_for(lab, [*of_ada, *of_ben])
    # The same id from ben: another partition, or another key in the same one.
    other = make_item(of_ada[0].statement_id, ben, of_ada[0].timestamp, stored=now(), success=True)
    lab.publish([other])
    lab.wait_until(lambda: lab.count("removals") == 1)
    wait_for(lab, [*of_ada, *of_ben])
    assert reasons(lab) == [("conflict", 0, 1)]
    assert lab.count("statements") == 10
    with lab.client() as client:
        outcomes = client.query("SELECT outcome, reason FROM outcomes FINAL").result_rows
    assert [tuple(row) for row in outcomes] == [("dead", "conflict")]


def test_what_a_member_of_a_group_sends_again_is_known_when_memory_has_forgotten_it(lab: Lab) -> None:
    ada, ben = new_id(), new_id()
    long_ago = now() - 2 * 3_600_000_000
    first = make_item(new_id(), ada, lately(0), skills=("s0",), stored=long_ago)
    of_group = [first, credited(first, ben)]
    worker = lab.start_worker()
    lab.publish(of_group)
    wait_for(lab, of_group)
    processes.kill(worker)
    lab.start_worker()
    other = make_item(first.statement_id, ben, first.timestamp, skills=("s0",), stored=now(), success=False)
    own = attempts_of(ben, 1)
    lab.publish([other, *own])
    wait_for(lab, [*of_group, *own])
    assert lab.count("removals") == 0
    with lab.client() as client:
        outcomes = client.query("SELECT outcome, reason FROM outcomes FINAL").result_rows
    assert [tuple(row) for row in outcomes] == [("dead", "conflict")]


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    made = registry.open_registry(lab.settings.registry_url())
    yield made
    made.dispose()


def know(engine: Engine, *student_ids: str) -> None:
    """The students, each with the identity that its items name as actor."""
    with engine.begin() as connection:
        for one in student_ids:
            row = {"student_id": one, "linked": False, "created_at": 1, "updated_at": 1}
            connection.execute(insert(students).values(row))
            own = {"identity_id": identity_of(one), "kind": "mbox", "value": f"mailto:{one}@x.example"}
            connection.execute(insert(identities).values(own | {"student_id": one, "created_at": 1}))


def identity_of(student: str) -> str:
    return student.replace("-", "")[:22]


def move(engine: Engine, identity: str, to: str | None) -> None:
    with engine.begin() as connection:
        found = moving.find(connection, identity)
        if to is None:
            moving.unlink(connection, found, now(), "me", "wrong")
        else:
            moving.link(connection, found, to, now(), "me", "the same person")


def as_of(items: Iterable[Item], student: str) -> list[Item]:
    return [msgspec.structs.replace(item, student_id=student) for item in items]


def test_what_an_identity_did_follows_it_to_another_student_and_back(lab: Lab, engine: Engine) -> None:
    alias, ada, ben = new_id(), new_id(), new_id()
    know(engine, alias, ada, ben)
    before, of_ada, of_ben = attempts_of(alias, 6), attempts_of(ada, 4), attempts_of(ben, 3)
    # A group of which the alias is a member: ben is the first, who has the statement's own row.
    group = f"{'g' * 22}.1"
    with engine.begin() as connection:
        row = {"identity_id": "g" * 22, "kind": "anonymous_group", "value": "g", "created_at": 1}
        connection.execute(insert(identities).values(row))
        members = json.dumps({"objectType": "Group", "member": [f"{identity_of(ben)}.1", f"{identity_of(alias)}.1"]})
        connection.execute(insert(agents).values(agent_key=group, identity_id="g" * 22, digest="d", json=members))
    by_all = msgspec.structs.replace(
        of_ben[0], statement=of_ben[0].statement.replace(f"{identity_of(ben)}.1".encode(), group.encode())
    )
    together = [by_all, credited(by_all, alias)]
    lab.start_worker()
    lab.publish([*before, *of_ada, *together, *of_ben[1:]])
    wait_for(lab, [*before, *of_ada, *together, *of_ben[1:]])

    move(engine, identity_of(alias), ada)
    rest = [*of_ada, by_all, *of_ben[1:]]
    wait_for(lab, [*as_of([*before, together[1]], ada), *rest])
    late = attempts_of(alias, 3)
    voided = void(before[0], ben)
    lab.publish([*late, voided])
    standing = [*before[1:], *late, together[1]]
    wait_for(lab, [*as_of(standing, ada), *rest, voided])

    move(engine, identity_of(alias), None)
    wait_for(lab, [*as_of(standing, alias), *rest, voided])
    assert reasons(lab) == [("unlinked", 0, 10), ("unlinked", 1, 9), ("voided", 0, 1)]

    move(engine, identity_of(alias), ada)
    wait_for(lab, [*as_of(standing, ada), *rest, voided])
