"""Repairs as pages make them: a masked statement edited, checked by the rules of the door, told apart from the first.

The rules of xAPI are pure and the same for all: this module alone brings them from the door to the pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dashboards.masking import has_token, masked, unmasked
from ingest.quarantine import repair
from ingest.quarantine.repair import Repair, RepairFaultError, apply, check, read, same, write

__all__ = ["Change", "Edited", "RepairFaultError", "changes", "edited", "mends", "rule", "shown", "verb_of"]


_LAST_WORD = re.compile(r"(.*\W)(\w+)").fullmatch


@dataclass(frozen=True)
class Fault:
    """What is wrong, where, and how to mend it."""

    path: str
    message: str
    fix: str


@dataclass(frozen=True)
class Edited:
    """A text in the editor: the statement that it stands for, and all that is wrong with it."""

    statement: str = ""
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """One difference, as a rule would make it; texts of JSON."""

    path: str
    action: str
    found: str | None
    value: str | None


def shown(statement: str) -> str:
    """A kept statement for the editor: who somebody is, hidden."""
    return _pretty(masked(read(statement))[0])


def verb_of(statement: str) -> str:
    """IRI of the verb of a valid statement."""
    return str(read(statement)["verb"]["id"])


def edited(text: str, statement: str, version: str) -> Edited:
    """What a text in the editor stands for; ``statement``: the kept one, that its tokens are of."""
    try:
        value = read(text)
    except RepairFaultError as error:
        return Edited("", [Fault("$", str(error), "Write the statement as one JSON object.")])
    whole = unmasked(value, masked(read(statement))[1])
    faults = [Fault(one.path, one.message, one.fix) for one in check(whole, version)]
    return Edited(write(whole), faults)


def changes(text: str, statement: str) -> list[Change]:
    """What was changed in the editor, place by place; none where the text is no JSON."""
    try:
        value = read(text)
    except RepairFaultError:
        return []
    return list(_changes(masked(read(statement))[0], value, "$"))


def rule(path: str, action: str, found: str | None, value: str | None) -> Repair:
    """A rule from its texts; raises RepairFaultError, also for one that holds a token: it would mend one student."""
    if has_token("".join(one or "" for one in (path, found, value))):
        raise RepairFaultError("a rule cannot hold what tells who somebody is")
    return repair.rule(path, action, found, value)


def mends(rules: list[Repair], statement: str, version: str) -> bool:
    """Whether rules make a kept statement valid."""
    changed, used = apply(rules, read(statement))
    return bool(used) and not check(changed, version)


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() - after.keys():
            yield Change(_step(path, name), "remove", None, None)
        for name in after:
            place = _step(path, name)
            if name not in before:
                yield Change(place, "set", None, write(after[name]))
            else:
                yield from _changes(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _changes(one, other, f"{path}[*]")
    elif isinstance(before, str) and isinstance(after, str) and before != after:
        yield Change(path, "replace", *map(write, _pattern(before, after)))
    elif not same(before, after):
        scalar = not isinstance(before, dict | list)
        yield Change(path, "replace", write(before) if scalar else None, write(after))


def _pattern(before: str, after: str) -> tuple[str, str]:
    """What differs from statement to statement as a ``*``: the last word, where both end with it, as in ``item-9`` and
    ``https://x.example/9``."""
    word = _LAST_WORD(before)
    if word is None or "*" in before + after or not after.endswith(word[2]):
        return before, after
    return f"{word[1]}*", f"{after.removesuffix(word[2])}*"


def _step(path: str, name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum()
    return f"{path}.{name}" if plain else f"{path}[{write(name)}]"


def _pretty(value: Any) -> str:
    return msgspec.json.format(write(value).encode(), indent=2).decode()
