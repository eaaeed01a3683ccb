"""Statements that are to be taken and to be refused, as changes of one that has everything (Data 2.2 to 2.6)."""

# ruff: noqa: E501  one case a line

from __future__ import annotations

from typing import Any, Final

from tests.conformance.requests import BOTH, MISSING, ONE, TWO, WHOLE, Case, changed

_NO_STRINGS: Final[tuple[Any, ...]] = (7, True, {}, [])
_NO_OBJECTS: Final[tuple[Any, ...]] = (7, "text", True, [])
_NO_IRIS: Final = ("no scheme", "", "example.org/x", 7)
_NO_UUIDS: Final = ("1234", "5f2cbbd5-8c9e-4b0a-9a3e", "zf2cbbd5-8c9e-4b0a-9a3e-0d7a0b6f3a11", 7)
_NO_MAPS: Final = ("text", ["en"], {"not a tag!": "x"}, {"en": 7})
_NO_TIMES: Final = ("yesterday", "2026-13-01T00:00:00Z", "2026-11-20", "2026-11-20T09:30:00-00:00", 7)

# Requirement, place in the statement, values that are refused there.
_WRONG: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("Data 2.4.1", "id", _NO_UUIDS),
    ("Data 2.4.2", "actor", (*_NO_OBJECTS, {}, MISSING)),
    ("Data 2.4.2", "actor.objectType", ("agent", "Person", 7)),
    ("Data 2.4.2.1", "actor.name", _NO_STRINGS),
    ("Data 2.4.2.2", "actor.member", ("text", {}, [{}], [7], [{"objectType": "Group", "mbox": "mailto:a@example.org"}])),
    ("Data 2.4.2.3", "actor.mbox", ("mailto:a@example.org",)),
    ("Data 2.4.2.3", "context.instructor.mbox", ("a@example.org", "mailto:nobody", "MAILTO", 7)),
    ("Data 2.4.2.3", "context.team.member.0.openid", _NO_IRIS),
    ("Data 2.4.2.4", "actor.account", (*_NO_OBJECTS, {}, {"name": "x"}, {"homePage": "https://example.org"})),
    ("Data 2.4.2.4", "actor.account.homePage", _NO_IRIS),
    ("Data 2.4.2.4", "actor.account.name", _NO_STRINGS),
    ("Data 2.4.3", "verb", (*_NO_OBJECTS, {}, MISSING)),
    ("Data 2.4.3", "verb.id", (*_NO_IRIS, MISSING)),
    ("Data 2.4.3", "verb.display", _NO_MAPS),
    ("Data 2.4.4", "object", (*_NO_OBJECTS, {}, MISSING)),
    ("Data 2.4.4", "object.objectType", ("activity", "Course", 7)),
    ("Data 2.4.4.1", "object.id", (*_NO_IRIS, MISSING)),
    ("Data 2.4.4.1", "object.definition", _NO_OBJECTS),
    ("Data 2.4.4.1", "object.definition.name", _NO_MAPS),
    ("Data 2.4.4.1", "object.definition.description", _NO_MAPS),
    ("Data 2.4.4.1", "object.definition.type", _NO_IRIS),
    ("Data 2.4.4.1", "object.definition.moreInfo", _NO_IRIS),
    ("Data 2.4.4.1", "object.definition.interactionType", ("guess", "Choice", 7, MISSING)),
    ("Data 2.4.4.1", "object.definition.correctResponsesPattern", ("b", [7], {})),
    ("Data 2.4.4.1", "object.definition.choices", ("a", {}, [7], [{}], [{"id": "a"}, {"id": "a"}], [{"id": 7}])),
    ("Data 2.4.4.1", "object.definition.scale", ([{"id": "a"}],)),
    ("Data 2.4.4.1", "object.definition.extensions", (*_NO_OBJECTS, {"no iri": 1})),
    ("Data 2.4.5", "result", _NO_OBJECTS),
    ("Data 2.4.5", "result.success", ("true", 1, [])),
    ("Data 2.4.5", "result.completion", ("true", 0, {})),
    ("Data 2.4.5", "result.response", _NO_STRINGS),
    ("Data 2.4.5", "result.duration", ("60", "1 minute", "PT", "P1W2D", 60)),
    ("Data 2.4.5.1", "result.score", _NO_OBJECTS),
    ("Data 2.4.5.1", "result.score.scaled", (1.01, -1.01, "0.5")),
    ("Data 2.4.5.1", "result.score.raw", (-1, 11, "5")),
    ("Data 2.4.5.1", "result.score.min", (10, 11, "0")),
    ("Data 2.4.5.1", "result.score.max", (0, -1, "10")),
    ("Data 2.4.5", "result.extensions", (*_NO_OBJECTS, {"no iri": 1})),
    ("Data 2.4.6", "context", _NO_OBJECTS),
    ("Data 2.4.6", "context.registration", _NO_UUIDS),
    ("Data 2.4.6", "context.team", (*_NO_OBJECTS, {"mbox": "mailto:a@example.org"}, {"objectType": "Group"})),
    ("Data 2.4.6", "context.revision", _NO_STRINGS),
    ("Data 2.4.6", "context.platform", _NO_STRINGS),
    ("Data 2.4.6", "context.language", ("a language", "", 7)),
    ("Data 2.4.6", "context.statement", (*_NO_OBJECTS, {"id": "16fd2706-8baf-433b-82eb-8c7fada847da"})),
    ("Data 2.4.6.2", "context.contextActivities", (*_NO_OBJECTS, {"sibling": [{"id": "https://example.org"}]})),
    ("Data 2.4.6.2", "context.contextActivities.parent", ("text", 7, [7], [{"id": "no iri"}])),
    ("Data 2.4.6", "context.extensions", (*_NO_OBJECTS, {"no iri": 1})),
    ("Data 2.4.7", "timestamp", _NO_TIMES),
    ("Data 2.4.8", "stored", _NO_TIMES),
    ("Data 2.4.9", "authority", ({}, "me", {"objectType": "Group", "member": [{"mbox": "mailto:a@example.org"}]})),
    ("XAPI-00101", "version", ("0.95", "1.1.0", "3", 1.0)),
    ("Data 2.4.11", "attachments", ("text", {}, [7], [{}])),
    ("Data 2.2", "Actor", (WHOLE["actor"],)),
    ("Data 2.2", "extra", ("value",)),
    ("Data 2.2", "verb.ID", ("https://example.org/verb",)),
    ("Data 2.2", "context.Platform", ("x",)),
)  # fmt: skip

