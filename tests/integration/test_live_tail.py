"""The live tail: who listens hears what is accepted, as far as the credential's scope goes, and no more than asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from infra.runtime.settings import KafkaSettings
from schemas.registry import tables
from tests.fixtures.door import Door, make_door
from tests.fixtures.live import Running, running

pytestmark = pytest.mark.kafka

ANSWERED = "http://adlnet.gov/expapi/verbs/answered"


def statement(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "actor": {"mbox": f"mailto:student{number}@school.example", "name": f"Student Number{number}"},
        "verb": {"id": ANSWERED},
        "object": {"id": f"https://items.example/{number}"},
        **changes,
    }


def read_everything(door: Door, key: str) -> None:
    own = tables.provider_credentials
    with door.engine.begin() as transaction:
        transaction.execute(update(own).where(own.c.key == key).values(scopes="statements/write statements/read"))


async def post(service: Running, *statements: dict[str, Any], key: str = "key-p1") -> list[str]:
    async with service.client(key) as client:
        answer = await client.post("/xapi/statements", json=list(statements))
        assert answer.status_code == 200, answer.text
        return list(answer.json())


async def test_who_listens_hears_each_statement_with_its_agents_as_they_were_sent(door: Door) -> None:
    async with running(door.settings) as service, service.tail() as tail:
        assert tail.response.headers["content-type"].startswith("text/event-stream")
        ids = await post(service, statement(1), statement(2))
        heard = await tail.until(2)
    assert sorted(tail.ids) == sorted(ids)
    first = next(one.data for one in heard if one.data["id"] == ids[0])
    assert first["actor"] == statement(1)["actor"]
    assert first["authority"]["account"]["name"] == "p1"


async def test_a_listener_hears_its_own_provider_and_a_wider_scope_hears_all(door: Door) -> None:
    read_everything(door, "key-p2")
    other = {**statement(3), "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}}
    async with running(door.settings) as service, service.tail() as own, service.tail("key-p2") as everything:
        theirs = await post(service, other, key="key-p2")
        mine = await post(service, statement(1))
        await everything.until(2)
        await own.until(1)
    assert own.ids == mine
    assert sorted(everything.ids) == sorted(theirs + mine)


async def test_filters_choose_by_verb_activity_registration_and_agent(door: Door) -> None:
    registration = "7a3c1f0e-2d0b-4a58-9f5e-0f3b6d1f2a11"
    sent = [
        statement(1),
        statement(2, verb={"id": "http://adlnet.gov/expapi/verbs/passed"}),
        statement(3, context={"registration": registration.upper()}),
        statement(4, actor={"objectType": "Group", "member": [{"mbox": "mailto:student9@school.example"}]}),
    ]
    asked = [
        {"activity": "https://items.example/1"},
        {"verb": "http://adlnet.gov/expapi/verbs/passed"},
        {"registration": registration},
        {"agent": json.dumps({"mbox": "mailto:student9@school.example"})},
    ]
    async with running(door.settings) as service:
        for number, parameters in enumerate(asked):
            async with service.tail(**parameters) as tail:
                ids = await post(service, *sent)
                await tail.until(1)
                # What comes later tells that nothing else came before it.
                ids += await post(service, *sent)
                await tail.until(2)
            assert tail.ids == [ids[number], ids[number + len(sent)]]


async def test_a_listener_that_comes_back_goes_on_where_it_was(door: Door) -> None:
    async with running(door.settings) as service:
        async with service.tail() as tail:
            first = await post(service, *[statement(number) for number in range(20)])
            heard = await tail.until(7)
        missed = await post(service, *[statement(number) for number in range(20, 120)])
        missed += await post(service, statement(1))
        async with service.tail(last_id=heard[-1].id) as again:
            await again.until(20 - 7 + 101)
            later = await post(service, statement(2))
            await again.until(20 - 7 + 102)
    assert len(again.ids) == len(set(again.ids)), "nothing twice"
    assert set(again.ids) == set(first + missed + later) - set(tail.ids[:7])


async def test_a_sign_of_life_moves_the_place_on(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, live_heartbeat_seconds=0.2)
    async with running(door.settings) as service:
        async with service.tail() as tail:
            await tail.until(1, kind="")
            before = tail.heard[-1].id
            await post(service, statement(1), key="key-p2")
            while tail.heard[-1].id == before:
                await tail.until(len(tail.heard) + 1, kind="")
        assert not tail.of("statement")
        async with service.tail(last_id=tail.heard[-1].id) as again:
            mine = await post(service, statement(1))
            await again.until(1)
    assert again.ids == mine
    door.engine.dispose()


async def test_listeners_are_bounded_and_their_places_are_given_back(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    door = make_door(tmp_path, kafka_settings, live_listeners=1)
    async with running(door.settings) as service:
        async with service.tail() as tail, service.tail() as refused:
            assert (tail.response.status_code, refused.response.status_code) == (200, 503)
            assert "retry-after" in refused.response.headers
        async with asyncio.timeout(30):
            while service.service.tail.listeners:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
        async with service.tail() as third:
            mine = await post(service, statement(1))
            await third.until(1)
    assert third.ids == mine
    door.engine.dispose()


async def test_a_service_that_stops_ends_its_tails_in_order(door: Door) -> None:
    async with running(door.settings) as service, service.tail() as tail:
        await post(service, statement(1))
        await tail.until(1)
        service.server.should_exit = True
        # Read to the end of a chunked answer: a connection that is cut off would raise.
        await tail.to_the_end()


async def test_a_listener_whose_credential_is_disabled_is_let_go(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, live_heartbeat_seconds=0.2)
    async with running(door.settings) as service, service.tail() as tail:
        own = tables.provider_credentials
        with door.engine.begin() as transaction:
            transaction.execute(update(own).where(own.c.key == "key-p1").values(disabled=True))
        await tail.to_the_end()
    door.engine.dispose()


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"scopes": "statements/write"}, 403), ({"sandbox": True}, 403)],
    ids=["may not read", "of the sandbox"],
)
async def test_some_credentials_may_not_listen(door: Door, changes: dict[str, Any], status: int) -> None:
    own = tables.provider_credentials
    with door.engine.begin() as transaction:
        transaction.execute(update(own).where(own.c.key == "key-p1").values(**changes))
    async with running(door.settings) as service, service.tail() as tail:
        assert tail.response.status_code == status


@pytest.mark.parametrize(
    "parameters", [{"verb": "none"}, {"agent": "{}"}, {"last_id": "here"}, {"limit": "1"}, {"registration": "x"}]
)
async def test_what_cannot_be_asked_for_is_refused_in_words(door: Door, parameters: dict[str, str]) -> None:
    async with running(door.settings) as service, service.tail(**parameters) as tail:
        assert tail.response.status_code == 400
        assert json.loads(await tail.response.aread())["faults"]
