"""Requests to each resource: parameters, headers, formats, preconditions, HEAD (Communication 1 to 4)."""

# ruff: noqa: E501  one case a line

from __future__ import annotations

from typing import Final

from tests.conformance.requests import BOTH, ONE, TWO, WHOLE, Case, agent

_ID: Final = "b3f1a2c4-5d6e-4f70-8a91-b2c3d4e5f601"
_IRI: Final = "https://items.example.org/item/conformance"
_STATE: Final = {"activityId": _IRI, "agent": agent("state"), "stateId": "bookmark"}
_AGENT: Final = {"agent": agent("profile"), "profileId": "preferences"}
_ACTIVITY: Final = {"activityId": _IRI, "profileId": "settings"}

_DOCUMENTS: Final = (
    ("Communication 2.3", "activities/state", _STATE, "stateId", ("activityId", "agent")),
    ("Communication 2.6", "agents/profile", _AGENT, "profileId", ("agent",)),
    ("Communication 2.7", "activities/profile", _ACTIVITY, "profileId", ("activityId",)),
)
_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")


def without(params: dict[str, str], name: str) -> dict[str, str]:
    """Parameters but one."""
    return {key: value for key, value in params.items() if key != name}


def cases() -> list[Case]:
    """All of them: none depends on another."""
    return [*_documents(), *_statements(), *_versions(), *_others()]


def _documents() -> list[Case]:
    made = []
    for section, path, params, name, owners in _DOCUMENTS:
        for method in _METHODS:
            made += _parameters(section, path, params, name, owners, method)
        gone = {**params, name: "never"}
        tag = {"If-Match": '"1"'}
        made += [
            Case(section, f"DELETE {path} of what is not there", "DELETE", path, 204, params=gone),
            Case("XAPI-00322", f"PUT {path} onto nothing with a tag", "PUT", path, 412, params=gone, body={}, headers=tag),
            Case("XAPI-00321", f"GET {path} without version", "GET", path, 400, params=params, headers={"X-Experience-API-Version": ""}),
        ]  # fmt: skip
        for text in (b"{", b"[1]", b'{"a": 1}{', b"text"):
            json = {"Content-Type": "application/json"}
            what = f"POST {path} of the JSON {text!r}"
            made.append(
                Case(section, what, "POST", path, 400, params=params, body=text, headers=json, has="document.merge")
            )
    for path, params in (("agents/profile", _AGENT), ("activities/profile", _ACTIVITY)):
        new = {**params, "profileId": "put-without-condition"}
        made.append(
            Case("XAPI-00273", f"PUT {path} without a condition", "PUT", path, 400, (ONE,), params=new, body={})
        )
    return made


def _parameters(
    section: str, path: str, params: dict[str, str], name: str, owners: tuple[str, ...], method: str
) -> list[Case]:
    body = {"a": 1} if method in ("PUT", "POST") else None
    headers = {"If-None-Match": "*"} if method == "PUT" else {}
    many = without(params, name)

    def refused(requirement: str, what: str, sent: dict[str, str]) -> Case:
        return Case(requirement, f"{method} {path} {what}", method, path, 400, params=sent, body=body, headers=headers)

    made = [refused(section, f"without {one}", without(params, one)) for one in owners]
    made.append(refused("XAPI-00324", "with a parameter nobody knows", {**params, "extra": "1"}))
    made.append(refused("XAPI-00325", "with a parameter in capitals", {**many, name.upper(): "x"}))
    if "agent" in owners:
        for value in ("no JSON", "true", "{}", '{"mbox": "nobody"}', '{"objectType": "Group", "member": []}'):
            made.append(refused(section, f"of the agent {value}", {**params, "agent": value}))
    if "activityId" in owners:
        made.append(refused(section, "of no IRI", {**params, "activityId": "no iri"}))
    if path == "activities/state":
        made.append(refused(section, "of a registration that is no UUID", {**params, "registration": "x"}))
    if method in ("PUT", "POST") or (method == "DELETE" and path != "activities/state"):
        made.append(refused(section, f"without {name}", many))
    if method in ("GET", "HEAD"):
        made.append(refused(section, "since no time", {**many, "since": "x"}))
        gone = {**params, name: "never-written"}
        made.append(Case(section, f"{method} {path} of what is not there", method, path, 404, params=gone))
        made.append(Case(section, f"{method} {path} of all of them", method, path, 200, params=many))
    return made


