"""Statements as they are answered: identifiers alone, one language, the other version."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.xapi.formats import accepted_languages, in_format, in_version, one_of

NAMES = {"en-US": "colour", "en-GB": "color", "fr": "couleur"}
ADA = {"objectType": "Agent", "name": "Ada", "mbox": "mailto:ada@school.example"}
BOB = {"name": "Bob", "account": {"homePage": "https://school.example", "name": "bob"}}
ITEM: dict[str, Any] = {
    "objectType": "Activity",
    "id": "https://items.example/1",
    "definition": {
        "name": NAMES,
        "description": NAMES,
        "choices": [{"id": "a", "description": NAMES}, {"id": "b"}],
        "extensions": {"https://x.example/a": NAMES},
    },
}


def statement() -> dict[str, Any]:
    context = {
        "instructor": {**BOB},
        "team": {"objectType": "Group", "name": "Reds", "mbox": "mailto:reds@school.example", "member": [ADA]},
        "contextActivities": {"category": [_item()]},
    }
    inner = {"objectType": "SubStatement", "actor": {**ADA}, "verb": _verb(), "object": _item(), "context": context}
    group = {"objectType": "Group", "name": "Nobody in particular", "member": [ADA, BOB]}
    return {"id": "x", "actor": group, "verb": _verb(), "object": inner, "version": "1.0.0"}


def _item() -> dict[str, Any]:
    return {
        **ITEM,
        "definition": {**ITEM["definition"], "choices": [dict(one) for one in ITEM["definition"]["choices"]]},
    }


def _verb() -> dict[str, Any]:
    return {"id": "https://verbs.example/answered", "display": {**NAMES}}


def test_ids_keep_what_identifies_and_nothing_more() -> None:
    found = in_format(statement(), "ids", [])
    ada = {"objectType": "Agent", "mbox": "mailto:ada@school.example"}
    bob = {"account": {"homePage": "https://school.example", "name": "bob"}}
    assert found["actor"] == {"objectType": "Group", "member": [ada, bob]}
    assert found["verb"] == found["object"]["verb"] == {"id": "https://verbs.example/answered"}
    assert found["object"]["object"] == {"id": "https://items.example/1"}
    assert found["object"]["context"] == {
        "instructor": bob,
        "team": {"objectType": "Group", "mbox": "mailto:reds@school.example"},
        "contextActivities": {"category": [{"id": "https://items.example/1"}]},
    }


def test_canonical_has_one_language_a_map_and_extensions_as_they_were() -> None:
    found = in_format(statement(), "canonical", accepted_languages("fr-CA, en;q=0.5"))
    fr = {"fr": "couleur"}
    assert found["verb"]["display"] == found["object"]["verb"]["display"] == fr
    for item in found["object"]["object"], found["object"]["context"]["contextActivities"]["category"][0]:
        definition = item["definition"]
        assert definition["name"] == definition["description"] == fr
        assert definition["choices"] == [{"id": "a", "description": fr}, {"id": "b"}]
        assert definition["extensions"] == ITEM["definition"]["extensions"]
    assert found["actor"]["name"] == "Nobody in particular"


def test_exact_is_untouched() -> None:
    assert in_format(statement(), "exact", ["fr"]) == statement()


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("en-GB", "en-GB"),
        ("EN-gb;q=0.3, fr;q=0.2", "en-GB"),
        ("en", "en-US"),
        ("de, fr-CA;q=0.9", "fr"),
        ("de", "en-US"),
        ("", "en-US"),
        ("*", "en-US"),
        ("fr;q=0, en-GB;q=0.1", "en-GB"),
        ("fr;q=lots", "en-US"),
    ],
)
def test_a_language_is_chosen_by_what_is_accepted(header: str, chosen: str) -> None:
    assert one_of(NAMES, accepted_languages(header)) == {chosen: NAMES[chosen]}


def test_a_reader_of_1_0_3_sees_no_context_agents() -> None:
    sent = {**statement(), "version": "2.0.0", "context": {"contextAgents": [], "contextGroups": []}}
    sent["object"]["context"]["contextAgents"] = [{"objectType": "contextAgent", "agent": ADA}]
    found = in_version(sent, "1.0.3")
    assert found["version"] == "1.0.0"
    assert "context" not in found
    assert "contextAgents" not in found["object"]["context"]


def test_a_reader_of_2_0_0_sees_timestamps_in_utc() -> None:
    sent = {**statement(), "timestamp": "2026-03-02T09:30:00+02:00"}
    found = in_version(sent, "2.0.0")
    assert (found["version"], found["timestamp"]) == ("2.0.0", "2026-03-02T07:30:00.000000Z")


def test_a_statement_of_the_version_that_is_spoken_is_left_as_it_is() -> None:
    sent = {**statement(), "timestamp": "2026-03-02T09:30:00+02:00"}
    assert in_version(dict(sent), "1.0.3") == sent
