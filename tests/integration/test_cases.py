"""Cases in the registry: each step with its event in one transaction, one winner, and events that reach the log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from infra.runtime import cases
from infra.runtime.registry import migrate, open_registry
from schemas import topics
from schemas.avro_registry import schema_registry
from schemas.cases import Action, Ask, Case, CaseFaultError, Signal, State
from schemas.cases_rules import follow
from schemas.codec import case_event_codec
from schemas.registry.insight import case_events
from schemas.registry.tables import staff, students
from streams.cases.outbox import Outbox

TODAY = date(2026, 11, 20)
STUDENT = "5a3c1f70-0000-4000-8000-000000000001"
SIGNAL = Signal("inactivity", TODAY - timedelta(days=1))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A registry with a student and two counselors, once a database product."""
    sqlite = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    engine = open_registry(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(students).values(student_id=STUDENT, linked=True, created_at=1, updated_at=1))
        for key, name in (("rosa", "Rosa Delgado"), ("tom", "Tom Adler")):
            connection.execute(insert(staff).values(staff_id=key, name=name, email=f"{key}@x", role="counselor"))
    yield engine
    engine.dispose()


def raised(engine: Engine, case_id: str = "case-1") -> Case:
    steps = follow(STUDENT, None, None, [SIGNAL], TODAY, 10, case_id)
    with engine.begin() as connection:
        cases.store(connection, steps, "", 1_000)
    return steps[-1].case


def claim(who: str) -> Ask:
    return Ask(Action.CLAIMED, who, TODAY)


def test_a_case_is_read_as_it_was_written_and_its_events_tell_who_when_and_why(registry: Engine) -> None:
    first = raised(registry)
    ask = Ask(Action.INTERVENTION, "rosa", TODAY, "misses Mondays", kind="mentoring", goal="no Monday missed", weeks=4)
    step = cases.act(registry, first.case_id, ask, 2_000)
    with registry.connect() as connection:
        assert cases.case(connection, first.case_id) == step.case
        told = cases.events(connection, [first.case_id])
    assert [(e.sequence, e.at, e.who, e.action, e.before, e.after, e.why) for e in told] == [
        (1, 1_000, "", "raised", "", "raised", "No activity."),
        (2, 2_000, "rosa", "intervention", "raised", "intervention", "misses Mondays"),
    ]
    assert told[1].details["goal"] == "no Monday missed"
    assert told[1].details["rules"] == ["inactivity"]


def test_of_two_who_claim_at_once_one_has_it_and_the_other_reads_who(registry: Engine) -> None:
    case_id = raised(registry).case_id
    said: dict[str, str] = {}
    together = threading.Barrier(2)

    def go(who: str) -> None:
        together.wait(30)
        try:
            cases.act(registry, case_id, claim(who), 2_000)
            said[who] = "has it"
        except CaseFaultError as error:
            said[who] = str(error)

    threads = [threading.Thread(target=go, args=(who,)) for who in ("rosa", "tom")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    names = {"rosa": "Rosa Delgado", "tom": "Tom Adler"}
    [winner] = [who for who, words in said.items() if words == "has it"]
    [loser] = set(said) - {winner}
    assert said[loser] == f"{names[winner]} has this case already."
    with registry.connect() as connection:
        assert len(cases.events(connection, [case_id])) == 2


def test_a_step_decided_on_an_older_case_is_not_written(registry: Engine) -> None:
    before = raised(registry)
    cases.act(registry, before.case_id, claim("rosa"), 2_000)
    late = follow(STUDENT, before, None, [SIGNAL._replace(status="cleared")], TODAY, 10, "")
    with pytest.raises(cases.ChangedError), registry.begin() as connection:
        cases.store(connection, late, "", 3_000)
    with registry.connect() as connection:
        assert cases.case(connection, before.case_id).state is State.CLAIMED
        assert [event.action for event in cases.events(connection, [before.case_id])] == ["raised", "claimed"]


def test_a_student_has_one_open_case_whoever_raises_it_first(registry: Engine) -> None:
    raised(registry)
    with pytest.raises(cases.ChangedError):
        raised(registry, "case-2")
    with registry.connect() as connection:
        assert list(cases.open_cases(connection, [STUDENT])) == [STUDENT]
        assert len(connection.execute(select(case_events)).all()) == 1


def test_a_closed_case_says_who_closed_it_and_the_next_one_may_be_raised(registry: Engine) -> None:
    case_id = raised(registry).case_id
    dismissal = Ask(Action.DISMISSED, "tom", TODAY, "device was away", dismissal="incorrect_data")
    cases.act(registry, case_id, dismissal, 2_000)
    with pytest.raises(CaseFaultError, match=r"dismissed.*Tom Adler closed it\."):
        cases.act(registry, case_id, claim("rosa"), 3_000)
    with registry.connect() as connection:
        assert cases.last_closed(connection, [STUDENT])[STUDENT].dismissal == "incorrect_data"
    raised(registry, "case-2")


class Log:
    """A producer that keeps what it is sent; it fails where it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.fails = False

    async def send(self, topic: str, value: bytes, key: bytes) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fails:
            done.set_exception(ConnectionError("the broker is away"))
        else:
            self.sent.append((topic, key, value))
            done.set_result(None)
        return done


def outbox(engine: Engine, log: Any) -> Outbox:
    return Outbox(engine, log, case_event_codec(schema_registry("")), 0.01)


async def test_events_are_published_once_each_in_order_with_the_student_as_key(registry: Engine) -> None:
    case_id = raised(registry).case_id
    cases.act(registry, case_id, claim("rosa"), 2_000)
    log = Log()
    assert await outbox(registry, log).publish() == 2
    assert await outbox(registry, log).publish() == 0
    assert {(topic, key) for topic, key, _ in log.sent} == {(topics.CASE_EVENTS.name, STUDENT.encode())}
    decoded = [case_event_codec(schema_registry("")).decode(value) for _, _, value in log.sent]
    assert [(event.sequence, event.action, event.who) for event in decoded] == [
        (1, "raised", ""),
        (2, "claimed", "rosa"),
    ]


async def test_what_was_not_acknowledged_or_not_marked_is_sent_again_under_the_same_id(
    registry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(registry)
    log = Log()
    log.fails = True
    with pytest.raises(ConnectionError):
        await outbox(registry, log).publish()
    log.fails = False
    crashing = outbox(registry, log)
    monkeypatch.setattr(crashing, "_mark", lambda ids: (_ for _ in ()).throw(RuntimeError("killed")))
    with pytest.raises(RuntimeError):
        await crashing.publish()
    assert await outbox(registry, log).publish() == 1
    codec = case_event_codec(schema_registry(""))
    assert len({codec.decode(value).event_id for _, _, value in log.sent}) == 1
    assert len(log.sent) == 2


def test_a_case_with_all_its_fields_goes_through_the_registry_unchanged(registry: Engine) -> None:
    first = raised(registry)
    full = replace(
        first, state=State.SNOOZED, version=2, owner="rosa", snoozed_until=TODAY, follow_up_on=TODAY,
        signals=(SIGNAL._replace(severe=True), Signal("attendance", TODAY, False, "withdrawn")),
    )  # fmt: skip
    step = follow(STUDENT, first, None, [SIGNAL, Signal("x", TODAY)], TODAY, 10, "")[0]
    with registry.begin() as connection:
        cases.store(connection, [replace(step, case=full)], "", 2_000)
        assert cases.case(connection, first.case_id) == full
