"""Each rule of the specification, by a valid statement and one change that breaks it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.xapi.faults import Faults
from ingest.xapi.validation import batch

GOLDEN = Path(__file__).parents[1] / "golden" / "xapi"
ANSWERED = json.loads((GOLDEN / "answered.json").read_text())
PLANNED = json.loads((GOLDEN / "group_sub_statement_2.0.json").read_text())
VOIDING = json.loads((GOLDEN / "voiding.json").read_text())

_REMOVE = object()


def faults_of(value: Any, *, version_2: bool = False) -> list[tuple[str, str]]:
    """Rule and path of each fault."""
    faults = Faults()
    batch(value, faults, version_2=version_2)
    return [(fault.rule, fault.path) for fault in faults]


def changed(statement: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced; numbers are positions in arrays."""
    copied = copy.deepcopy(statement)
    holder: Any = copied
    *way, last = where.split(".")
    for step in way:
        holder = holder[int(step) if step.isdigit() else step]
    if value is _REMOVE:
        del holder[last]
    elif isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value
    return copied


def test_a_statement_with_every_property_is_valid() -> None:
    assert faults_of(ANSWERED) == []
    assert faults_of(ANSWERED, version_2=True) == []


def test_a_voiding_statement_is_valid() -> None:
    assert faults_of(VOIDING) == []


def test_context_agents_and_groups_are_valid_in_2_0() -> None:
    assert faults_of(PLANNED, version_2=True) == []


def test_context_agents_and_groups_are_unknown_in_1_0_3() -> None:
    assert faults_of(PLANNED) == [
        ("property.unknown", "$.context.contextAgents"),
        ("property.unknown", "$.context.contextGroups"),
    ]


def member(*agents: Any) -> dict[str, Any]:
    return {"objectType": "Group", "member": list(agents)}


AGENT = {"mbox": "mailto:a@example.org"}
SUB = PLANNED["object"]

