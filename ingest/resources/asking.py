"""The parameters of a GET of statements, checked (Communication 2.1.3)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ingest.errors import ApiError, broken
from ingest.http import PARAMETER, Exchange, misused
from ingest.reading.filters import PAGE, Filter, from_cursor
from ingest.xapi import terms
from ingest.xapi.faults import Faults
from ingest.xapi.formats import FORMATS
from ingest.xapi.parse import parse
from ingest.xapi.timestamps import TimestampError, microseconds
from ingest.xapi.validation.actors import actor

_IDS: Final = frozenset({"statementId", "voidedStatementId"})
_GET_ONE: Final = _IDS | {"format", "attachments"}
_GET: Final = _GET_ONE | {
    "agent", "verb", "activity", "registration", "related_activities", "related_agents", "since", "until", "limit",
    "ascending", "cursor",
}  # fmt: skip
_BOOLEANS: Final = {"true": True, "false": False}


class AskedOne(NamedTuple):
    """One statement by its id, in lower case."""

    statement_id: str
    voided: bool
    format: str
    attachments: bool


class AskedPage(NamedTuple):
    """A page; ``agent`` is the one that the filter is to be about, where this is its first page."""

    wanted: Filter
    agent: dict[str, Any] | None


def asked(exchange: Exchange) -> AskedOne | AskedPage:
    """What is asked for; raises ApiError 400."""
    given = exchange.parameters(_GET)
    if _IDS.isdisjoint(given):
        return _page(given)
    if not given.keys() <= _GET_ONE or given.keys() >= _IDS:
        raise broken(400, PARAMETER, "an id goes with no other parameter than format and attachments")
    voided = "voidedStatementId" in given
    statement_id = given["voidedStatementId" if voided else "statementId"]
    if not terms.is_uuid(statement_id):
        raise misused("voidedStatementId" if voided else "statementId", "the id is no UUID")
    return AskedOne(statement_id.lower(), voided, _format(given), _boolean(given, "attachments"))


def agent_of(text: str) -> dict[str, Any]:
    """An agent or group in a parameter; raises ApiError 400."""
    faults = Faults()
    value = parse(text.encode(), faults)
    if not faults:
        actor(value, "agent", faults)
    if faults:
        raise ApiError(400, f"the parameter agent: {faults[0].message}", faults)
    found: dict[str, Any] = value
    return found


def _page(given: dict[str, str]) -> AskedPage:
    if "cursor" in given:
        if len(given) > 1:
            raise misused("cursor", "a cursor goes with no other parameter")
        try:
            return AskedPage(from_cursor(given["cursor"]), None)
        except ValueError as error:
            raise misused("cursor", f"the cursor {error}") from None
    for name in ("verb", "activity"):
        if name in given and not terms.is_iri(given[name]):
            raise misused(name, f"{name} is no IRI")
    if "registration" in given and not terms.is_uuid(given["registration"]):
        raise misused("registration", "registration is no UUID")
    wanted = Filter(
        limit=_limit(given.get("limit", "0")),
        ascending=_boolean(given, "ascending"),
        verb=given.get("verb", ""),
        activity=given.get("activity", ""),
        registration=given.get("registration", "").lower(),
        since=_moment(given, "since"),
        until=_moment(given, "until"),
        related_agents=_boolean(given, "related_agents"),
        related_activities=_boolean(given, "related_activities"),
        format=_format(given),
        attachments=_boolean(given, "attachments"),
    )
    return AskedPage(wanted, agent_of(given["agent"]) if "agent" in given else None)


def _format(given: dict[str, str]) -> str:
    kind = given.get("format", "exact")
    if kind not in FORMATS:
        raise misused("format", "format is exact, ids or canonical")
    return kind


def _limit(text: str) -> int:
    """Statements of a page; 0 asks for as many as the server gives."""
    if not text.isascii() or not text.isdigit():
        raise misused("limit", "limit is no whole number from 0")
    return min(int(text[:9]) or PAGE, PAGE)


def _boolean(given: dict[str, str], name: str) -> bool:
    value = _BOOLEANS.get(given.get(name, "false"))
    if value is None:
        raise misused(name, f"{name} is true or false")
    return value


def _moment(given: dict[str, str], name: str) -> int | None:
    if name not in given:
        return None
    try:
        return microseconds(given[name])
    except TimestampError as error:
        raise misused(name, f"{name} {error}") from None
