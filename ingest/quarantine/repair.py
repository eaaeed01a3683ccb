"""Repairs of what a provider sends wrong, and the check whether they mend it: pure, over JSON values.

A rule names a place and what to do there. Places are JSON paths within one statement: ``$.actor.objectType``,
``$.context.contextActivities.grouping[*].id``, ``$["result"]["extensions"]["https://x.example/a.b"]``; ``*`` stands for
any index of an array and for any name of an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import DECODER, ENCODER, SORTED, parse
from ingest.xapi.terms import SIGNATURE
from ingest.xapi.validation import batch
from ingest.xapi.version import TWO

Action = Literal["set", "replace", "remove"]
ACTIONS: Final = ("set", "replace", "remove")

_SEGMENT = re.compile(r"""\.(?P<name>[^.\[\]"]+)|\[(?P<index>\d{1,9}|\*)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]""")
_ANY: Final = "*"

SIGNED = Rule(
    "signature.repaired", "1.0.3 Data 2.6", "Have the provider send it again: a signature covers what was signed."
)


class RepairFaultError(ValueError):
    """A rule that cannot be applied to anything, in words for whoever made it."""


class _Any:
    """Any index or name."""


ANY: Final = _Any()
Segment = str | int | _Any


class Repair(msgspec.Struct, frozen=True):
    """One rule, ready to be applied.

    Attributes:
        path: the place, at least one step below the statement.
        found: what stands there; of strings, one ``*`` stands for any text. Given for replace and remove.
        value: what is put there; a ``*`` in it stands for the text that the one of ``found`` stood for.
    """

    repair_id: str
    path: tuple[Segment, ...]
    action: Action
    found: Any = None
    value: Any = None
    any_found: bool = True


def rule(path: str, action: str, found: str | None = None, value: str | None = None, repair_id: str = "") -> Repair:
    """A rule from its texts; ``found`` and ``value`` are JSON. Raises RepairFaultError that says what is wrong."""
    if action not in ACTIONS:
        raise RepairFaultError(f"{action!r} is no action: use {', '.join(ACTIONS)}")
    if (action == "remove") != (value is None):
        raise RepairFaultError("remove takes no value" if action == "remove" else f"{action} needs a value")
    if action == "set" and found is not None:
        raise RepairFaultError("set puts the value there whatever is found: use replace")
    steps = segments(path)
    if action == "set" and steps[-1] is ANY:
        raise RepairFaultError("set needs the name of what it sets, not *")
    return Repair(repair_id, steps, action, _json(found, "found"), _json(value, "value"), found is None)  # type: ignore[arg-type]


def segments(path: str) -> tuple[Segment, ...]:
    """The steps of a path; raises RepairFaultError."""
    if not path.startswith("$"):
        raise RepairFaultError(f"{path!r} is no path: it begins with $, as in $.actor.objectType")
    steps: list[Segment] = []
    at = 1
    while at < len(path):
        step = _SEGMENT.match(path, at)
        if step is None:
            raise RepairFaultError(f"{path!r} is no path: it cannot be read from {path[at : at + 20]!r} on")
        if (index := step["index"]) is not None:
            steps.append(ANY if index == _ANY else int(index))
        elif step["quoted"] is not None:
            steps.append(str(_json(step["quoted"], "path")))
        else:
            steps.append(ANY if step["name"] == _ANY else step["name"])
        at = step.end()
    if not steps:
        raise RepairFaultError("$ is the whole statement: name a place within it")
    return tuple(steps)


def apply(rules: Sequence[Repair], statement: Any) -> tuple[Any, list[str]]:
    """A repaired copy, and the ids of the rules that changed something; the statement itself stays as it is."""
    changed = _copy(statement)
    used = []
    for one in rules:
        # Each holder is tried, also once one was changed.
        times = sum(_change(holder, one) for holder in list(_holders(changed, one.path[:-1])))
        used += [one.repair_id] * bool(times)
    return changed, used


def check(statement: Any, version: str) -> Faults:
    """All that is wrong with a repaired statement, paths from ``$``; empty where it may be accepted."""
    faults = Faults()
    # An array is no statement, as little as nothing is.
    batch(None if isinstance(statement, list) else statement, faults, version_2=version == TWO)
    if not faults and any(one["usageType"] == SIGNATURE for one in statement.get("attachments", ())):
        faults.add(SIGNED, "$.attachments", "is signed: a repaired statement is not the one that was signed")
    return faults


def read(text: str) -> Any:
    """The JSON value in a text, numbers to the digit; raises RepairFaultError that says where it is malformed."""
    faults = Faults()
    value = parse(text.encode(), faults)
    if faults:
        raise RepairFaultError(faults[0].message)
    return value


def write(value: Any) -> str:
    """A value as JSON, numbers to the digit."""
    return ENCODER.encode(value).decode()


def check_text(text: str, version: str) -> tuple[Any, Faults]:
    """The statement in a text, and all that is wrong with it."""
    faults = Faults()
    value = parse(text.encode(), faults)
    return value, faults or check(value, version)


def _holders(value: Any, path: tuple[Segment, ...]) -> Iterator[Any]:
    """What stands at a path: one thing, several where the path has a ``*``, or nothing."""
    if not path:
        yield value
        return
    for key in _keys(value, path[0]):
        yield from _holders(value[key], path[1:])


def _keys(value: Any, step: Segment) -> list[Any]:
    if isinstance(value, dict):
        if step is ANY:
            return list(value)
        return [step] if step in value else []
    if isinstance(value, list):
        if step is ANY:
            return list(range(len(value)))
        return [step] if isinstance(step, int) and step < len(value) else []
    return []


def _change(holder: Any, one: Repair) -> bool:
    last = one.path[-1]
    if one.action == "set":
        return _set(holder, last, one.value)
    changed = False
    # From the end, so that what is removed moves nothing that is still to be looked at.
    for key in reversed(_keys(holder, last)):
        text = _matched(holder[key], one)
        if text is None:
            continue
        if one.action == "remove":
            del holder[key]
            changed = True
        else:
            changed |= _set(holder, key, _filled(one.value, text))
    return changed


def _set(holder: Any, key: Segment, value: Any) -> bool:
    fits = isinstance(key, str) if isinstance(holder, dict) else isinstance(holder, list) and key in range(len(holder))
    if not fits or (_keys(holder, key) and same(holder[key], value)):
        return False
    holder[key] = _copy(value)
    return True


def _matched(value: Any, one: Repair) -> str | None:
    """What the ``*`` of ``found`` stands for, empty where it has none; None where something else is found."""
    if one.any_found:
        return ""
    if isinstance(value, str) and isinstance(one.found, str) and one.found.count(_ANY) == 1:
        before, _, after = one.found.partition(_ANY)
        if len(value) < len(before) + len(after) or not (value.startswith(before) and value.endswith(after)):
            return None
        return value[len(before) : len(value) - len(after)]
    return "" if same(value, one.found) else None


def _filled(value: Any, text: str) -> Any:
    return value.replace(_ANY, text) if isinstance(value, str) and text else value


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is not true, the order of names makes no difference."""
    return SORTED.encode(one) == SORTED.encode(other)


def _copy(value: Any) -> Any:
    """Deeper values than Python's own copying takes."""
    return DECODER.decode(SORTED.encode(value))


def _json(text: str | None, what: str) -> Any:
    if text is None:
        return None
    try:
        return DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise RepairFaultError(f'{what} {text[:40]!r} is no JSON: a string stands in quotes, as "Activity"') from None
