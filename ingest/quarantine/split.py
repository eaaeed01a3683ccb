"""A batch with faults in two parts: what goes on, as it came or mended by rules, and what is kept aside. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from ingest.quarantine.repair import Repair, apply, check
from ingest.xapi import terms
from ingest.xapi.faults import Fault, Faults
from ingest.xapi.parse import ENCODER, SORTED

_INDEX = re.compile(r"\$\[(\d+)\]").match
_PLACES: Final = 100
"""Faults of one statement that are kept; more tell nobody more."""


class Kept(NamedTuple):
    """A statement that is kept aside. ``statement_id``: the one that is answered, and that it is replayed under."""

    item_id: str
    idx: int
    statement_id: str
    statement: bytes
    faults: list[Fault]


class Split(NamedTuple):
    """``good`` in the order of the batch; ``mended``: how often each rule helped."""

    good: list[Any]
    kept: list[Kept]
    mended: dict[str, int]
    repaired: int


def split(
    statements: Sequence[Any],
    faults: Faults,
    rules: Sequence[Repair],
    provider_id: str,
    version: str,
    new_id: Callable[[], str],
) -> Split:
    """Take a batch apart; ``faults`` are those of its validation, with paths from ``$[index]``.

    A statement is good where it had no fault, or none is left once the rules were applied. Of statements with the same
    id the first good one goes on.
    """
    found = by_index(faults)
    good: list[Any] = []
    kept: list[Kept] = []
    mended: dict[str, int] = defaultdict(int)
    repaired = 0
    ids = {one["id"].lower() for index, one in enumerate(statements) if index not in found and "id" in one}
    for index, statement in enumerate(statements):
        own = found.get(index)
        if own is None:
            good.append(statement)
            continue
        changed, used = apply(rules, statement)
        if used and not check(changed, version) and _id(changed) not in ids:
            good.append(changed)
            ids.update({_id(changed)} - {""})
            repaired += 1
            for rule in used:
                mended[rule] += 1
        else:
            kept.append(keep(statement, index, own, provider_id, new_id))
    return Split(good, kept, dict(mended), repaired)


def keep(statement: Any, index: int, faults: list[Fault], provider_id: str, new_id: Callable[[], str]) -> Kept:
    """A statement for the quarantine.

    One with a usable id is kept once, however often it is sent: retries of the same batch make nothing more of it.
    """
    own = _id(statement)
    # The same content in another order of its properties is the same.
    item_id = str(uuid5(NAMESPACE_URL, f"{provider_id} {SORTED.encode(statement).decode()}")) if own else new_id()
    return Kept(item_id, index, own or item_id, ENCODER.encode(statement), faults[:_PLACES])


def by_index(faults: Faults) -> dict[int, list[Fault]]:
    """Faults of a batch by statement, their paths from the statement's own ``$``."""
    found: dict[int, list[Fault]] = defaultdict(list)
    for fault in faults:
        place = _INDEX(fault.path)
        if place is None:
            raise ValueError(f"a fault of no statement: {fault.rule}")
        path = "$" + fault.path[place.end() :]
        found[int(place[1])].append(Fault(fault.rule, fault.section, path, fault.message, fault.fix, fault.value))
    return dict(found)


def as_batch(value: Any, faults: Faults, of_request: Collection[str]) -> tuple[list[Any], Faults] | None:
    """A body and its faults as a batch of statements; None where the request as a whole is at fault.

    ``of_request``: codes of rules that a request breaks, not a statement in it.
    """
    if any(not fault.path or fault.rule in of_request for fault in faults):
        return None
    if isinstance(value, list):
        return (value, faults) if all(_INDEX(fault.path) for fault in faults) else None
    if not isinstance(value, dict):
        return None
    told = Faults()
    told.extend(in_batch(0, fault) for fault in faults)
    return [value], told


def in_batch(idx: int, fault: Fault) -> Fault:
    """A fault of one statement as it is told of a batch: by the statement's place."""
    path = f"$[{idx}]{fault.path[1:]}"
    return Fault(fault.rule, fault.section, path, fault.message, fault.fix, fault.value)


def _id(statement: Any) -> str:
    """A statement's own id in lower case; empty where it has none that can be used."""
    found = statement.get("id") if isinstance(statement, dict) else None
    return found.lower() if isinstance(found, str) and terms.is_uuid(found) else ""
