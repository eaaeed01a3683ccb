"""What the cases are made of: a request, the answer the specification asks for, and the requirement behind it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

ONE: Final = "1.0.3"
TWO: Final = "2.0.0"
BOTH: Final = (ONE, TWO)


class Case(NamedTuple):
    """One request and its answer.

    Attributes:
        requirement: XAPI-… of the public list of requirements, or a section of the specification.
        what: in our words, unique with the requirement.
        body: bytes as they are, anything else as JSON; None: none is sent.
        has: text that must be in the answer's body.
        headers_told: header of the answer to the text that must be in its value.
    """

    requirement: str
    what: str
    method: str
    path: str
    status: int
    versions: tuple[str, ...] = BOTH
    params: Mapping[str, str] = MappingProxyType({})
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    has: str = ""
    headers_told: Mapping[str, str] = MappingProxyType({})

    def __str__(self) -> str:
        return f"{self.requirement} {self.what}"


WHOLE: Final[dict[str, Any]] = {
    "actor": {
        "objectType": "Group",
        "name": "Table 4",
        "account": {"homePage": "https://school.example.org", "name": "table-4"},
        "member": [{"name": "Ada", "mbox": "mailto:ada@school.example.org"}],
    },
    "verb": {"id": "https://w3id.org/xapi/dod-isd/verbs/answered", "display": {"en-US": "answered"}},
    "object": {
        "objectType": "Activity",
        "id": "https://items.example.org/item/1",
        "definition": {
            "name": {"en-US": "Item 1"},
            "description": {"en-US": "A question"},
            "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
            "moreInfo": "https://items.example.org/about/1",
            "interactionType": "choice",
            "correctResponsesPattern": ["b"],
            "choices": [{"id": "a", "description": {"en-US": "1/2"}}, {"id": "b", "description": {"en-US": "3/4"}}],
            "extensions": {"https://items.example.org/ext/version": 2},
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10},
        "success": True,
        "completion": False,
        "response": "b",
        "duration": "PT1M2.5S",
        "extensions": {"https://items.example.org/ext/hints": 0},
    },
    "context": {
        "registration": "5f2cbbd5-8c9e-4b0a-9a3e-0d7a0b6f3a11",
        "instructor": {"mbox": "mailto:grace@school.example.org"},
        "team": {"objectType": "Group", "member": [{"openid": "https://school.example.org/id/1"}]},
        "revision": "3",
        "platform": "Practice",
        "language": "en-US",
        "statement": {"objectType": "StatementRef", "id": "16fd2706-8baf-433b-82eb-8c7fada847da"},
        "contextActivities": {"parent": [{"id": "https://items.example.org/unit/1"}]},
        "extensions": {"https://items.example.org/ext/attempt": 1},
    },
    "timestamp": "2026-11-20T09:30:00.123Z",
}
"""A statement that has nearly everything a statement may have."""

MISSING: Final = object()
"""In place of a value: the property is left out."""


def changed(path: str, value: Any, of: dict[str, Any] | None = None) -> dict[str, Any]:
    """A statement with one place changed; ``path`` as in ``object.definition.choices.0.id``."""
    made = copy.deepcopy(WHOLE if of is None else of)
    *above, last = path.split(".") if "|" not in path else path.split("|")
    holder: Any = made
    for name in above:
        holder = holder[int(name)] if isinstance(holder, list) else holder.setdefault(name, {})
    if isinstance(holder, list):
        holder[int(last)] = value
    elif value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return made


def agent(name: str) -> str:
    """The parameter agent."""
    return json.dumps({"account": {"homePage": "https://school.example.org", "name": name}})
