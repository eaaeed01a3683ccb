"""Whether a statement is one of those that a GET asks for (Communication 2.1.3): one answer for all who filter.

Works on statements as they were sent and on those whose agents were swapped for keys. What a StatementRef points to
is the business of whoever can look it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ingest.xapi.agents import slots

IsAgent = Callable[[Any], bool]
"""Whether an agent, a group (members included) or the key of one is the agent that is asked for."""


class Wanted(msgspec.Struct, frozen=True):
    """The filters that look into a statement; an empty string asks for nothing."""

    verb: str = ""
    activity: str = ""
    registration: str = ""
    related_agents: bool = False
    related_activities: bool = False


def matches(statement: dict[str, Any], wanted: Wanted, is_agent: IsAgent | None = None) -> bool:
    """Whether a valid statement passes every filter; without ``is_agent`` no agent is asked for."""
    if wanted.verb and statement["verb"]["id"] != wanted.verb:
        return False
    if wanted.registration:
        # UUIDs are the same whatever their case (Data 4.4).
        told = statement.get("context", {}).get("registration", "")
        if told.lower() != wanted.registration.lower():
            return False
    if wanted.activity:
        found = activities(statement) if wanted.related_activities else _object_activity(statement)
        if wanted.activity not in found:
            return False
    if is_agent is None:
        return True
    asked = agents(statement) if wanted.related_agents else _actor_and_object(statement)
    return any(is_agent(one) for one in asked)


def activities(statement: dict[str, Any]) -> Iterator[str]:
    """Ids of all activities of a statement: object, context activities, and the same in a SubStatement."""
    yield from _object_activity(statement)
    for value in statement.get("context", {}).get("contextActivities", {}).values():
        for one in value if isinstance(value, list) else (value,):
            yield one["id"]
    target = statement["object"]
    if isinstance(target, dict) and target.get("objectType") == "SubStatement":
        yield from activities(target)


def agents(statement: dict[str, Any]) -> Iterator[Any]:
    """All places of agents: actor, object, authority, context, and the same in a SubStatement."""
    for holder, name in slots(statement):
        yield holder[name]


def _object_activity(statement: dict[str, Any]) -> tuple[str, ...]:
    target = statement["object"]
    if isinstance(target, dict) and target.get("objectType", "Activity") == "Activity":
        return (target["id"],)
    return ()


def _actor_and_object(statement: dict[str, Any]) -> Iterator[Any]:
    yield statement["actor"]
    target = statement["object"]
    if isinstance(target, str) or target.get("objectType") in ("Agent", "Group"):
        yield target
