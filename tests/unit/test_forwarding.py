"""What is sent on to another LRS, and what each of its answers leads to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import httpx
import pytest

from ingest.forwarding.delivery import POISON_ATTEMPTS, Delivery, Failure, Listening, Outgoing
from ingest.forwarding.rules import Filter, from_provider, retry_after, verdict, wait_seconds, wants
from ingest.xapi.terms import VOIDED
from schemas.events import Item

Answer = Callable[[list[str]], httpx.Response]


class Heard(Listening):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.known: list[str] = []
        self.failures: list[Failure] = []
        self.states: list[bool] = []

    async def taken(self, statements: Sequence[Outgoing], *, known: bool) -> None:
        (self.known if known else self.delivered).extend(one.statement_id for one in statements)

    async def failed(self, failure: Failure) -> None:
        self.failures.append(failure)

    def waiting(self, *, waits: bool) -> None:
        self.states.append(waits)


async def deliver(
    answer: Answer, count: int, attempts: int | None = None
) -> tuple[Heard, list[float], list[list[str]]]:
    """What came of so many statements, the pauses, and the ids of each request."""
    requests: list[list[str]] = []
    pauses: list[float] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append([one["id"] for one in json.loads(request.content)])
        return answer(requests[-1])

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    heard = Heard()
    statements = [Outgoing(str(number), json.dumps({"id": str(number)}).encode()) for number in range(count)]
    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        delivery = Delivery(
            client, "http://lrs/xapi/statements", heard, longest_wait=60.0, attempts=attempts, sleep=sleep
        )
        await delivery.deliver(statements)
    return heard, pauses, requests


def faulty(*bad: str, status: int = 400) -> Answer:
    """Refuses each batch that holds one of them, with all that is in it."""
    return lambda ids: httpx.Response(status if set(bad) & set(ids) else 200, text="no good")


async def test_a_batch_that_is_taken_is_one_request() -> None:
    heard, pauses, requests = await deliver(faulty(), 5)
    assert (heard.delivered, pauses, len(requests)) == ([*"01234"], [], 1)


async def test_the_faulty_ones_of_a_batch_are_found_and_the_others_arrive_in_order() -> None:
    heard, pauses, requests = await deliver(faulty("3", "11"), 16)
    assert heard.delivered == [str(number) for number in range(16) if number not in (3, 11)]
    assert heard.failures == [Failure("3", 1, 400, "no good"), Failure("11", 1, 400, "no good")]
    assert not pauses
    assert len(requests) <= 20


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_speaks_of_the_statement_is_given_up_at_once(status: int) -> None:
    heard, pauses, _ = await deliver(faulty("0", status=status), 1)
    assert [(one.statement_id, one.status) for one in heard.failures] == [("0", status)]
    assert not pauses


async def test_a_conflict_is_there_already_and_keeps_no_other_from_arriving() -> None:
    heard, _, _ = await deliver(faulty("1", status=409), 3)
    assert (heard.delivered, heard.known, heard.failures) == (["0", "2"], ["1"], [])


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504])
async def test_what_speaks_of_the_moment_is_waited_for(status: int) -> None:
    answers = [status, status, status, 200]
    heard, pauses, _ = await deliver(lambda ids: httpx.Response(answers.pop(0)), 3)
    assert (heard.delivered, heard.failures) == ([*"012"], [])
    assert heard.states == [True, True, True, False]
    assert [0.25 <= pauses[0] <= 0.5, 0.5 <= pauses[1] <= 1.0, 1.0 <= pauses[2] <= 2.0] == [True] * 3


async def test_no_answer_is_waited_for() -> None:
    left = [1, 2]

    def answer(ids: list[str]) -> httpx.Response:
        if left:
            left.pop()
            raise httpx.ConnectError("away")
        return httpx.Response(204)

    heard, pauses, _ = await deliver(answer, 2)
    assert (heard.delivered, len(pauses)) == (["0", "1"], 2)


async def test_a_pause_that_is_asked_for_is_kept() -> None:
    answers = [httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200)]
    _, pauses, _ = await deliver(lambda ids: answers.pop(0), 1)
    assert pauses == [7.0]


async def test_a_statement_that_breaks_the_other_lrs_each_time_does_not_hold_up_the_others_for_ever() -> None:
    heard, _, _ = await deliver(faulty("1", status=500), 4)
    assert heard.delivered == ["0", "2", "3"]
    assert [(one.statement_id, one.status, one.attempts) for one in heard.failures] == [("1", 500, POISON_ATTEMPTS)]


async def test_who_retries_by_hand_is_not_kept_waiting() -> None:
    heard, pauses, _ = await deliver(lambda ids: httpx.Response(503), 1, attempts=3)
    assert [(one.status, one.attempts) for one in heard.failures] == [(503, 3)]
    assert len(pauses) == 2


async def test_attachments_go_with_their_statement() -> None:
    bodies: list[tuple[str, bytes]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        bodies.append((request.headers["content-type"], request.content))
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        delivery = Delivery(client, "http://lrs/statements", Heard(), longest_wait=1.0)
        await delivery.deliver([Outgoing("0", b'{"id":"0"}', (("text/plain", "ab" * 32, b"the bytes"),))])
    [(kind, body)] = bodies
    assert kind.startswith("multipart/mixed; boundary=")
    assert b'[{"id":"0"}]' in body
    assert b"the bytes" in body


def item(verb: str = "answered", provider: str = "p1", stored: int = 10) -> Item:
    return Item("0", "s", provider, verb, [], 0, stored, 0, 0, b"")


def statement(verb: str, activity: str = "https://x.example/1") -> dict:
    return {"actor": "i.1", "verb": {"id": verb}, "object": {"id": activity}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), True),
        (Filter(verbs=("https://verbs.example/did",)), True),
        (Filter(verbs=("answered",)), True),
        (Filter(verbs=("passed",)), False),
        (Filter(activities=("https://x.example/2", "https://x.example/1")), True),
        (Filter(activities=("https://x.example/2",)), False),
    ],
)
def test_a_filter_chooses_by_verb_and_activity(wanted: Filter, expected: bool) -> None:
    assert wants(item(), statement("https://verbs.example/did"), wanted) is expected


def test_what_voids_is_sent_on_whatever_is_asked_for() -> None:
    voiding = {"actor": "i.1", "verb": {"id": VOIDED}, "object": {"objectType": "StatementRef", "id": "0"}}
    assert wants(item("voided"), voiding, Filter(verbs=("passed",), activities=("https://x.example/2",)))


def test_a_filter_chooses_by_provider_and_time() -> None:
    assert from_provider(item(), Filter(providers=("p1", "p2"), since=10))
    assert not from_provider(item(provider="p3"), Filter(providers=("p1", "p2")))
    assert not from_provider(item(stored=9), Filter(since=10))


def test_pauses_double_up_to_the_longest_and_are_spread() -> None:
    assert [wait_seconds(attempt, 0.5, 60.0, 1.0) for attempt in (1, 2, 3, 8, 1_000)] == [0.5, 1.0, 2.0, 60.0, 60.0]
    assert wait_seconds(3, 0.5, 60.0, 0.0) == 1.0


def test_a_date_as_retry_after_is_no_number_and_a_long_one_is_cut() -> None:
    assert retry_after("Fri, 21 Nov 2026 08:00:00 GMT", 60.0) is None
    assert retry_after("3600", 60.0) == 60.0


def test_a_redirect_waits_for_someone_to_mend_the_address() -> None:
    assert verdict(302) == "later"
