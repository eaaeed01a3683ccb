"""Valid statements of a body on their way to the log: what has to be asked about them, and their items.

``Accepted`` works on decoded values and is the reference. ``read`` gives the same from a compiled reading of the body
(native/_speed.c), for bodies that surely keep all rules; whatever it is not sure of is left to the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from infra.runtime.compiled import compiled
from ingest.xapi.agents import exact, slots
from ingest.xapi.parse import DECODER, ENCODER
from ingest.xapi.stamp import Stamp, stamp
from schemas import packing
from schemas.events import TIMESTAMP_GENERATED

_compiled: Final = compiled("ingest.xapi.native._speed")
_NUL: Final = b"\\u0000"
"""Some identifiers may not hold it: left to the reference."""


class Party(NamedTuple):
    """A context agent or group: its place among the agents of its statement, and how it took part (IRIs)."""

    place: int
    relevant_types: Sequence[str]


class Valid(Protocol):
    """Statements that keep all rules, numbered from 0."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def single(self) -> bool:
        """Whether the body is one statement, not an array."""

    def ids(self) -> list[str | None]:
        """The id of each in lower case; None where it has none."""

    def agents(self) -> list[tuple[bytes, ...]]:
        """Exact JSON of the agents of each; its actor first."""

    def meanings(self) -> list[bytes]:
        """What verb and skills of each depend on, a line each: the verb, the activity (empty where the object is
        none), the activities of grouping and category."""

    def parties(self) -> dict[int, list[Party]]:
        """Context agents and groups (2.0.0 4.2.6), of those statements that have any."""

    def stamp(self, provider_id: bytes, authority: bytes, stored: int, stored_text: bytes, version: bytes, /) -> None:
        """What is the same for all of them (xapi.stamp.Stamp)."""

    def item(
        self, index: int, statement_id: str, keys: tuple[str, ...], student_id: str, meaning: bytes, flags: int, /
    ) -> bytes:
        """The packed item of one (schemas.packing); ``keys`` for its agents, ``meaning`` as packed. ``flags`` without
        TIMESTAMP_GENERATED."""

    def digest(self, index: int, /) -> int:
        """The digest of one of which an item was made."""


class Accepted:
    """The reference: ``Valid`` over values that validation has passed. They are used up."""

    def __init__(self, statements: list[dict[str, Any]], *, single: bool) -> None:
        self.count = len(statements)
        self.single = single
        self._statements = statements
        for one in statements:
            one.pop("authority", None)
        self._slots = [slots(one) for one in statements]
        self._digests = [0] * self.count
        self._provider_id = ""
        self._stamp = Stamp(0, "", "")

    def ids(self) -> list[str | None]:
        return [one["id"].lower() if "id" in one else None for one in self._statements]

    def agents(self) -> list[tuple[bytes, ...]]:
        return [tuple(exact(holder[name]) for holder, name in own) for own in self._slots]

    def meanings(self) -> list[bytes]:
        return ["\n".join((one["verb"]["id"], *_activities(one))).encode() for one in self._statements]

    def parties(self) -> dict[int, list[Party]]:
        found = {}
        for index, one in enumerate(self._statements):
            context = one.get("context", {})
            inside = {id(party) for name in ("contextAgents", "contextGroups") for party in context.get(name, ())}
            if inside:
                found[index] = [
                    Party(place, holder.get("relevantTypes", ()))
                    for place, (holder, _) in enumerate(self._slots[index])
                    if id(holder) in inside
                ]
        return found

    def digest(self, index: int, /) -> int:
        return self._digests[index]

    def stamp(self, provider_id: bytes, authority: bytes, stored: int, stored_text: bytes, version: bytes, /) -> None:
        self._provider_id = provider_id.decode()
        self._stamp = Stamp(stored, authority.decode(), version.decode())

    def item(
        self, index: int, statement_id: str, keys: tuple[str, ...], student_id: str, meaning: bytes, flags: int, /
    ) -> bytes:
        for (holder, name), key in zip(self._slots[index], keys, strict=True):
            holder[name] = key
        # Stamped anew for each student that it is credited to: few statements have more than one.
        stamped = stamp(dict(self._statements[index]), statement_id, self._stamp)
        self._digests[index] = stamped.digest
        return b"".join(
            (
                packing.sized(statement_id.encode()),
                packing.sized(student_id.encode()),
                packing.sized(self._provider_id.encode()),
                meaning,
                packing.varint(stamped.timestamp),
                packing.varint(self._stamp.stored),
                packing.varint(stamped.digest),
                packing.varint(flags | TIMESTAMP_GENERATED * stamped.timestamp_generated),
                packing.sized(stamped.json),
            )
        )


def read(body: bytes, *, version_2: bool) -> Valid | None:
    """The statements of a body, where the compiled way is at hand and sure that it keeps all rules."""
    if _compiled is None or _NUL in body:
        return None
    found: Valid | None = _compiled.read(body, version_2, _number)
    return found


def _number(text: bytes) -> bytes:
    """The canonical bytes of a number."""
    return ENCODER.encode(DECODER.decode(text))


def _activities(statement: dict[str, Any]) -> list[str]:
    target = statement["object"]
    if target.get("objectType", "Activity") != "Activity":
        return [""]
    found = [target["id"]]
    activities = statement.get("context", {}).get("contextActivities", {})
    for name in sorted(activities.keys() & {"grouping", "category"}):
        value = activities[name]
        found.extend(one["id"] for one in ((value,) if isinstance(value, dict) else value))
    return found
