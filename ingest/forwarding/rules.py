"""What a forward is, which statements it wants, and what an answer of the other LRS means. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from ingest.xapi.matching import Wanted, matches
from ingest.xapi.terms import VOIDED
from schemas.events import Item

Verdict = Literal["taken", "known", "refused", "later"]

_DOOR: Final = frozenset({401, 403, 404, 405, 407, 408, 421, 423, 425, 429})
_CONFLICT: Final = 409
_WAITS: Final = 16


class Filter(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which statements are sent on; an empty list asks for nothing.

    Attributes:
        providers: ids of those who sent them.
        verbs: IRIs, or canonical verbs.
        activities: ids of their objects.
        since: stored then or later, µs since the epoch.
    """

    providers: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    since: int = 0


class Forward(msgspec.Struct, frozen=True):
    """Another LRS and what it gets: ``endpoint`` without /statements, ``version`` of xAPI that it is spoken to in."""

    name: str
    endpoint: str
    key: str
    secret_variable: str
    version: str
    filter: Filter
    disabled: bool = False


def group(name: str) -> str:
    """Kafka's consumer group of a forward: it holds how far the forward is."""
    return f"roundtrip-forward-{name}"


def from_provider(item: Item, wanted: Filter) -> bool:
    """What can be told of an item without looking into its statement."""
    return item.stored >= wanted.since and (not wanted.providers or item.provider_id in wanted.providers)


def wants(item: Item, statement: dict[str, Any], wanted: Filter) -> bool:
    """Whether a statement of ``from_provider`` is sent on.

    A voiding statement is, whatever verbs and activities are asked for: what it voids may have been sent on, and would
    stand there for ever.
    """
    verb = statement["verb"]["id"]
    if verb == VOIDED:
        return True
    if wanted.verbs and verb not in wanted.verbs and item.verb not in wanted.verbs:
        return False
    return not wanted.activities or any(matches(statement, Wanted(activity=one)) for one in wanted.activities)


def verdict(status: int) -> Verdict:
    """What becomes of the statements of a request.

    Statuses that speak of the address, the credential or the moment say nothing against statements: they wait. 409 is
    a statement that the other LRS has (of several: one of them); any other 4xx speaks of what was sent.
    """
    if 200 <= status < 300:
        return "taken"
    if status == _CONFLICT:
        return "known"
    return "refused" if 400 <= status < 500 and status not in _DOOR else "later"


def wait_seconds(attempt: int, first: float, longest: float, chance: float) -> float:
    """Pause after so many attempts in vain (1 or more): doubled each time, between half of it and all by ``chance``."""
    return min(longest, first * 2.0 ** min(attempt - 1, _WAITS)) * (0.5 + chance / 2)


def retry_after(header: str, longest: float) -> float | None:
    """Seconds of a Retry-After header, at most ``longest``; None where it tells no number."""
    return min(float(header), longest) if header.strip().isdecimal() else None
