"""What a provider may send: its own rate, and a quota a day that is counted over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.runtime.providers import set_limits
from infra.runtime.settings import KafkaSettings
from ingest.credentials import Credential
from ingest.errors import ApiError
from ingest.limits import Allowance, Quotas, RateLimit
from ingest.minutes import DAY_US, Minutes
from tests.fixtures.door import Door, make_door
from tests.integration.test_ingest_refusals import only_fault, post
from tests.integration.test_ingest_statements import statement

NOON = 20_000 * DAY_US + DAY_US // 2
P1 = Credential("k", "p1", "", False, daily_quota=10)


class Store:
    """Counts of other processes, as the store tells them."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []
        self.asked: list[dict[str, Any]] = []
        self.away = False

    def run(self, query: Callable[[Any], object]) -> asyncio.Future[object]:
        found: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.away:
            found.set_exception(OSError("away"))
        else:
            found.set_result(query(self))
        return found

    def query(self, _text: str, parameters: dict[str, Any]) -> Any:
        self.asked.append(parameters)
        return type("Result", (), {"result_rows": self.rows})


class Day:
    """An allowance whose clock the test sets."""

    def __init__(self) -> None:
        self.now = NOON
        self.store = Store()
        self.minutes = Minutes("mine")
        self.quotas = Quotas(self.minutes, "mine", self.store.run, lambda: self.now, lambda: True)
        self.allowance = Allowance(RateLimit(0.0, 10_000), self.quotas)

    def refused(self, by: Credential, statements: int) -> str:
        """Rule and seconds to wait; empty where they may pass."""
        try:
            self.allowance.check(by, statements)
        except ApiError as error:
            [fault] = error.faults
            return f"{fault.rule} {dict(error.headers)[b'retry-after'].decode()}"
        return ""


async def test_a_quota_is_of_a_day_and_all_processes_together() -> None:
    day = Day()
    day.store.rows = [("p1", 4), ("p2", 900)]
    await day.quotas.once()
    assert day.store.asked == [{"day": (NOON - DAY_US // 2) // 1_000_000, "instance": "mine"}]
    day.minutes.accepted("p1", NOON, 3)
    assert day.refused(P1, 3) == ""
    assert day.refused(P1, 4) == f"limit.quota {DAY_US // 2 // 1_000_000}"
    assert day.refused(P1._replace(daily_quota=None), 1_000_000) == ""
    assert day.refused(P1._replace(provider_id="p3"), 10) == ""
    assert day.refused(P1._replace(sandbox=True), 11) == ""
    day.now += DAY_US // 2
    assert day.refused(P1, 10) == "", "the counts of yesterday are none of today"


async def test_counts_that_cannot_be_read_stay_as_they_were() -> None:
    day = Day()
    day.store.rows = [("p1", 8)]
    await day.quotas.once()
    day.store.away = True
    await day.quotas.once()
    assert day.refused(P1, 3).startswith("limit.quota")


def test_a_providers_own_rate_counts_instead_of_the_settings() -> None:
    limit = RateLimit(1000.0, 10_000)
    assert limit.take("p1", 20, 0.0, own_rate=2) == 0.0
    assert limit.take("p1", 1, 0.0, own_rate=2) == pytest.approx(0.5)
    assert limit.take("p2", 5000, 0.0) == 0.0


@pytest.mark.kafka
async def test_limits_of_a_provider_are_told_with_the_time_to_wait(door: Door) -> None:
    with door.engine.begin() as transaction:
        set_limits(transaction, "p1", None, 3)
        set_limits(transaction, "p2", 1, None)
    async with door.open() as client:
        assert (await post(client, [statement(), statement()])).status_code == 200
        refused = await post(client, [statement(), statement()])
        assert only_fault(refused) == (429, "limit.quota")
        assert 1 <= int(refused.headers["Retry-After"]) <= 86_400
        assert (await post(client, statement())).status_code == 200
        assert (await post(client, statement())).status_code == 429
        client.auth = ("key-p2", "secret")
        assert (await post(client, [statement() for _ in range(20)])).status_code == 200
        slower = await post(client, statement())
        assert only_fault(slower) == (429, "limit.rate")
        assert int(slower.headers["Retry-After"]) >= 1
    assert len(door.items()) == 23


@pytest.mark.kafka
async def test_texts_too_long_and_nesting_too_deep_are_told(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    door = make_door(tmp_path, kafka_settings, max_depth=8, max_string=1024)
    deep: Any = 1
    for _ in range(9):
        deep = [deep]
    extensions = {"https://example.org/x": deep}
    async with door.open() as client:
        assert only_fault(await post(client, statement(result={"extensions": extensions}))) == (400, "limit.depth")
        answer = await post(client, statement(result={"response": "x" * 1025}))
        assert only_fault(answer) == (400, "limit.string")
        assert answer.json()["faults"][0]["path"] == "$.result.response"
        assert (await post(client, statement(result={"response": "x" * 1024}))).status_code == 200
    door.engine.dispose()