def _statements() -> list[Case]:
    def get(requirement: str, what: str, status: int, **params: str) -> Case:
        told = {"X-Experience-API-Consistent-Through": "Z"}
        return Case(requirement, f"GET {what}", "GET", "statements", status, params=params, headers_told=told)

    made = [
        get("XAPI-00154", "all", 200, limit="1"),
        get("XAPI-00156", "an id nobody sent", 404, statementId=_ID),
        get("XAPI-00155", "a voided id nobody sent", 404, voidedStatementId=_ID),
        get("Communication 2.1.3", "an id that is none", 400, statementId="x"),
        get("Communication 2.1.3", "both ids", 400, statementId=_ID, voidedStatementId=_ID),
        get("XAPI-00151", "an id and a verb", 400, statementId=_ID, verb="https://example.org/v"),
        get("XAPI-00150", "a voided id and a limit", 400, voidedStatementId=_ID, limit="1"),
        get("XAPI-00149", "an agent nobody knows", 200, agent=agent("nobody at all")),
        get("XAPI-00181", "an agent", 200, agent=agent("table-4")),
        get("XAPI-00324", "an unknown parameter", 400, colour="red"),
        get("XAPI-00325", "a parameter in capitals", 400, StatementId=_ID),
    ]
    for name in ("since", "until"):
        made += [get("XAPI-00012", f"{name} {value}", 400, **{name: value}) for value in ("x", "2026-13-01T00:00:00Z")]
        made.append(get("Communication 2.1.3", f"{name} a time", 200, **{name: "2026-11-20T09:30:00Z"}))
    for name in ("ascending", "related_agents", "related_activities", "attachments"):
        made += [get("XAPI-00012", f"{name} {value}", 400, **{name: value}) for value in ("yes", "True", "1")]
    made += [get("XAPI-00012", f"limit {value}", 400, limit=value) for value in ("-1", "x", "1.5")]
    made += [get("XAPI-00012", f"format {value}", 400, format=value) for value in ("all", "Exact")]
    made += [
        get("Communication 2.1.3", f"format {value}", 200, format=value) for value in ("exact", "ids", "canonical")
    ]
    made += [get("XAPI-00012", f"{name} no IRI", 400, **{name: "no iri"}) for name in ("verb", "activity")]
    made += [get("XAPI-00012", "a registration that is no UUID", 400, registration="x")]
    made += [get("XAPI-00012", f"the agent {value}", 400, agent=value) for value in ("x", "{}", "[]", '{"mbox": "x"}')]

    def post(requirement: str, what: str, status: int, body: object, **headers: str) -> Case:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return Case(requirement, f"POST {what}", "POST", "statements", status, body=body, headers=sent)

    twice = {**WHOLE, "id": _ID}
    made += [
        post("XAPI-00146", "an array of none", 200, []),
        post("XAPI-00146", "an array of two", 200, [WHOLE, WHOLE]),
        post("XAPI-00326", "one good, one bad", 400, [WHOLE, {}]),
        post("Communication 2.1.2", "the same id twice", 400, [twice, {**twice, "result": {"success": False}}]),
        post("Communication 3.2", "broken JSON", 400, b'[{"actor":', Content_Type="application/json"),
        post("Communication 3.2", "no object", 400, b'"text"', Content_Type="application/json"),
        post("Communication 3.2", "no UTF-8", 400, b'{"actor": "\xff"}', Content_Type="application/json"),
        post("Data 2.2", "a key twice", 400, b'{"actor": {}, "actor": {}}', Content_Type="application/json"),
    ]
    for params, what in (
        ({}, "no id"),
        ({"statementId": "x"}, "an id that is none"),
        ({"statementid": _ID}, "the wrong case"),
    ):
        made.append(Case("XAPI-00145", f"PUT with {what}", "PUT", "statements", 400, params=params, body=WHOLE))
    made.append(
        Case("Communication 2.1.1", "PUT of another id", "PUT", "statements", 400, params={"statementId": _ID}, body={**WHOLE, "id": "c3f1a2c4-5d6e-4f70-8a91-b2c3d4e5f602"})
    )  # fmt: skip
    made.append(
        Case("Communication 2.1.1", "PUT of many", "PUT", "statements", 400, params={"statementId": _ID}, body=[WHOLE])
    )
    return made


def _versions() -> list[Case]:
    made = []
    for header, status in (
        ("1.0", 200),
        ("1.0.0", 200),
        ("1.0.9", 200),
        ("2.0.0", 200),
        ("0.95", 400),
        ("1.1.0", 400),
        ("3.0", 400),
        ("x", 400),
    ):
        sent = {"X-Experience-API-Version": header}
        made.append(
            Case(
                "XAPI-00331", f"the version {header}", "GET", "statements", status, params={"limit": "1"}, headers=sent
            )
        )
    for version in BOTH:
        told = {"X-Experience-API-Version": version}
        for path in ("statements", "about"):
            what = f"the version of an answer of {path}"
            params = {"limit": "1"} if path == "statements" else {}
            made.append(Case("XAPI-00333", what, "GET", path, 200, (version,), params=params, headers_told=told))
    return made


def _others() -> list[Case]:
    iri, who = {"activityId": _IRI}, {"agent": agent("nobody")}
    return [
        Case("XAPI-00317", "about names both versions", "GET", "about", 200, has='"1.0.3"'),
        Case("XAPI-00316", "about needs no version", "GET", "about", 200, headers={"X-Experience-API-Version": ""}, has="2.0.0"),
        Case("XAPI-00126", "HEAD of about", "HEAD", "about", 200),
        Case("XAPI-00126", "HEAD of statements", "HEAD", "statements", 200, params={"limit": "1"}),
        Case("XAPI-00126", "HEAD of an activity", "HEAD", "activities", 200, params=iri),
        Case("XAPI-00126", "HEAD of an agent", "HEAD", "agents", 200, params=who),
        Case("XAPI-00251", "an activity nobody told of", "GET", "activities", 200, params=iri, has=_IRI),
        Case("XAPI-00250", "an activity without id", "GET", "activities", 400),
        Case("Communication 2.5", "an activity of no IRI", "GET", "activities", 400, params={"activityId": "no iri"}),
        Case("XAPI-00237", "a person", "GET", "agents", 200, params=who, has='"Person"'),
        Case("XAPI-00243", "a person without agent", "GET", "agents", 400),
        Case("XAPI-00249", "a person of no agent", "GET", "agents", 400, params={"agent": '{"mbox": 1}'}),
        Case("XAPI-00334", "no credential", "GET", "statements", 401, headers={"Authorization": ""}),
        Case("XAPI-00334", "a wrong credential", "GET", "statements", 401, headers={"Authorization": "Basic eDp5"}),
        Case("XAPI-00336", "alternate syntax", "POST", "statements", 200, (ONE,), params={"method": "GET"}, body=b"limit=1", headers={"Content-Type": "application/x-www-form-urlencoded"}),
        Case("2.0.0 4.1.3", "alternate syntax is gone", "POST", "statements", 400, (TWO,), params={"method": "GET"}, body=b"limit=1", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    ]  # fmt: skip