BROKEN: list[tuple[str, Any, str, str]] = [
    # where, value, rule, path of the fault where it is not that of the change
    ("actor", _REMOVE, "statement.missing", "$"),
    ("verb", _REMOVE, "statement.missing", "$"),
    ("object", _REMOVE, "statement.missing", "$"),
    ("actor", None, "null", ""),
    ("actor", "ada", "type", ""),
    ("result", None, "null", ""),
    ("result.response", None, "null", ""),
    ("grade", 7, "property.unknown", ""),
    ("Result", {}, "property.case", ""),
    ("actor.Name", "A", "property.case", ""),
    ("id", "6690e6c9-3ef0-4ed3-8b37", "uuid", ""),
    ("id", "6690e6c9-3ef0-9ed3-8b37-7f3964730bee", "uuid", ""),
    ("id", "6690e6c9-3ef0-4ed3-7b37-7f3964730bee", "uuid", ""),
    ("id", 7, "type", ""),
    # actors
    ("actor.objectType", "agent", "actor.object_type", ""),
    ("actor.objectType", "Activity", "actor.object_type", ""),
    ("actor.objectType", 1, "type", ""),
    ("actor.account", _REMOVE, "actor.identifier_missing", "$.actor"),
    ("actor.mbox", "mailto:a@example.org", "actor.identifier_ambiguous", "$.actor"),
    ("actor.name", 7, "type", ""),
    ("actor.member", [], "property.unknown", ""),
    ("actor", {"mbox": "a@example.org"}, "actor.mbox", "$.actor.mbox"),
    ("actor", {"mbox": "MAILTO:a@example.org"}, "actor.mbox", "$.actor.mbox"),
    ("actor", {"mbox": "mailto:nobody"}, "actor.mbox", "$.actor.mbox"),
    ("actor", {"mbox": 7}, "type", "$.actor.mbox"),
    ("actor", {"mbox_sha1sum": "abc"}, "actor.mbox_sha1sum", "$.actor.mbox_sha1sum"),
    ("actor", {"mbox_sha1sum": None}, "null", "$.actor.mbox_sha1sum"),
    ("actor", {"openid": "alan"}, "iri", "$.actor.openid"),
    ("actor", {"openid": 1}, "type", "$.actor.openid"),
    ("actor.account", "s-1", "type", ""),
    ("actor.account", {"name": "s-1"}, "actor.account", ""),
    ("actor.account", {"homePage": "https://a.example"}, "actor.account", ""),
    ("actor.account.homePage", "school", "iri", ""),
    ("actor.account.name", "", "actor.account", ""),
    ("actor.account.name", 4711, "type", ""),
    ("actor.account.name", "s-\0-1", "actor.account_nul", ""),
    ("actor.account.id", "x", "property.unknown", ""),
    # groups
    ("actor", {"objectType": "Group", "name": "7b"}, "group.members_missing", ""),
    ("actor", {"objectType": "Group", "member": []}, "group.members_missing", "$.actor.member"),
    ("actor", {"objectType": "Group", "member": AGENT}, "type", "$.actor.member"),
    ("actor", member(AGENT, {"name": "B"}), "actor.identifier_missing", "$.actor.member[1]"),
    ("actor", member(member(AGENT)), "group.nested", "$.actor.member[0]"),
    ("actor", member("a"), "type", "$.actor.member[0]"),
    ("actor", {**member(AGENT), "account": {}, "mbox": AGENT["mbox"]}, "actor.identifier_ambiguous", ""),
    # verbs
    ("verb", "answered", "type", ""),
    ("verb.id", _REMOVE, "verb.id_missing", "$.verb"),
    ("verb.id", "answered", "iri", ""),
    ("verb.id", "", "iri", ""),
    ("verb.id", "https://verbs.example.org/an swered", "iri", ""),
    ("verb.display", "answered", "language_map", ""),
    ("verb.display", None, "null", ""),
    ("verb.display", {"english!": "x"}, "language", "$.verb.display['english!']"),
    ("verb.display", {"en": 7}, "type", "$.verb.display['en']"),
    ("verb.name", "x", "property.unknown", ""),
    # objects
    ("object", 7, "type", ""),
    ("object.objectType", "activity", "object.object_type", ""),
    ("object.objectType", None, "null", ""),
    ("object.id", _REMOVE, "activity.id_missing", "$.object"),
    ("object.id", "item 1", "iri", ""),
    ("object.name", "x", "property.unknown", ""),
    ("object.definition", [], "type", ""),
    ("object.definition.name", "Item", "language_map", ""),
    ("object.definition.description", {"en": None}, "null", "$.object.definition.description['en']"),
    ("object.definition.type", "question", "iri", ""),
    ("object.definition.moreInfo", "about", "iri", ""),
    ("object.definition.title", {}, "property.unknown", ""),
    ("object.definition.extensions", [], "extensions", ""),
    ("object.definition.extensions", None, "null", ""),
    ("object.definition.extensions", {"k": 1}, "extensions.key", "$.object.definition.extensions['k']"),
    ("object", {"objectType": "StatementRef"}, "statement_ref.id_missing", ""),
    ("object", {"objectType": "StatementRef", "id": "x"}, "uuid", "$.object.id"),
    ("object", {"objectType": "Agent"}, "actor.identifier_missing", ""),
    ("object", {**SUB, "object": SUB}, "sub_statement.nested", "$.object.object"),
    ("object", {**SUB, "id": ANSWERED["id"]}, "sub_statement.property", "$.object.id"),
    ("object", {**SUB, "verb": {"id": "x"}}, "iri", "$.object.verb.id"),
    ("object", {**SUB, "grade": 1}, "property.unknown", "$.object.grade"),
    ("verb.id", "http://adlnet.gov/expapi/verbs/voided", "voiding.object", "$.object"),
    # interactions
    ("object.definition.interactionType", _REMOVE, "interaction.type_missing", "$.object.definition"),
    ("object.definition.interactionType", "essay", "interaction.type", ""),
    ("object.definition.interactionType", 1, "type", ""),
    ("object.definition.interactionType", "likert", "interaction.components", "$.object.definition.choices"),
    ("object.definition.correctResponsesPattern", "b", "type", ""),
    ("object.definition.correctResponsesPattern", [1], "type", "$.object.definition.correctResponsesPattern[0]"),
    ("object.definition.choices", {}, "type", ""),
    ("object.definition.choices.0", "a", "type", "$.object.definition.choices[0]"),
    ("object.definition.choices.1.id", "a", "interaction.component_id", "$.object.definition.choices[1].id"),
    ("object.definition.choices.1.id", _REMOVE, "interaction.component_id", "$.object.definition.choices[1]"),
    ("object.definition.choices.1.id", "", "type", "$.object.definition.choices[1].id"),
    ("object.definition.choices.1.text", "x", "property.unknown", "$.object.definition.choices[1].text"),
    ("object.definition.choices.1.description", "x", "language_map", "$.object.definition.choices[1].description"),
    # results
    ("result", [], "type", ""),
    ("result.success", "true", "type", ""),
    ("result.completion", 1, "type", ""),
    ("result.response", 1, "type", ""),
    ("result.duration", "35 s", "duration", ""),
    ("result.duration", 35, "type", ""),
    ("result.grade", "A", "property.unknown", ""),
    ("result.score", 0.85, "type", ""),
    ("result.score.scaled", 1.01, "score.scaled", ""),
    ("result.score.scaled", -1.5, "score.scaled", ""),
    ("result.score.scaled", "0.85", "type", ""),
    ("result.score.scaled", True, "type", ""),
    ("result.score.raw", 21, "score.bounds", ""),
    ("result.score.raw", -1, "score.bounds", ""),
    ("result.score.min", 20, "score.bounds", ""),
    ("result.score.best", 1, "property.unknown", ""),
    ("result.extensions", {"hints": 1}, "extensions.key", "$.result.extensions['hints']"),
    # contexts
    ("context", "x", "type", ""),
    ("context.registration", "3", "uuid", ""),
    ("context.instructor", {"name": "Grace"}, "actor.identifier_missing", ""),
    ("context.team", AGENT, "actor.object_type", "$.context.team.objectType"),
    ("context.revision", 3, "type", ""),
    ("context.platform", None, "null", ""),
    ("context.language", "en_US", "language", ""),
    ("context.language", 7, "type", ""),
    ("context.statement.objectType", "Statement", "statement_ref.object_type", ""),
    ("context.statement.id", "x", "uuid", ""),
    ("context.contextActivities", [], "type", ""),
    ("context.contextActivities.parents", [], "property.unknown", ""),
    ("context.contextActivities.parent.id", "unit", "iri", ""),
    ("context.contextActivities.grouping.0.id", "x", "iri", "$.context.contextActivities.grouping[0].id"),
    ("context.contextActivities.parent.objectType", "Agent", "activity.object_type", ""),
    ("context.extensions", {"": 1}, "extensions.key", "$.context.extensions['']"),
    ("context.grade", 7, "property.unknown", ""),
    # timestamps, version, authority
    ("timestamp", "yesterday", "timestamp", ""),
    ("timestamp", "2026-02-30T00:00:00Z", "timestamp", ""),
    ("timestamp", "2026-11-20T09:30:00-00:00", "timestamp", ""),
    ("timestamp", "2026-11-20", "timestamp", ""),
    ("timestamp", 1795167000, "type", ""),
    ("stored", "2026-11-20T09:30:00-0000", "timestamp", ""),
    ("version", "0.9", "version", ""),
    ("version", "2.0.0", "version", ""),
    ("version", "1.0.x", "version", ""),
    ("version", 1, "type", ""),
    ("authority", {"name": "LRS"}, "actor.identifier_missing", ""),
    ("authority", member(AGENT), "authority", ""),
    ("authority", {**member(AGENT, AGENT), "mbox": AGENT["mbox"]}, "authority", ""),
    # attachments
    ("attachments", {}, "type", ""),
    ("attachments.0", "x", "type", "$.attachments[0]"),
    ("attachments.0.usageType", "scratchpad", "iri", "$.attachments[0].usageType"),
    ("attachments.0.display", _REMOVE, "attachment.missing", "$.attachments[0]"),
    ("attachments.0.display", "x", "language_map", "$.attachments[0].display"),
    ("attachments.0.description", "x", "language_map", "$.attachments[0].description"),
    ("attachments.0.contentType", "png", "attachment.content_type", "$.attachments[0].contentType"),
    ("attachments.0.contentType", 1, "type", "$.attachments[0].contentType"),
    ("attachments.0.length", "1024", "type", "$.attachments[0].length"),
    ("attachments.0.length", -1, "attachment.length", "$.attachments[0].length"),
    ("attachments.0.sha2", "abc", "attachment.sha2", "$.attachments[0].sha2"),
    ("attachments.0.sha2", 1, "type", "$.attachments[0].sha2"),
    ("attachments.0.fileUrl", "8812.png", "iri", "$.attachments[0].fileUrl"),
    ("attachments.0.name", "x", "property.unknown", "$.attachments[0].name"),
]