_TAKEN: Final[tuple[tuple[str, str, Any], ...]] = (
    ("Data 2.4.1", "id of any variant in capitals", ("id", "5F2CBBD5-8C9E-4B0A-9A3E-0D7A0B6F3A12")),
    ("Data 2.4.2.2", "an identified group without members", ("actor.member", MISSING)),
    ("Data 2.4.2.2", "an anonymous group", ("actor.account", MISSING)),
    ("Data 2.4.3", "a verb without display", ("verb.display", MISSING)),
    ("Data 2.4.4", "an activity that does not say so", ("object.objectType", MISSING)),
    ("Data 2.4.4", "an activity without definition", ("object.definition", MISSING)),
    ("Data 2.4.5.1", "a score at the edge", ("result.score.scaled", -1)),
    ("Data 2.4.5.1", "a raw score without bounds", ("result.score", {"raw": -3.25})),
    ("Data 2.4.5", "an empty response", ("result.response", "")),
    ("XAPI-00119", "extensions of null and nothing", ("result.extensions", {"https://example.org/a": None, "https://example.org/b": {}})),
    ("Data 2.4.6.2", "one activity in place of an array", ("context.contextActivities.parent", {"id": "https://example.org/u"})),
    ("Data 4.6", "a duration of weeks", ("result.duration", "P4W")),
    ("Data 4.6", "a duration of all parts", ("result.duration", "P1Y2M3DT4H5M6.78S")),
    ("Data 4.2", "a language map of many tags", ("verb.display", {"de": "beantwortet", "zh-Hant-TW": "回答", "x-klingon": "x"})),
    ("XAPI-00122", "a timestamp of nanoseconds", ("timestamp", "2026-11-20T09:30:00.123456789Z")),
    ("Data 4.5", "a timestamp of another zone", ("timestamp", "2026-11-20T10:30:00+01:00")),
)  # fmt: skip

_REFERENCE: Final = {"objectType": "StatementRef", "id": "16fd2706-8baf-433b-82eb-8c7fada847da"}
_SMALL: Final = {
    "actor": {"mbox": "mailto:a@example.org"},
    "verb": {"id": "https://example.org/v"},
    "object": _REFERENCE,
}
_SUB: Final = {**_SMALL, "objectType": "SubStatement"}
_VOID: Final = {"id": "http://adlnet.gov/expapi/verbs/voided"}
_GROUP: Final = {"objectType": "Group", "mbox": "mailto:g@example.org"}

