"""Parameters of requests to documents, checked (Communication 2.3, 2.6 and 2.7)."""

from __future__ import annotations

from typing import Any, Final

from ingest.errors import ApiError, broken
from ingest.http import misused
from ingest.xapi import terms
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import parse
from ingest.xapi.timestamps import TimestampError, microseconds
from ingest.xapi.validation.actors import IDENTIFIERS, actor

MISSING = Rule("parameter.missing", "1.0.3 Communication 2.2", "Send the parameter that is named.")
LENGTH = Rule("limit.parameter", "1.0.3 Communication 2.2", "Send a shorter one.")
NO_IDENTIFIER = Rule(
    "parameter.agent", "1.0.3 Communication 2.2", "Send an agent or a group with mbox, mbox_sha1sum, openid or account."
)

_BYTES: Final = 2048
"""Longest id, in UTF-8: the registry finds documents by an index on it."""


def text(asked: dict[str, str], name: str) -> str:
    """A parameter that must be there: a string of which a document is named; raises ApiError 400."""
    value = asked.get(name, "")
    if not value:
        message = f"the parameter {name} is missing" if name not in asked else f"{name} is empty"
        raise broken(400, MISSING, message, path=name)
    if "\x00" in value:
        raise misused(name, f"{name} has a character that no text has")
    if len(value.encode()) > _BYTES:
        raise broken(400, LENGTH, f"{name} is longer than {_BYTES} bytes", path=name)
    return value


def iri(asked: dict[str, str], name: str) -> str:
    """A parameter that must be there, an IRI; raises ApiError 400."""
    value = text(asked, name)
    if not terms.is_iri(value):
        raise misused(name, f"{name} is no IRI")
    return value


def registration(asked: dict[str, str]) -> str:
    """The registration in lower case, empty where there is none; raises ApiError 400."""
    value = asked.get("registration")
    if value is None:
        return ""
    if not terms.is_uuid(value):
        raise misused("registration", "registration is no UUID")
    return value.lower()


def since(asked: dict[str, str]) -> int | None:
    """The moment after which documents are asked for, µs; raises ApiError 400."""
    value = asked.get("since")
    if value is None:
        return None
    try:
        return microseconds(value)
    except TimestampError as error:
        raise misused("since", f"since {error}") from None


def agent(asked: dict[str, str]) -> dict[str, Any]:
    """The agent or identified group whose documents are meant; raises ApiError 400."""
    faults = Faults()
    value = parse(_text_of_agent(asked).encode(), faults)
    if not faults:
        actor(value, "agent", faults)
    if faults:
        raise ApiError(400, f"the parameter agent: {faults[0].message}", faults)
    found: dict[str, Any] = value
    if found.keys().isdisjoint(IDENTIFIERS):
        raise broken(400, NO_IDENTIFIER, "the parameter agent is a group without identifier", path="agent")
    return found


def _text_of_agent(asked: dict[str, str]) -> str:
    """The parameter agent, JSON of any length that a query may have."""
    if not asked.get("agent"):
        raise broken(400, MISSING, "the parameter agent is missing", path="agent")
    return asked["agent"]
