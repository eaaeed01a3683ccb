"""A refused request: status, words, faults; and the body in which they are told."""

from __future__ import annotations

import math

import msgspec

from ingest.xapi.faults import Fault, Faults, Rule


class _Body(msgspec.Struct, omit_defaults=True):
    error: str
    request_id: str
    faults: list[Fault]
    statements: int = 0
    faulty: tuple[int, ...] = ()


class ApiError(Exception):
    """Ends a request with a status of 4xx or 5xx.

    ``statements``: how many statements were refused with it, for the provider's counts. ``faulty``: positions in the
    batch of those that have a fault, also where not all faults are told.
    """

    def __init__(
        self,
        status: int,
        message: str,
        faults: list[Fault] | None = None,
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        statements: int = 0,
        faulty: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.faults = faults or []
        self.headers = headers
        self.statements = statements
        self.faulty = faulty

    def body(self, request_id: str) -> bytes:
        """The JSON body of the answer."""
        return msgspec.json.encode(_Body(self.message, request_id, self.faults, self.statements, self.faulty))


def broken(status: int, rule: Rule, message: str, *, path: str = "", statements: int = 0) -> ApiError:
    """An error of one fault."""
    faults = Faults()
    faults.add(rule, path, message)
    return ApiError(status, message, faults, statements=statements)


def retry_after(status: int, message: str, seconds: float, *, statements: int = 0) -> ApiError:
    """429 or 503 with Retry-After, in whole seconds, at least one."""
    header = (b"retry-after", str(max(1, math.ceil(seconds))).encode())
    return ApiError(status, message, headers=(header,), statements=statements)