# Requirement, what, statement, whether 1.0.3 takes it, whether 2.0.0 does.
_FORMS: Final[tuple[tuple[str, str, Any, bool, bool], ...]] = (
    ("Data 2.4.4.2", "an agent as object", {**_SMALL, "object": {"objectType": "Agent", "mbox": "mailto:b@example.org"}}, True, True),
    ("Data 2.4.4.2", "a group as object", {**_SMALL, "object": _GROUP}, True, True),
    ("Data 2.4.4.3", "a reference as object", _SMALL, True, True),
    ("Data 2.4.4.3", "a reference that is no UUID", {**_SMALL, "object": {**_REFERENCE, "id": "x"}}, False, False),
    ("Data 2.4.4.3", "a sub-statement", {**_SMALL, "object": _SUB}, True, True),
    ("Data 2.4.4.3", "a sub-statement in one", {**_SMALL, "object": {**_SUB, "object": _SUB}}, False, False),
    ("Data 2.4.4.3", "a sub-statement with an id", {**_SMALL, "object": {**_SUB, "id": _REFERENCE["id"]}}, False, False),
    ("Data 2.4.4.3", "a sub-statement with stored", {**_SMALL, "object": {**_SUB, "stored": "2026-11-20T09:30:00Z"}}, False, False),
    ("Data 2.4.4.3", "a sub-statement with version", {**_SMALL, "object": {**_SUB, "version": "1.0.0"}}, False, False),
    ("Data 2.4.4.3", "a sub-statement with authority", {**_SMALL, "object": {**_SUB, "authority": _SMALL["actor"]}}, False, False),
    ("Data 2.3.2", "voiding what is named", {**_SMALL, "verb": _VOID}, True, True),
    ("Data 2.3.2", "voiding an activity", {**_SMALL, "verb": _VOID, "object": {"id": "https://example.org/a"}}, False, False),
    ("Data 2.4.6", "revision where the object is an agent", {**_SMALL, "object": _GROUP, "context": {"revision": "1"}}, False, False),
    ("Data 2.4.6", "platform where the object is an agent", {**_SMALL, "object": _GROUP, "context": {"platform": "p"}}, False, False),
    ("2.0.0 4.2.2.5", "context agents", {**_SMALL, "context": {"contextAgents": [{"objectType": "contextAgent", "agent": _SMALL["actor"]}]}}, False, True),
    ("2.0.0 4.2.2.5", "context groups", {**_SMALL, "context": {"contextGroups": [{"objectType": "contextGroup", "group": _GROUP}]}}, False, True),
    ("2.0.0 4.2.2.5", "relevant types", {**_SMALL, "context": {"contextAgents": [{"objectType": "contextAgent", "agent": _SMALL["actor"], "relevantTypes": ["https://example.org/mentor"]}]}}, False, True),
    ("2.0.0 4.2.2.5", "no relevant types", {**_SMALL, "context": {"contextAgents": [{"objectType": "contextAgent", "agent": _SMALL["actor"], "relevantTypes": []}]}}, False, False),
    ("2.0.0 4.2.2.5", "a group as context agent", {**_SMALL, "context": {"contextAgents": [{"objectType": "contextAgent", "agent": _GROUP}]}}, False, False),
    ("2.0.0 4.2.2.5", "an agent as context group", {**_SMALL, "context": {"contextGroups": [{"objectType": "contextGroup", "group": _SMALL["actor"]}]}}, False, False),
    ("2.0.0 4.2.2.5", "a context agent that does not say so", {**_SMALL, "context": {"contextAgents": [{"agent": _SMALL["actor"]}]}}, False, False),
    ("XAPI-00101", "the version of 2.0.0", {**_SMALL, "version": "2.0.0"}, False, True),
    ("Data 4.5", "a timestamp without zone", {**_SMALL, "timestamp": "2026-11-20T09:30:00"}, True, False),
)  # fmt: skip


def cases() -> list[Case]:
    """All of them, as POSTs of one statement."""
    made = [
        _post(
            requirement, f"{place} = {'nothing' if value is MISSING else repr(value)[:60]}", changed(place, value), 400
        )
        for requirement, place, values in _WRONG
        for value in values
    ]
    made += [_post("Data 2.2", f"{place} = null", changed(place, None), 400) for place in _places(WHOLE, "")]
    made += [_post(requirement, what, changed(*change), 200) for requirement, what, change in _TAKEN]
    for requirement, what, statement, *taken in _FORMS:
        for version, ok in zip(BOTH, taken, strict=True):
            made.append(_post(requirement, what, statement, 200 if ok else 400, (version,)))
    return [*made, _post("Data 2.2", "a statement that has everything", WHOLE, 200)]


def _post(requirement: str, what: str, body: Any, status: int, versions: tuple[str, ...] = (ONE, TWO)) -> Case:
    return Case(
        requirement, what, "POST", "statements", status, versions, body=body, has="faults" if status == 400 else ""
    )


def _places(value: Any, above: str) -> list[str]:
    """Each property of the statement but those inside extensions and language maps."""
    found = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        path = f"{above}.{name}" if above else str(name)
        found.append(path)
        if isinstance(inner, dict | list) and name not in ("extensions", "display", "description", "name"):
            found += _places(inner, path)
    return found
