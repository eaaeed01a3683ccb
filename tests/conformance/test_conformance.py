"""Conformance by requirement: each case is one request to the running platform, under each version it is for.

What goes over several requests (documents read back, retrieval, voiding) stands in tests beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.conformance import resource_cases, statement_cases
from tests.conformance.requests import Case
from tests.conformance.stack import KEY, SECRET, WholeStack

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

CASES = [
    pytest.param(case, version, id=f"{version} {case}")
    for case in (*statement_cases.cases(), *resource_cases.cases())
    for version in case.versions
]


@pytest.fixture(scope="module")
def client(whole_stack: WholeStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=whole_stack.endpoint, auth=(KEY, SECRET), timeout=60.0) as made:
        yield made


@pytest.mark.parametrize(("case", "version"), CASES)
def test_the_answer_is_the_one_the_specification_asks_for(client: httpx.Client, case: Case, version: str) -> None:
    headers = {"X-Experience-API-Version": version, **case.headers}
    content = case.body
    if content is not None and not isinstance(content, bytes):
        content = json.dumps(content).encode()
        headers.setdefault("Content-Type", "application/json")
    authorization = headers.get("Authorization")
    request = client.build_request(
        case.method,
        case.path,
        params=dict(case.params) or None,
        content=content,
        headers={name: value for name, value in headers.items() if value},
    )
    answer = client.send(request, auth=None if authorization is not None else httpx.USE_CLIENT_DEFAULT)
    assert answer.status_code == case.status, answer.text
    assert case.has in answer.text
    for name, value in case.headers_told.items():
        assert value in answer.headers[name]
    if case.method == "HEAD":
        assert answer.content == b""


def test_there_are_cases_enough_and_each_has_its_own_name() -> None:
    names = [str(one.id) for one in CASES]
    assert len(names) > 500
    assert len(set(names)) == len(names)
