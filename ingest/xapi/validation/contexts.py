"""Contexts (Data 2.4.6), with the context agents and groups of 2.0.0."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.validation.actors import actor, agent, group
from ingest.xapi.validation.objects import activity, statement_reference
from ingest.xapi.validation.values import (
    extensions,
    iri,
    language,
    object_,
    properties,
    string,
    uuid,
    wrong_type,
)

ONLY_ACTIVITY = Rule("context.only_activity", "1.0.3 Data 2.4.6", "Leave it out where the object is no activity.")
CONTEXT_AGENT = Rule(
    "context.agents", "2.0.0 4.2.6 (contextAgents)", 'Send {"objectType": "contextAgent", "agent": …}.'
)
CONTEXT_GROUP = Rule(
    "context.groups", "2.0.0 4.2.6 (contextGroups)", 'Send {"objectType": "contextGroup", "group": …}.'
)
RELEVANT_TYPES = Rule("context.relevant_types", "2.0.0 4.2.6", "List at least one IRI, or leave relevantTypes out.")

_CONTEXT: Final = frozenset(
    {
        "registration", "instructor", "team", "contextActivities", "revision", "platform", "language", "statement",
        "extensions",
    }
)  # fmt: skip
_CONTEXT_2: Final = _CONTEXT | {"contextAgents", "contextGroups"}
_ACTIVITIES: Final = frozenset({"parent", "grouping", "category", "other"})
_CONTEXT_AGENT: Final = frozenset({"objectType", "agent", "relevantTypes"})
_CONTEXT_GROUP: Final = frozenset({"objectType", "group", "relevantTypes"})


def context(value: Any, path: str, faults: Faults, *, version_2: bool, about_activity: bool) -> None:
    """A context; ``about_activity`` tells whether the statement's object is an activity."""
    if not object_(value, path, faults, "a context"):
        return
    properties(value, _CONTEXT_2 if version_2 else _CONTEXT, path, faults)
    if "registration" in value:
        uuid(value["registration"], f"{path}.registration", faults)
    if "contextActivities" in value:
        _activities(value["contextActivities"], f"{path}.contextActivities", faults)
    if "instructor" in value:
        actor(value["instructor"], f"{path}.instructor", faults)
    if "team" in value:
        group(value["team"], f"{path}.team", faults)
    for name in ("revision", "platform"):
        if name in value:
            string(value[name], f"{path}.{name}", faults)
            if not about_activity:
                faults.add(ONLY_ACTIVITY, f"{path}.{name}", f"{name} belongs to statements about an activity")
    if "language" in value:
        language(value["language"], f"{path}.language", faults)
    if "statement" in value:
        statement_reference(value["statement"], f"{path}.statement", faults)
    if "extensions" in value:
        extensions(value["extensions"], f"{path}.extensions", faults)
    if version_2:
        if "contextAgents" in value:
            _parties(value["contextAgents"], f"{path}.contextAgents", faults, agents=True)
        if "contextGroups" in value:
            _parties(value["contextGroups"], f"{path}.contextGroups", faults, agents=False)


def _activities(value: Any, path: str, faults: Faults) -> None:
    """contextActivities: each an activity or an array of them (Data 2.4.6.2)."""
    if not object_(value, path, faults, "an object of activities"):
        return
    properties(value, _ACTIVITIES, path, faults)
    for name in value.keys() & _ACTIVITIES:
        found = value[name]
        if isinstance(found, list):
            for index, one in enumerate(found):
                activity(one, f"{path}.{name}[{index}]", faults)
        else:
            activity(found, f"{path}.{name}", faults)


def _parties(value: Any, path: str, faults: Faults, *, agents: bool) -> None:
    """contextAgents or contextGroups of 2.0.0."""
    kind, name, allowed, rule = (
        ("contextAgent", "agent", _CONTEXT_AGENT, CONTEXT_AGENT)
        if agents
        else ("contextGroup", "group", _CONTEXT_GROUP, CONTEXT_GROUP)
    )
    if not isinstance(value, list):
        wrong_type(faults, path, value, "an array")
        return
    for index, one in enumerate(value):
        at = f"{path}[{index}]"
        if not object_(one, at, faults):
            continue
        properties(one, allowed, at, faults)
        if one.get("objectType") != kind:
            faults.add(rule, f"{at}.objectType", f"is not {kind}", one.get("objectType"))
        if name not in one:
            faults.add(rule, at, f"has no {name}")
        elif agents:
            agent(one[name], f"{at}.{name}", faults)
        else:
            group(one[name], f"{at}.{name}", faults)
        if "relevantTypes" in one:
            _relevant_types(one["relevantTypes"], f"{at}.relevantTypes", faults)


def _relevant_types(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, list):
        wrong_type(faults, path, value, "an array of IRIs")
        return
    if not value:
        faults.add(RELEVANT_TYPES, path, "is empty")
    for index, one in enumerate(value):
        iri(one, f"{path}[{index}]", faults)
