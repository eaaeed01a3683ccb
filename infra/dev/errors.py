"""What a person can put right: shown as one line, without a traceback."""

from __future__ import annotations

from importlib.util import find_spec


class LocalStackError(Exception):
    """Something about this machine or its state stops the local stack; the message says what to do."""


def require(module: str, what: str) -> None:
    """Raise LocalStackError when a module of the extra ``local`` is not installed; ``what`` needs it."""
    if find_spec(module) is None:
        raise LocalStackError(
            f"{what} needs {module}: install the extra that brings it, pip install 'roundtrip[local]'"
        )