@pytest.mark.parametrize(
    ("where", "value", "rule", "path"), BROKEN, ids=[f"{where}:{rule}" for where, _, rule, _ in BROKEN]
)
def test_one_change_breaks_one_rule_at_one_path(where: str, value: Any, rule: str, path: str) -> None:
    assert (rule, path or f"$.{where}") in faults_of(changed(ANSWERED, where, value))


@pytest.mark.parametrize(
    ("where", "value", "rule", "path"),
    [
        ("context.contextAgents", {}, "type", ""),
        ("context.contextAgents.0", 7, "type", "$.context.contextAgents[0]"),
        ("context.contextAgents.0.objectType", "Agent", "context.agents", "$.context.contextAgents[0].objectType"),
        ("context.contextAgents.0.agent", _REMOVE, "context.agents", "$.context.contextAgents[0]"),
        ("context.contextAgents.0.agent", {}, "actor.identifier_missing", "$.context.contextAgents[0].agent"),
        (
            "context.contextAgents.0.relevantTypes",
            [],
            "context.relevant_types",
            "$.context.contextAgents[0].relevantTypes",
        ),
        ("context.contextAgents.0.relevantTypes", "x", "type", "$.context.contextAgents[0].relevantTypes"),
        ("context.contextAgents.0.relevantTypes", ["tutor"], "iri", "$.context.contextAgents[0].relevantTypes[0]"),
        ("context.contextAgents.0.group", {}, "property.unknown", "$.context.contextAgents[0].group"),
        (
            "context.contextGroups.0.objectType",
            "contextAgent",
            "context.groups",
            "$.context.contextGroups[0].objectType",
        ),
        ("context.contextGroups.0.group", _REMOVE, "context.groups", "$.context.contextGroups[0]"),
        ("context.contextGroups.0.group", AGENT, "actor.object_type", "$.context.contextGroups[0].group.objectType"),
        ("context.platform", "x", "context.only_activity", ""),
        ("context.revision", "x", "context.only_activity", ""),
        ("timestamp", "2026-11-20T10:30:00", "timestamp", ""),
    ],
)
def test_rules_of_2_0(where: str, value: Any, rule: str, path: str) -> None:
    assert (rule, path or f"$.{where}") in faults_of(changed(PLANNED, where, value), version_2=True)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("id", ANSWERED["id"].upper()),
        ("timestamp", "2026-11-20T09:30:00"),
        ("timestamp", "2026-11-20T09:30:00.123456789+05:30"),
        ("timestamp", "2016-12-31T23:59:60Z"),
        ("version", "1.0"),
        ("version", "1.0.9"),
        ("result.score.scaled", -1),
        ("result.response", ""),
        ("result.duration", "P1Y2M3DT4H5M6.7S"),
        ("result.duration", "P3W"),
        ("verb.display", {}),
        ("verb.display", {"und": "x", "zh-Hant-TW": "x", "x-private": "x", "i-klingon": "x"}),
        ("actor", {"objectType": "Group", "mbox": "mailto:7b@example.org"}),
        ("actor", {"objectType": "Group", "mbox": "mailto:7b@example.org", "member": []}),
        ("authority", member(AGENT, AGENT)),
        ("object.id", "urn:isbn:9780262510875"),
        ("object.id", "https://beispiel.example/übung"),
        ("result.extensions", {"https://example.org/e": {"a": None}}),
        ("context.contextActivities", {}),
        ("attachments", []),
    ],
)
def test_what_the_specification_allows_is_valid(where: str, value: Any) -> None:
    assert faults_of(changed(ANSWERED, where, value)) == []


