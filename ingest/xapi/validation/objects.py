"""A statement's verb and object (Data 2.4.3 and 2.4.4), sub-statements aside."""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.validation import interactions
from ingest.xapi.validation.values import (
    extensions,
    iri,
    language_map,
    object_,
    properties,
    uuid,
    wrong_type,
)

VERB_ID = Rule("verb.id_missing", "1.0.3 Data 2.4.3", "Add the verb's id, an IRI.")
ACTIVITY_ID = Rule("activity.id_missing", "1.0.3 Data 2.4.4.1", "Add the activity's id, an IRI.")
REFERENCE_ID = Rule("statement_ref.id_missing", "1.0.3 Data 2.4.4.3", "Add the id of the statement it refers to.")
NOT_ACTIVITY = Rule("activity.object_type", "1.0.3 Data 2.4.6.2", 'Use an activity here; its objectType is "Activity".')
NOT_REFERENCE = Rule(
    "statement_ref.object_type", "1.0.3 Data 2.4.4.3", 'Use {"objectType": "StatementRef", "id": "<UUID>"}.'
)

_VERB: Final = frozenset({"id", "display"})
_ACTIVITY: Final = frozenset({"objectType", "id", "definition"})
_DEFINITION: Final = frozenset({"name", "description", "type", "moreInfo", "extensions", *interactions.PROPERTIES})
_REFERENCE: Final = frozenset({"objectType", "id"})


def verb(value: Any, path: str, faults: Faults) -> None:
    """A verb: an IRI, and how it is displayed (Data 2.4.3)."""
    if not object_(value, path, faults, "a verb"):
        return
    properties(value, _VERB, path, faults)
    if "id" in value:
        iri(value["id"], f"{path}.id", faults)
    else:
        faults.add(VERB_ID, path, "the verb has no id")
    if "display" in value:
        language_map(value["display"], f"{path}.display", faults)


def activity(value: Any, path: str, faults: Faults) -> None:
    """An activity (Data 2.4.4.1)."""
    if not object_(value, path, faults, "an activity"):
        return
    kind = value.get("objectType", "Activity")
    if kind != "Activity":
        if isinstance(kind, str):
            faults.add(NOT_ACTIVITY, f"{path}.objectType", "is not Activity", kind)
        else:
            wrong_type(faults, f"{path}.objectType", kind, "a string")
    properties(value, _ACTIVITY, path, faults)
    if "id" in value:
        iri(value["id"], f"{path}.id", faults)
    else:
        faults.add(ACTIVITY_ID, path, "the activity has no id")
    if "definition" in value:
        definition(value["definition"], f"{path}.definition", faults)


def definition(value: Any, path: str, faults: Faults) -> None:
    """An activity's definition (Data 2.4.4.1)."""
    if not object_(value, path, faults, "a definition"):
        return
    properties(value, _DEFINITION, path, faults)
    if "name" in value:
        language_map(value["name"], f"{path}.name", faults)
    if "description" in value:
        language_map(value["description"], f"{path}.description", faults)
    if "type" in value:
        iri(value["type"], f"{path}.type", faults)
    if "moreInfo" in value:
        iri(value["moreInfo"], f"{path}.moreInfo", faults)
    if "extensions" in value:
        extensions(value["extensions"], f"{path}.extensions", faults)
    if not interactions.PROPERTIES.isdisjoint(value):
        interactions.interaction(value, path, faults)


def statement_reference(value: Any, path: str, faults: Faults) -> None:
    """A reference to another statement (Data 2.4.4.3)."""
    if not object_(value, path, faults, "a statement reference"):
        return
    kind = value.get("objectType")
    if kind != "StatementRef":
        faults.add(NOT_REFERENCE, f"{path}.objectType", "is not StatementRef", kind)
    properties(value, _REFERENCE, path, faults)
    if "id" in value:
        uuid(value["id"], f"{path}.id", faults)
    else:
        faults.add(REFERENCE_ID, path, "the reference has no id")
