"""Where agents stand in a statement, and their exchange for keys at the door and back on reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.xapi.parse import SORTED

Slot = tuple[dict[str, Any], str]
"""An object and the name of the property in which an agent, a group or the key of one stands."""

_AGENTS: Final = ("Agent", "Group")


def slots(statement: dict[str, Any]) -> list[Slot]:
    """Each place of a valid statement that holds an agent, a group or a key; the statement's own actor first."""
    found: list[Slot] = [(statement, "actor")]
    if "authority" in statement:
        found.append((statement, "authority"))
    target = statement["object"]
    if isinstance(target, str):
        found.append((statement, "object"))
    else:
        kind = target.get("objectType")
        if kind in _AGENTS:
            found.append((statement, "object"))
        elif kind == "SubStatement":
            found.extend(slots(target))
    if context := statement.get("context"):
        found.extend((context, name) for name in ("instructor", "team") if name in context)
        for name, inner in (("contextAgents", "agent"), ("contextGroups", "group")):
            if name in context:
                found.extend((one, inner) for one in context[name])
    return found


def exact(agent: dict[str, Any]) -> bytes:
    """The JSON by which an agent is recognised: sorted keys, so that their order makes no difference."""
    return SORTED.encode(agent)


def keys(statement: dict[str, Any]) -> Iterator[str]:
    """The keys in a statement whose agents were swapped."""
    for holder, name in slots(statement):
        yield holder[name]


def members(agent: dict[str, Any]) -> list[Any]:
    """Members of a group, agents or their keys; empty for an agent."""
    found = agent.get("member", ())
    return list(found)


def put_back(statement: dict[str, Any], known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The statement with its keys swapped for agents, in place; ``known`` holds each key, members within put back."""
    for holder, name in slots(statement):
        holder[name] = known[holder[name]]
    return statement