def test_an_object_type_may_be_left_out_of_an_activity_and_an_agent() -> None:
    statement = changed(changed(ANSWERED, "object.objectType", _REMOVE), "actor.objectType", _REMOVE)
    assert faults_of(statement) == []


def test_a_batch_tells_all_faults_of_all_statements_by_index() -> None:
    without_id = changed(ANSWERED, "id", _REMOVE)
    sent = [
        changed(ANSWERED, "verb.id", "x"),
        changed(ANSWERED, "id", "16fd2706-8baf-433b-82eb-8c7fada847da"),
        changed(changed(without_id, "result.score.scaled", 2), "actor", {}),
        "statement",
    ]
    assert faults_of(sent) == [
        ("iri", "$[0].verb.id"),
        ("actor.identifier_missing", "$[2].actor"),
        ("score.scaled", "$[2].result.score.scaled"),
        ("statement.type", "$[3]"),
    ]


def test_the_same_id_twice_in_a_batch_is_a_fault_whatever_its_case() -> None:
    assert faults_of([ANSWERED, changed(ANSWERED, "id", ANSWERED["id"].upper())]) == [("batch.same_id", "$[1].id")]


@pytest.mark.parametrize(
    ("actor", "path"),
    [
        ({"mbox": "mailto:" + "a" * 2030 + "@example.org"}, "$.actor.mbox"),
        ({"openid": "https://example.org/" + "é" * 1015}, "$.actor.openid"),
        ({"account": {"homePage": "https://example.org/", "name": "a" * 2029}}, "$.actor.account"),
    ],
)
def test_an_identifier_has_a_length_that_an_index_holds(actor: dict[str, Any], path: str) -> None:
    assert faults_of(changed(ANSWERED, "actor", actor)) == [("limit.identifier", path)]


