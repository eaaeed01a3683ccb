"""Which version of the specification a request speaks (Communication 3.3; 2.0.0 section on versioning)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ingest.xapi.faults import Rule

ONE: Final = "1.0.3"
TWO: Final = "2.0.0"

MISSING = Rule(
    "version.header_missing", "1.0.3 Communication 3.3", f"Send the header X-Experience-API-Version: {ONE} or {TWO}."
)
UNKNOWN = Rule(
    "version.header", "1.0.3 Communication 3.3", f"Send the header X-Experience-API-Version: {ONE} or {TWO}."
)

_ONE = re.compile(r"1\.0(\.[0-9]{1,3})?").fullmatch
_TWO = re.compile(r"2\.0(\.[0-9]{1,3})?").fullmatch


@lru_cache(maxsize=64)
def negotiate(header: str) -> str | None:
    """The version that a request with this header is answered in, None where it is not spoken here."""
    if _ONE(header):
        return ONE
    return TWO if _TWO(header) else None


def statement_version(spoken: str) -> str:
    """The ``version`` property of statements accepted under a version that name none (Data 2.4.10)."""
    return TWO if spoken == TWO else "1.0.0"
