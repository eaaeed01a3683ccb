"""What the LRS sets itself, and the bytes that are kept (Data 2.4.1 and 2.4.7 to 2.4.10)."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from ingest.xapi.parse import SORTED
from ingest.xapi.timestamps import format_microseconds, in_utc, microseconds
from ingest.xapi.version import TWO


class Stamped(NamedTuple):
    """A statement as it is kept.

    ``digest``: 64 bits of BLAKE2b over all but id, authority, stored, timestamp and version; signed.
    ``timestamp``: µs since the epoch. ``json``: agents swapped for keys.
    """

    statement_id: str
    id_generated: bool
    timestamp: int
    timestamp_generated: bool
    digest: int
    json: bytes


class Stamp(NamedTuple):
    """What is the same for all statements of a request: ``stored`` in µs, the authority's key, the version."""

    stored: int
    authority_key: str
    version: str


def stamp(statement: dict[str, Any], new_id: str, by: Stamp) -> Stamped:
    """Takes a valid statement whose agents are swapped, and uses it up. ``new_id`` is taken where it has no id."""
    sent_id = statement.pop("id", None)
    sent_time = statement.pop("timestamp", None)
    sent_version = statement.pop("version", None)
    for overwritten in ("stored", "authority"):
        statement.pop(overwritten, None)
    _arrays(statement)
    statement_id = sent_id.lower() if sent_id else new_id
    stored_text = format_microseconds(by.stored)
    time, time_text = by.stored, stored_text
    if sent_time is not None:
        time, time_text = microseconds(sent_time), sent_time
        if by.version == TWO and not in_utc(sent_time):
            time_text = format_microseconds(time)
    content = SORTED.encode(statement)
    head = (
        f'{{"authority":"{by.authority_key}","id":"{statement_id}","stored":"{stored_text}",'
        f'"timestamp":"{time_text}","version":"{_version(sent_version, by.version)}",'
    )
    return Stamped(
        statement_id,
        sent_id is None,
        time,
        sent_time is None,
        int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True),
        head.encode() + content[1:],
    )


def _version(sent: str | None, accepted_under: str) -> str:
    """A statement keeps the 1.0.x that it came with (Data 2.4.10); under 2.0.0 there is one version only."""
    return accepted_under if sent is None or accepted_under == TWO else sent


def _arrays(statement: dict[str, Any]) -> None:
    """contextActivities are answered as arrays, also where one activity was sent (Data 2.4.6.2)."""
    activities = statement.get("context", {}).get("contextActivities")
    if activities:
        for name, value in activities.items():
            if isinstance(value, dict):
                activities[name] = [value]
    target = statement["object"]
    if isinstance(target, dict) and target.get("objectType") == "SubStatement":
        _arrays(target)
