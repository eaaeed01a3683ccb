"""The filters of GET, over one statement."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ingest.xapi.matching import Wanted, matches

ADA = {"objectType": "Agent", "mbox": "mailto:ada@school.example"}
BOB = {"mbox": "mailto:bob@school.example"}
ITEM = "https://items.example/1"
COURSE = "https://items.example/course"
VERB = "https://verbs.example/answered"
REGISTRATION = str(uuid.uuid4())


def statement(**changes: Any) -> dict[str, Any]:
    return {"actor": BOB, "verb": {"id": VERB}, "object": {"id": ITEM}, **changes}


def is_ada(agent: Any) -> bool:
    return bool(agent == ADA or agent == "ada.1" or (isinstance(agent, dict) and ADA in agent.get("member", ())))


def about(**inner: Any) -> dict[str, Any]:
    return statement(object={**statement(**inner), "objectType": "SubStatement"})


def test_no_filter_takes_all() -> None:
    assert matches(statement(), Wanted())


def test_verb_and_object_activity() -> None:
    assert matches(statement(), Wanted(verb=VERB, activity=ITEM))
    assert not matches(statement(), Wanted(verb=VERB + "/x"))
    assert not matches(statement(), Wanted(activity=COURSE))


def test_a_registration_is_the_same_in_any_case() -> None:
    registered = statement(context={"registration": REGISTRATION.upper()})
    assert matches(registered, Wanted(registration=REGISTRATION))
    assert not matches(statement(), Wanted(registration=REGISTRATION))


def test_a_reference_is_no_activity() -> None:
    reference = statement(object={"objectType": "StatementRef", "id": REGISTRATION})
    assert not matches(reference, Wanted(activity=REGISTRATION))


@pytest.mark.parametrize("kind", ["parent", "grouping", "category", "other"])
@pytest.mark.parametrize("value", [{"id": COURSE}, [{"id": ITEM}, {"id": COURSE}]])
def test_related_activities_are_those_of_the_context(kind: str, value: Any) -> None:
    inside = statement(context={"contextActivities": {kind: value}})
    for one in inside, about(context={"contextActivities": {kind: value}}), about(object={"id": COURSE}):
        assert matches(one, Wanted(activity=COURSE, related_activities=True))
        assert not matches(one, Wanted(activity=COURSE))


@pytest.mark.parametrize("agent", [ADA, "ada.1", {"objectType": "Group", "member": [BOB, ADA]}])
def test_an_agent_is_actor_or_object(agent: Any) -> None:
    for one in statement(actor=agent), statement(object=agent if isinstance(agent, str) else dict(agent)):
        assert matches(one, Wanted(), is_ada)
    assert not matches(statement(), Wanted(), is_ada)


@pytest.mark.parametrize(
    "related",
    [
        statement(authority=ADA),
        statement(context={"instructor": ADA}),
        statement(context={"team": {"objectType": "Group", "member": [ADA]}}),
        statement(context={"contextAgents": [{"objectType": "contextAgent", "agent": ADA}]}),
        statement(context={"contextGroups": [{"objectType": "contextGroup", "group": {"member": [ADA]}}]}),
        about(actor=ADA),
        about(object=ADA),
        about(context={"instructor": ADA}),
    ],
)
def test_related_agents_are_all_others(related: dict[str, Any]) -> None:
    assert matches(related, Wanted(related_agents=True), is_ada)
    assert not matches(related, Wanted(), is_ada)


def test_all_filters_have_to_pass() -> None:
    assert matches(statement(actor=ADA), Wanted(verb=VERB), is_ada)
    assert not matches(statement(actor=ADA), Wanted(verb=VERB, activity=COURSE), is_ada)
