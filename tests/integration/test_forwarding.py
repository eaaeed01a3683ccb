"""Forwarding from the log to another LRS: what is accepted arrives there, whatever it answers on the way."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.kafka import lag, statements_topic
from infra.runtime.metrics import ForwardMetrics
from infra.runtime.settings import ForwardingSettings, Settings
from ingest.forwarding import store
from ingest.forwarding.app import Service
from ingest.forwarding.rules import Filter, Forward, group
from schemas.registry import tables
from tests.fixtures.door import Door
from tests.fixtures.fake_lrs import FakeLrs

pytestmark = pytest.mark.kafka

ANSWERED = "http://adlnet.gov/expapi/verbs/answered"


def statement(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "actor": {"mbox": f"mailto:student{number}@school.example", "name": f"Student Number{number}"},
        "verb": {"id": ANSWERED},
        "object": {"id": f"https://items.example/{number}"},
        **changes,
    }


def add(door: Door, url: str, name: str = "other", **wanted: Any) -> None:
    with door.engine.begin() as connection:
        store.add(connection, Forward(name, url, "their-key", "THEIR_SECRET", "1.0.3", Filter(**wanted)), 1)


@asynccontextmanager
async def forwarding(settings: Settings) -> AsyncIterator[ForwardMetrics]:
    """The service, in this loop."""
    quick = ForwardingSettings(refresh_seconds=0.1, longest_wait_seconds=0.2, batch_statements=10)
    metrics = ForwardMetrics(CollectorRegistry())
    service = Service(settings.model_copy(update={"forwarding": quick}), metrics, {"THEIR_SECRET": "s"})
    task = asyncio.create_task(service.run())
    try:
        yield metrics
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not check():  # noqa: ASYNC110  # other tasks and threads change it
            await asyncio.sleep(0.05)


async def post(client: httpx.AsyncClient, *statements: dict[str, Any]) -> list[str]:
    answer = await client.post("/xapi/statements", json=list(statements))
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def test_what_is_accepted_arrives_once_with_its_agents_and_ids(door: Door, fake_lrs: FakeLrs) -> None:
    add(door, fake_lrs.url)
    group_of_two = {"objectType": "Group", "member": [{"mbox": f"mailto:m{n}@school.example"} for n in (1, 2)]}
    sent = [statement(number) for number in range(30)] + [statement(31, actor=group_of_two)]
    async with door.open() as client, forwarding(door.settings):
        ids = await post(client, *sent)
        await until(lambda: len(fake_lrs.statements) == len(sent))
    assert set(fake_lrs.statements) == set(ids)
    assert fake_lrs.repeated == 0, "credits of further students are no statements"
    for one in sent:
        assert fake_lrs.statements[one["id"]]["actor"] == one["actor"]
    assert max(len(batch) for _, batch in fake_lrs.batches) <= 10


async def test_a_filter_leaves_out_what_nobody_asked_for(door: Door, fake_lrs: FakeLrs) -> None:
    add(door, fake_lrs.url, providers=("p1",), activities=("https://items.example/2",))
    with door.engine.begin() as connection:
        connection.execute(tables.students.select())
    async with door.open() as client, door.open("key-p2") as other, forwarding(door.settings):
        await post(other, statement(2))
        await post(client, statement(1))
        [wanted] = await post(client, statement(2))
        await until(lambda: bool(fake_lrs.statements))
        later = await post(client, statement(2))
        await until(lambda: len(fake_lrs.statements) == 2)
    assert set(fake_lrs.statements) == {wanted, *later}


async def test_a_forward_begins_with_what_is_stored_after_it_was_made(door: Door, fake_lrs: FakeLrs) -> None:
    async with door.open() as client:
        await post(client, statement(1))
        [item] = door.items()
        add(door, fake_lrs.url, since=item.stored + 1)
        after = await post(client, statement(1))
        async with forwarding(door.settings):
            await until(lambda: bool(fake_lrs.statements))
    assert set(fake_lrs.statements) == set(after)


async def test_an_lrs_that_fails_in_all_the_ways_gets_everything_in_order_but_what_it_refuses(
    door: Door, fake_lrs: FakeLrs
) -> None:
    add(door, fake_lrs.url)
    sent = [statement(1) for _ in range(40)]
    refused, conflict = sent[13]["id"], sent[27]["id"]
    moods = [(503, {"Retry-After": "0"}), (500, {}), (429, {"Retry-After": "0"}), (401, {}), (502, {})]

    def refuse(statements: list[dict[str, Any]]) -> tuple[int, dict[str, str]] | None:
        if moods:
            return moods.pop()
        ids = {one["id"] for one in statements}
        return (400, {}) if refused in ids else (409, {}) if conflict in ids else None

    fake_lrs.refuse = refuse
    async with door.open() as client, forwarding(door.settings) as metrics:
        await post(client, *sent)
        await until(lambda: len(fake_lrs.statements) == 38)
        counted = {"forward": "other", "outcome": "delivered"}
        await until(lambda: metrics.registry.get_sample_value("forward_statements_total", counted) == 38)
        with door.engine.connect() as connection:
            [failure] = store.failures(connection, "other")
    assert (failure.statement_id, failure.status) == (refused, 400)
    arrived = [one["id"] for _, batch in fake_lrs.batches for one in batch]
    assert arrived == [one["id"] for one in sent if one["id"] not in (refused, conflict)], "one student, one partition"
    outcomes = {
        outcome: metrics.registry.get_sample_value("forward_statements_total", {"forward": "other", "outcome": outcome})
        for outcome in ("delivered", "known", "failed")
    }
    assert outcomes == {"delivered": 38, "known": 1, "failed": 1}


async def test_a_service_that_begins_again_goes_on_where_it_was(door: Door, fake_lrs: FakeLrs) -> None:
    add(door, fake_lrs.url)
    own = door.settings.kafka
    topic = statements_topic(own)

    def nothing_left() -> bool:
        return not sum(one.lag for one in lag(own, topic, group("other")))

    async with door.open() as client:
        async with forwarding(door.settings):
            first = await post(client, *[statement(number) for number in range(20)])
            await until(lambda: len(fake_lrs.statements) == 20)
            async with asyncio.timeout(90):
                while not await asyncio.to_thread(nothing_left):  # noqa: ASYNC110  # Kafka tells nobody
                    await asyncio.sleep(0.1)
        missed = await post(client, *[statement(number) for number in range(20)])
        async with forwarding(door.settings):
            await until(lambda: len(fake_lrs.statements) == 40)
    assert set(fake_lrs.statements) == {*first, *missed}
    assert fake_lrs.repeated == 0


async def test_a_forward_that_is_disabled_sends_nothing_and_another_goes_on(door: Door, fake_lrs: FakeLrs) -> None:
    add(door, "http://127.0.0.1:9/xapi", name="away")
    add(door, fake_lrs.url)
    async with door.open() as client, forwarding(door.settings):
        first = await post(client, statement(1))
        await until(lambda: bool(fake_lrs.statements))
        with door.engine.begin() as connection:
            store.switch(connection, "other", disabled=True)
        await asyncio.sleep(1.0)  # the service reads its forwards again
        second = await post(client, statement(2))
        await asyncio.sleep(0.5)
        assert set(fake_lrs.statements) == set(first)
        with door.engine.begin() as connection:
            store.switch(connection, "other", disabled=False)
        await until(lambda: len(fake_lrs.statements) == 2)
    assert set(fake_lrs.statements) == {*first, *second}