@pytest.mark.parametrize("value", [Decimal("1e400"), Decimal("-1e999999999"), 10**400])
def test_a_score_beyond_all_doubles_is_refused_here_as_no_worker_could_reckon_with_it(value: Any) -> None:
    assert faults_of(changed(ANSWERED, "result.score", {"raw": value})) == [("score.range", "$.result.score.raw")]


def test_a_score_of_very_many_digits_or_very_small_is_valid() -> None:
    for value in (Decimal("1e-999999"), Decimal("0.1000000000000000055511151231257827"), 10**300):
        assert faults_of(changed(ANSWERED, "result.score", {"raw": value})) == []


@pytest.mark.parametrize("character", ["\0", "\x01", "\x7f", " "])
def test_an_address_has_no_character_that_is_not_written(character: str) -> None:
    broken = changed(ANSWERED, "actor", {"mbox": f"mailto:a{character}b@example.org"})
    assert faults_of(broken) == [("actor.mbox", "$.actor.mbox")]


def test_of_a_million_faults_the_first_hundred_of_each_statement_are_kept_and_all_counted() -> None:
    faults = Faults()
    batch([{**ANSWERED, **dict.fromkeys(map(str, range(300)), 1)}, {}], faults, version_2=False)
    assert [fault.path.partition("]")[0] for fault in faults] == ["$[0"] * 100 + ["$[1"] * 3
    assert faults.left_out == 200


def test_a_name_of_a_million_characters_is_not_told_in_full() -> None:
    faults = Faults()
    batch({**ANSWERED, "x" * 1_000_000: 1}, faults, version_2=False)
    [only] = faults
    assert only.path.startswith("$.xxx")
    assert len(only.path) + len(only.message) < 1000


@pytest.mark.parametrize("value", [None, 7, "x", True])
def test_what_is_neither_object_nor_array_is_no_statement(value: Any) -> None:
    assert faults_of(value) == [("statement.type", "$")]


def test_faults_tell_section_fix_and_no_part_of_an_agent() -> None:
    secret = "ada.lovelace"
    agents: list[Callable[[], Any]] = [
        lambda: {"mbox": f"{secret}@example.org"},
        lambda: {"openid": secret},
        lambda: {"account": {"homePage": secret, "name": secret}},
        lambda: {"mbox_sha1sum": secret},
        lambda: {"name": secret},
    ]
    for agent in agents:
        faults = Faults()
        batch(changed(ANSWERED, "actor", agent()), faults, version_2=False)
        assert faults
        for fault in faults:
            assert fault.section.startswith("1.0.3 Data ")
            assert fault.fix.endswith(".")
            assert secret not in str(fault)
