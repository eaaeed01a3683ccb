"""Cross-origin requests (the Fetch standard): which pages may call xAPI from a browser, and what they may read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ingest.http import Headers

_KEPT_SECONDS: Final = b"7200"
_SENT: Final = ", ".join(
    (
        *("Authorization", "Content-Type", "X-Experience-API-Version", "X-Experience-API-Hash"),
        *("Content-Transfer-Encoding", "If-Match", "If-None-Match", "Accept", "Accept-Language", "Updated"),
        *("Last-Event-ID", "X-Request-ID"),
    )
).encode()
_READ: Final = ", ".join(
    (
        *("ETag", "Last-Modified", "X-Experience-API-Version", "X-Experience-API-Consistent-Through"),
        *("X-Experience-API-Hash", "X-Request-ID", "Retry-After", "WWW-Authenticate", "Content-Language"),
        *("X-Roundtrip-Quarantined", "X-Roundtrip-Quarantined-Items", "X-Roundtrip-Repaired"),
    )
).encode()


class Cors:
    """Headers for pages of the origins that are allowed; ``*`` allows all.

    Credentials of the browser itself (cookies) are never asked for: pages send the header Authorization.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._all = "*" in (origins := tuple(origins))
        self._origins = frozenset(origin.rstrip("/").encode() for origin in origins)

    def headers(self, origin: bytes | None) -> Headers:
        """Headers of an answer to a page of this origin; for all others just that the answer depends on it."""
        vary = [] if self._all else [(b"vary", b"Origin")]
        if origin is None or not (self._all or origin in self._origins):
            return vary
        allowed = b"*" if self._all else origin
        return [(b"access-control-allow-origin", allowed), (b"access-control-expose-headers", _READ), *vary]

    def preflight(self, origin: bytes | None, methods: Iterable[str]) -> Headers:
        """Headers of the answer to OPTIONS that go with ``headers``; none for an origin that is not allowed."""
        if origin is None or not (self._all or origin in self._origins):
            return []
        return [
            (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
            (b"access-control-allow-headers", _SENT),
            (b"access-control-max-age", _KEPT_SECONDS),
        ]
