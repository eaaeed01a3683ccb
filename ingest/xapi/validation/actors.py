"""Agents and groups (Data 2.4.2). Messages and values tell nothing of who it is."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi import terms
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.validation.values import IRI, object_, properties, string, wrong_type

OBJECT_TYPE = Rule("actor.object_type", "1.0.3 Data 2.4.2", 'Use "Agent" or "Group" as objectType.')
NO_IDENTIFIER = Rule(
    "actor.identifier_missing", "1.0.3 Data 2.4.2.3", "Add exactly one of mbox, mbox_sha1sum, openid, account."
)
TWO_IDENTIFIERS = Rule(
    "actor.identifier_ambiguous", "1.0.3 Data 2.4.2.3", "Keep exactly one of mbox, mbox_sha1sum, openid, account."
)
MBOX = Rule("actor.mbox", "1.0.3 Data 2.4.2.3", "Write it as mailto:name@example.org.")
SHA1 = Rule("actor.mbox_sha1sum", "1.0.3 Data 2.4.2.3", "Send the SHA-1 of the mailto IRI as 40 hexadecimal digits.")
NUL = Rule("actor.account_nul", "1.0.3 Data 2.4.2.4", "Leave out the NUL character (U+0000): databases cannot hold it.")
ACCOUNT = Rule("actor.account", "1.0.3 Data 2.4.2.4", "Send homePage (an IRL) and name (a string), both of them.")
MEMBERS_MISSING = Rule("group.members_missing", "1.0.3 Data 2.4.2.2", "List the members, or identify the group.")
MEMBER_GROUP = Rule("group.nested", "1.0.3 Data 2.4.2.2", "List agents as members; a group has no groups within it.")

LONG = Rule("limit.identifier", "1.0.3 Data 2.4.2.3", "Identify whoever it is by something shorter.")

IDENTIFIER_BYTES: Final = 2048
"""Longest identifier: the registry finds people by an index on it, and PostgreSQL's have no room for longer ones."""

IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")
_AGENT: Final = frozenset({"objectType", "name", *IDENTIFIERS})
_GROUP: Final = _AGENT | {"member"}
_ACCOUNT: Final = frozenset({"homePage", "name"})
_IDENTIFIER_SET: Final = frozenset(IDENTIFIERS)


def actor(value: Any, path: str, faults: Faults) -> None:
    """An agent or a group (Data 2.4.2)."""
    if not object_(value, path, faults, "an agent or a group"):
        return
    kind = value.get("objectType", "Agent")
    if kind == "Agent":
        _agent(value, path, faults)
    elif kind == "Group":
        _group(value, path, faults)
    else:
        _unknown_type(kind, path, faults)


def agent(value: Any, path: str, faults: Faults) -> None:
    """An agent, not a group (Data 2.4.2.1)."""
    if not object_(value, path, faults, "an agent"):
        return
    kind = value.get("objectType", "Agent")
    if kind == "Agent":
        _agent(value, path, faults)
    else:
        _unknown_type(kind, path, faults, 'is not "Agent"')


def group(value: Any, path: str, faults: Faults) -> None:
    """A group, not an agent (Data 2.4.2.2)."""
    if not object_(value, path, faults, "a group"):
        return
    if value.get("objectType") == "Group":
        _group(value, path, faults)
    else:
        _unknown_type(value.get("objectType", ""), path, faults, 'is not "Group"')


def _unknown_type(kind: Any, path: str, faults: Faults, problem: str = "is neither Agent nor Group") -> None:
    if isinstance(kind, str):
        faults.add(OBJECT_TYPE, f"{path}.objectType", problem, kind)
    else:
        wrong_type(faults, f"{path}.objectType", kind, "a string")


def _agent(value: dict[str, Any], path: str, faults: Faults) -> None:
    properties(value, _AGENT, path, faults)
    if not _identify(value, path, faults):
        faults.add(NO_IDENTIFIER, path, "the agent has no identifier")


def _group(value: dict[str, Any], path: str, faults: Faults) -> None:
    properties(value, _GROUP, path, faults)
    identified = _identify(value, path, faults)
    if "member" not in value:
        if not identified:
            faults.add(MEMBERS_MISSING, path, "a group without identifier has no members")
        return
    members = value["member"]
    if not isinstance(members, list):
        wrong_type(faults, f"{path}.member", members, "an array of agents")
        return
    if not members and not identified:
        faults.add(MEMBERS_MISSING, f"{path}.member", "a group without identifier has no members")
    for index, member in enumerate(members):
        at = f"{path}.member[{index}]"
        if isinstance(member, dict) and member.get("objectType") == "Group":
            faults.add(MEMBER_GROUP, at, "a member is a group")
        else:
            agent(member, at, faults)


def _identify(value: dict[str, Any], path: str, faults: Faults) -> bool:
    """Checks name and identifiers; whether there is at least one."""
    found = _IDENTIFIER_SET & value.keys()
    if len(found) > 1:
        faults.add(TWO_IDENTIFIERS, path, f"has {len(found)} identifiers: {', '.join(sorted(found))}")
    if "name" in value:
        string(value["name"], f"{path}.name", faults)
    for name in found:
        _CHECKS[name](value[name], f"{path}.{name}", faults)
        if _bytes(value[name]) > IDENTIFIER_BYTES:
            faults.add(LONG, f"{path}.{name}", f"the identifier is longer than {IDENTIFIER_BYTES} bytes")
    return bool(found)


def _bytes(identifier: Any) -> int:
    """Its length in UTF-8; of an account, that of its home page and name."""
    parts = identifier.values() if isinstance(identifier, dict) else (identifier,)
    return sum(len(one.encode()) for one in parts if isinstance(one, str))


def _mbox(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a mailto IRI")
    elif not terms.is_mbox(value):
        faults.add(MBOX, path, "is no mailto IRI of one address")


def _sha1(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a string")
    elif not terms.is_sha1(value):
        faults.add(SHA1, path, "is no SHA-1 in hexadecimal")


def _iri(value: Any, path: str, faults: Faults) -> None:
    """An IRI that may tell who somebody is: it is not quoted."""
    if not isinstance(value, str):
        wrong_type(faults, path, value, "an IRI")
    elif not terms.is_iri(value):
        faults.add(IRI, path, "is no IRI with a scheme")


def _account(value: Any, path: str, faults: Faults) -> None:
    if not object_(value, path, faults, "an account"):
        return
    properties(value, _ACCOUNT, path, faults)
    if "homePage" in value:
        _iri(value["homePage"], f"{path}.homePage", faults)
    else:
        faults.add(ACCOUNT, path, "the account has no homePage")
    if "name" in value:
        if value["name"] == "":
            faults.add(ACCOUNT, f"{path}.name", "the account's name is empty")
        elif isinstance(value["name"], str) and "\0" in value["name"]:
            faults.add(NUL, f"{path}.name", "the account's name holds a NUL character")
        string(value["name"], f"{path}.name", faults)
    else:
        faults.add(ACCOUNT, path, "the account has no name")


_CHECKS: Final = {"mbox": _mbox, "mbox_sha1sum": _sha1, "openid": _iri, "account": _account}
