"""What is wrong with a request: rules of the specification and the faults that break them.

Sections are those of xAPI 1.0.3 (part two: Data, part three: Communication) unless they say 2.0.0 (IEEE 9274.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

_EXCERPT = 80
_MOST = 100
_LONGEST = 400


class Rule(NamedTuple):
    """One rule: a short stable code, the section that states it, and what to do about a breach."""

    code: str
    section: str
    fix: str


class Fault(msgspec.Struct, frozen=True):
    """One breach of a rule.

    Attributes:
        path: JSON path of what is at fault, as ``$[3].actor.mbox``; empty for the request itself.
        message: what is wrong; never quotes what stands inside an agent.
        value: short excerpt, empty where it may tell who somebody is.
    """

    rule: str
    section: str
    path: str
    message: str
    fix: str
    value: str = ""


class Faults(list[Fault]):
    """Faults in the order in which they were found, of each statement of a batch the first hundred.

    A body of some megabytes may break a million rules: what nobody would read is counted (``left_out``), not kept.
    """

    def __init__(self, given: Iterable[Fault] = ()) -> None:
        super().__init__(given)
        self.left_out = 0
        self._of: dict[str, int] = {}

    def add(self, rule: Rule, path: str, message: str, value: Any = None) -> None:
        """Note a breach of ``rule`` at ``path``; both texts are cut, as names that were sent stand in them."""
        statement = path.partition("]")[0] if path.startswith("$[") else ""
        found = self._of[statement] = self._of.get(statement, 0) + 1
        if found > _MOST:
            self.left_out += 1
            return
        self.append(Fault(rule.code, rule.section, _cut(path), _cut(message), rule.fix, excerpt(value)))


def excerpt(value: Any) -> str:
    """A scalar as short text; empty for what has parts and for what looks like an address."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = str(value)
    return "" if "@" in text else text[:_EXCERPT]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def kind_of(value: Any) -> str:
    """A JSON value's type, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return "a number"
