"""Interaction activities: questions, their choices and correct responses (Data 2.4.4.1)."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.validation.values import language_map, object_, properties, string, wrong_type

TYPE_MISSING = Rule("interaction.type_missing", "1.0.3 Data 2.4.4.1", "Add interactionType, which says how to read it.")
TYPE_UNKNOWN = Rule(
    "interaction.type",
    "1.0.3 Data 2.4.4.1",
    "Use true-false, choice, fill-in, long-fill-in, matching, performance, sequencing, likert, numeric or other.",
)
COMPONENTS = Rule(
    "interaction.components",
    "1.0.3 Data 2.4.4.1",
    "choice and sequencing have choices, likert a scale, matching source and target, performance steps.",
)
COMPONENT_ID = Rule("interaction.component_id", "1.0.3 Data 2.4.4.1", "Give each component of a list its own id.")

LISTS: Final[dict[str, frozenset[str]]] = {
    "true-false": frozenset(),
    "choice": frozenset({"choices"}),
    "fill-in": frozenset(),
    "long-fill-in": frozenset(),
    "matching": frozenset({"source", "target"}),
    "performance": frozenset({"steps"}),
    "sequencing": frozenset({"choices"}),
    "likert": frozenset({"scale"}),
    "numeric": frozenset(),
    "other": frozenset(),
}
"""Component lists that each interaction type may have."""

_ALL_LISTS: Final = frozenset({"choices", "scale", "source", "target", "steps"})
_COMPONENT: Final = frozenset({"id", "description"})
PROPERTIES: Final = _ALL_LISTS | {"interactionType", "correctResponsesPattern"}


def interaction(value: dict[str, Any], path: str, faults: Faults) -> None:
    """The interaction part of a definition that has one."""
    kind = value.get("interactionType")
    if "interactionType" not in value:
        faults.add(TYPE_MISSING, path, "has parts of an interaction, but no interactionType")
    elif not isinstance(kind, str):
        wrong_type(faults, f"{path}.interactionType", kind, "a string")
    elif kind not in LISTS:
        faults.add(TYPE_UNKNOWN, f"{path}.interactionType", "is no interaction type", kind)
    if "correctResponsesPattern" in value:
        _patterns(value["correctResponsesPattern"], f"{path}.correctResponsesPattern", faults)
    allowed = LISTS.get(kind, _ALL_LISTS) if isinstance(kind, str) else _ALL_LISTS
    for name in _ALL_LISTS & value.keys():
        if name not in allowed:
            faults.add(COMPONENTS, f"{path}.{name}", f"{kind} has no {name}")
        _components(value[name], f"{path}.{name}", faults)


def _patterns(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, list):
        wrong_type(faults, path, value, "an array of strings")
        return
    for index, pattern in enumerate(value):
        string(pattern, f"{path}[{index}]", faults)


def _components(value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, list):
        wrong_type(faults, path, value, "an array of components")
        return
    seen = set()
    for index, component in enumerate(value):
        at = f"{path}[{index}]"
        if not object_(component, at, faults, "a component"):
            continue
        properties(component, _COMPONENT, at, faults)
        key = component.get("id")
        if "id" not in component:
            faults.add(COMPONENT_ID, at, "the component has no id")
        elif not isinstance(key, str) or not key:
            wrong_type(faults, f"{at}.id", key, "a string that is not empty")
        elif key in seen:
            faults.add(COMPONENT_ID, f"{at}.id", "two components have the same id", key)
        else:
            seen.add(key)
        if "description" in component:
            language_map(component["description"], f"{at}.description", faults)
