"""A whole statement, a sub-statement, and a batch (Data 2.2, 2.4 and 2.4.4.3)."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi.faults import Faults, Rule, kind_of
from ingest.xapi.terms import VOIDED
from ingest.xapi.timestamps import TimestampError, microseconds
from ingest.xapi.validation.actors import actor, agent
from ingest.xapi.validation.attachments import attachments
from ingest.xapi.validation.contexts import context
from ingest.xapi.validation.objects import activity, statement_reference, verb
from ingest.xapi.validation.results import result
from ingest.xapi.validation.values import properties, uuid, wrong_type

REQUIRED = Rule("statement.missing", "1.0.3 Data 2.2", "A statement has an actor, a verb and an object.")
NOT_STATEMENT = Rule("statement.type", "1.0.3 Data 2.2", "Send a statement object, or an array of them.")
OBJECT_TYPE = Rule(
    "object.object_type", "1.0.3 Data 2.4.4", "Use Activity, Agent, Group, StatementRef or SubStatement as objectType."
)
NESTED = Rule("sub_statement.nested", "1.0.3 Data 2.4.4.3", "A sub-statement has no sub-statement within it.")
NOT_IN_SUB = Rule(
    "sub_statement.property", "1.0.3 Data 2.4.4.3", "Leave id, stored, version and authority out of a sub-statement."
)
VOIDING = Rule("voiding.object", "1.0.3 Data 2.3.2", "Voiding needs a StatementRef with the id of what is voided.")
TIMESTAMP = Rule("timestamp", "1.0.3 Data 4.5", "Send ISO 8601 with a zone, as 2026-11-21T09:30:00.000Z.")
VERSION = Rule("version", "1.0.3 Data 2.4.10", "Leave version out, or send 1.0.x (2.0.x with a request in 2.0.0).")
AUTHORITY = Rule(
    "authority", "1.0.3 Data 2.4.9", "Send one agent, or an OAuth pair: a group without identifier of two agents."
)
SAME_ID = Rule("batch.same_id", "1.0.3 Communication 2.1.2", "Give each statement of a batch its own id.")

_SUB: Final = frozenset({"objectType", "actor", "verb", "object", "result", "context", "timestamp", "attachments"})
_STATEMENT: Final = (_SUB - {"objectType"}) | {"id", "stored", "authority", "version"}
_TOP_ONLY: Final = ("id", "stored", "version", "authority")


def batch(value: Any, faults: Faults, *, version_2: bool) -> list[dict[str, Any]]:
    """The statements of a body, a single one or an array; all faults of all of them are noted."""
    if isinstance(value, dict):
        statement(value, "$", faults, version_2=version_2)
        return [value]
    if not isinstance(value, list):
        faults.add(NOT_STATEMENT, "$", f"{kind_of(value)} where a statement is expected")
        return []
    seen: dict[str, int] = {}
    for index, one in enumerate(value):
        if not isinstance(one, dict):
            faults.add(NOT_STATEMENT, f"$[{index}]", f"{kind_of(one)} where a statement is expected")
            continue
        statement(one, f"$[{index}]", faults, version_2=version_2)
        key = one.get("id")
        if isinstance(key, str):
            first = seen.setdefault(key.lower(), index)
            if first != index:
                faults.add(SAME_ID, f"$[{index}].id", f"is the id of statement {first} of the batch, too", key)
    return value


def statement(value: dict[str, Any], path: str, faults: Faults, *, version_2: bool) -> None:
    """A statement (Data 2.2)."""
    properties(value, _STATEMENT, path, faults)
    if "id" in value:
        uuid(value["id"], f"{path}.id", faults)
    _parts(value, path, faults, version_2=version_2, nested=False)
    if "stored" in value:
        timestamp(value["stored"], f"{path}.stored", faults, version_2=version_2)
    if "version" in value:
        _version(value["version"], f"{path}.version", faults, version_2=version_2)
    if "authority" in value:
        _authority(value["authority"], f"{path}.authority", faults)


def timestamp(value: Any, path: str, faults: Faults, *, version_2: bool) -> None:
    """A timestamp (Data 4.5); 2.0.0 demands a zone (RFC 3339)."""
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a timestamp")
        return
    try:
        microseconds(value, zone_required=version_2)
    except TimestampError as error:
        faults.add(TIMESTAMP, path, str(error), value)


def _parts(value: dict[str, Any], path: str, faults: Faults, *, version_2: bool, nested: bool) -> None:
    """What statements and sub-statements share."""
    if "actor" in value:
        actor(value["actor"], f"{path}.actor", faults)
    else:
        faults.add(REQUIRED, path, "has no actor")
    if "verb" in value:
        verb(value["verb"], f"{path}.verb", faults)
    else:
        faults.add(REQUIRED, path, "has no verb")
    kind = None
    if "object" in value:
        kind = _object(value["object"], f"{path}.object", faults, version_2=version_2, nested=nested)
        _voiding(value, kind, path, faults)
    else:
        faults.add(REQUIRED, path, "has no object")
    if "result" in value:
        result(value["result"], f"{path}.result", faults)
    if "context" in value:
        about_activity = kind in ("Activity", None)
        context(value["context"], f"{path}.context", faults, version_2=version_2, about_activity=about_activity)
    if "timestamp" in value:
        timestamp(value["timestamp"], f"{path}.timestamp", faults, version_2=version_2)
    if "attachments" in value:
        attachments(value["attachments"], f"{path}.attachments", faults)


def _object(value: Any, path: str, faults: Faults, *, version_2: bool, nested: bool) -> str | None:
    """The object of a statement; its type, None when it has none that is known (Data 2.4.4)."""
    if not isinstance(value, dict):
        wrong_type(faults, path, value, "an object")
        return None
    kind = value.get("objectType", "Activity")
    if kind == "Activity":
        activity(value, path, faults)
    elif kind in ("Agent", "Group"):
        actor(value, path, faults)
    elif kind == "StatementRef":
        statement_reference(value, path, faults)
    elif kind == "SubStatement":
        _sub_statement(value, path, faults, version_2=version_2, nested=nested)
    else:
        if isinstance(kind, str):
            faults.add(OBJECT_TYPE, f"{path}.objectType", "is no type of object", kind)
        else:
            wrong_type(faults, f"{path}.objectType", kind, "a string")
        return None
    return str(kind)


def _sub_statement(value: dict[str, Any], path: str, faults: Faults, *, version_2: bool, nested: bool) -> None:
    if nested:
        faults.add(NESTED, path, "a sub-statement stands inside a sub-statement")
        return
    for name in _TOP_ONLY:
        if name in value:
            faults.add(NOT_IN_SUB, f"{path}.{name}", f"a sub-statement has no {name}")
    properties(value, _SUB | set(_TOP_ONLY), path, faults)
    _parts(value, path, faults, version_2=version_2, nested=True)


def _voiding(value: dict[str, Any], kind: str | None, path: str, faults: Faults) -> None:
    used = value.get("verb")
    if isinstance(used, dict) and used.get("id") == VOIDED and kind != "StatementRef":
        faults.add(VOIDING, f"{path}.object", "a voiding statement does not refer to a statement")


def _version(value: Any, path: str, faults: Faults, *, version_2: bool) -> None:
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a version")
    elif not (_follows(value, "1.0") or (version_2 and _follows(value, "2.0"))):
        faults.add(VERSION, path, "is no version of this request's specification", value)


def _follows(value: str, base: str) -> bool:
    rest = value.removeprefix(base)
    return value.startswith(base) and (not rest or (rest[0] == "." and rest[1:].isdigit() and rest.isascii()))


def _authority(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, dict) or value.get("objectType", "Agent") != "Group":
        agent(value, path, faults)
        return
    actor(value, path, faults)
    members = value.get("member")
    identified = not {"mbox", "mbox_sha1sum", "openid", "account"}.isdisjoint(value)
    if identified or not isinstance(members, list) or len(members) != 2:
        faults.add(AUTHORITY, path, "is a group that is no OAuth pair")
