"""Preconditions of requests to documents: If-Match and If-None-Match (Communication 3.1; RFC 9110, 13.1)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ANY: Final = "*"

_TAG = re.compile(r'(W/)?"([^"]*)"|([0-9a-zA-Z]+)')


class Tags(NamedTuple):
    """Entity tags of one header: ``any`` for the asterisk, else those listed, without quotes."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str]


class Conditions(NamedTuple):
    """What must hold of the document that is there now; None: nothing was asked."""

    match: Tags | None
    none_match: Tags | None

    @property
    def given(self) -> bool:
        """Whether anything was asked."""
        return self.match is not None or self.none_match is not None

    def hold(self, etag: str | None) -> bool:
        """Whether they hold for a document with this entity tag; None: there is no document."""
        if self.match is not None and (etag is None or not (self.match.any or etag in self.match.strong)):
            return False
        return self.none_match is None or etag is None or not self.names(etag)

    def names(self, etag: str) -> bool:
        """Whether If-None-Match names the tag; a weak tag counts, since equal bytes have equal tags here."""
        named = self.none_match
        return named is not None and (named.any or etag in named.strong or etag in named.weak)


def conditions(if_match: str, if_none_match: str) -> Conditions:
    """The conditions of the two headers; empty: not sent."""
    return Conditions(_tags(if_match), _tags(if_none_match))


def _tags(header: str) -> Tags | None:
    """What cannot be read names no document. Published clients send the hash without quotes, or with capitals."""
    if not header:
        return None
    if header == ANY:
        return Tags(True, frozenset(), frozenset())
    strong: set[str] = set()
    weak: set[str] = set()
    for is_weak, quoted, bare in _TAG.findall(header):
        (weak if is_weak else strong).add((quoted or bare).lower())
    return Tags(False, frozenset(strong), frozenset(weak))
