"""What a GET of statements asks for, and the cursor that carries it to the next page."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from ingest.xapi.matching import Wanted

PAGE: Final = 100
"""Statements of a page when no limit is asked for, and at most."""


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a GET asks for (Communication 2.1.3); also the content of a ``more`` cursor, so no state is kept.

    Times in µs, since exclusive, until inclusive. ``after``: stored and id of the last statement of the page before.
    """

    limit: int = PAGE
    ascending: bool = False
    identity: str = ""
    verb: str = ""
    activity: str = ""
    registration: str = ""
    since: int | None = None
    until: int | None = None
    after: tuple[int, str] | None = None
    related_agents: bool = False
    related_activities: bool = False
    format: str = "exact"
    attachments: bool = False

    @property
    def matching(self) -> Wanted:
        """The part that looks into statements."""
        return Wanted(self.verb, self.activity, self.registration, self.related_agents, self.related_activities)

    @property
    def looks_inside(self) -> bool:
        """Whether it asks for anything but when a statement was stored."""
        return bool(self.verb or self.activity or self.registration or self.identity)


def cursor(wanted: Filter) -> str:
    """A filter as text for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(wanted)).decode().rstrip("=")


def from_cursor(text: str) -> Filter:
    """The filter in a cursor; raises ValueError for anything else."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Filter)
    except ValueError as error:  # of base64, of UTF-8, of msgspec
        raise ValueError("is no cursor of this service") from error
