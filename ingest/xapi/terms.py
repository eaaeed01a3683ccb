"""Predicates for the special data types of the specification: IRIs, UUIDs, language tags, hashes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20\x7f<>\"{}|\\^`]+").fullmatch
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch
_MBOX = re.compile(r"mailto:[^\s\x00-\x1f\x7f@<>\"]+@[^\s\x00-\x1f\x7f@<>\"]+").fullmatch
_SHA1 = re.compile(r"[0-9a-f]{40}", re.IGNORECASE).fullmatch
_SHA2 = re.compile(r"[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", re.IGNORECASE).fullmatch
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+\-]+/[\w!#$&^.+\-]+\s*(?:;.*)?").fullmatch
_LANGUAGE = re.compile(
    r"""(?: (?:[a-z]{2,3}(?:-[a-z]{3}){0,3} | [a-z]{4} | [a-z]{5,8})     # language, extended language
            (?:-[a-z]{4})?                                              # script
            (?:-(?:[a-z]{2}|[0-9]{3}))?                                 # region
            (?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*                    # variants
            (?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*                        # extensions
            (?:-x(?:-[a-z0-9]{1,8})+)?                                  # private use
          | x(?:-[a-z0-9]{1,8})+
          | i-[a-z]{2,8} | en-gb-oed | sgn-(?:be-fr|be-nl|ch-de) | art-lojban | cel-gaulish
          | zh-(?:guoyu|hakka|min|min-nan|xiang) | no-(?:bok|nyn) )""",
    re.IGNORECASE | re.VERBOSE,
).fullmatch

_SHORT: Final = 200

VOIDED: Final = "http://adlnet.gov/expapi/verbs/voided"
"""Verb IRI that makes a statement a voiding one (Data 2.3.2)."""

SIGNATURE: Final = "http://adlnet.gov/expapi/attachments/signature"
"""Usage type of the attachment that signs a statement (Data 2.6)."""


def is_iri(value: object) -> bool:
    """Whether a string is an IRI with a scheme (Data 4.3; RFC 3987)."""
    if not isinstance(value, str):
        return False
    return _is_short_iri(value) if len(value) <= _SHORT else _IRI(value) is not None


def is_uuid(value: object) -> bool:
    """Whether a string is a UUID in standard form, of any version and either case (Data 4.4; RFC 4122, 9562)."""
    return isinstance(value, str) and _UUID(value) is not None


def is_mbox(value: object) -> bool:
    """Whether a string is a mailto IRI of one address (Data 2.4.2.3)."""
    return isinstance(value, str) and _MBOX(value) is not None


def is_sha1(value: object) -> bool:
    """Whether a string is a SHA-1 in hexadecimal."""
    return isinstance(value, str) and _SHA1(value) is not None


def is_sha2(value: object) -> bool:
    """Whether a string is a SHA-224, -256, -384 or -512 in hexadecimal (Data 2.4.11)."""
    return isinstance(value, str) and _SHA2(value) is not None


def is_language(value: object) -> bool:
    """Whether a string is a well-formed language tag (RFC 5646, 2.1)."""
    if not isinstance(value, str):
        return False
    return _is_short_language(value) if len(value) <= _SHORT else _LANGUAGE(value) is not None


def is_media_type(value: object) -> bool:
    """Whether a string is an Internet media type (RFC 2046)."""
    return isinstance(value, str) and _MEDIA_TYPE(value) is not None


# The same few verbs, types, activities and languages come again and again; what is long is not kept.
@lru_cache(maxsize=50_000)
def _is_short_iri(value: str) -> bool:
    return _IRI(value) is not None


@lru_cache(maxsize=1000)
def _is_short_language(value: str) -> bool:
    return _LANGUAGE(value) is not None
