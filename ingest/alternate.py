"""Alternate request syntax (1.0.3 Communication 1.3): a request carried in a form, for content in old browsers.

``POST ?method=PUT`` with a form: headers and parameters are its fields, the body is its field ``content``. 2.0 has no
such syntax.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from ingest.errors import broken
from ingest.http import Exchange, fields
from ingest.xapi.faults import Rule
from ingest.xapi.version import TWO, negotiate

ALTERNATE = Rule(
    "alternate",
    "1.0.3 Communication 1.3",
    "POST with method as the only parameter, all else as fields of a form, the body as its field content.",
)
NOT_IN_TWO = Rule(
    "alternate.version", "2.0.0 4.1.1", "Use the HTTP method itself: 2.0 has no alternate request syntax."
)

FORM_BYTES: Final = 1024 * 1024
"""Forms are read before anybody is asked for a credential, which may stand in them: they are kept small."""

_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
_HEADERS: Final = frozenset(
    {
        *("authorization", "x-experience-api-version", "content-type", "content-length", "if-match", "if-none-match"),
        *("accept", "accept-language", "updated"),
    }
)
_WITH_BODY: Final = frozenset({"PUT", "POST"})


def asked(exchange: Exchange) -> bool:
    """Whether it looks like a request that carries another."""
    return exchange.method == "POST" and b"method=" in exchange.query


async def unwrap(exchange: Exchange, most_parameters: int) -> None:
    """Make the exchange the request that it carries; raises ApiError 400 where it carries none, 413 for a long form."""
    _refuse_two(exchange)
    query = fields(exchange.query, most_parameters)
    method = query.pop("method", "")
    if method not in _METHODS:
        raise broken(400, ALTERNATE, f"the parameter method is {method[:20]!r}, which is no method of xAPI")
    if query:
        raise broken(400, ALTERNATE, f"{next(iter(query))[:40]!r} stands beside the parameter method")
    if exchange.media_type != "application/x-www-form-urlencoded":
        raise broken(400, ALTERNATE, f"the content type is {exchange.content_type[:60]!r}, not that of a form")
    form = fields(await exchange.body(FORM_BYTES), most_parameters + len(_HEADERS) + 1)
    content = form.pop("content", None)
    if content is None and method in _WITH_BODY:
        raise broken(400, ALTERNATE, f"the form has no field content, and {method} needs a body")
    headers = exchange.headers
    del headers[b"content-type"]
    parameters = []
    for name, value in form.items():
        if name.lower() in _HEADERS:
            headers[name.lower().encode()] = value.encode("latin-1", "replace")
        else:
            parameters.append((name, value))
    if content is not None:
        headers.setdefault(b"content-type", b"application/json")
    # Neither the form's length nor the one told inside of it: the content is there.
    headers.pop(b"content-length", None)
    _refuse_two(exchange)
    exchange.given(method, urlencode(parameters).encode(), (content or "").encode())


def _refuse_two(exchange: Exchange) -> None:
    if negotiate(exchange.header(b"x-experience-api-version")) == TWO:
        raise broken(400, NOT_IN_TWO, "a method inside of a POST (alternate request syntax)")
