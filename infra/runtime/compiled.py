"""Parts of the tree that may be compiled (docs/decisions/0014): each does what the Python beside it does, sooner."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_FOUND: Final[dict[str, bool]] = {}


def compiled(name: str) -> Any:
    """The extension module of a name, e.g. ``streams._native``; None where it was not built."""
    try:
        module = import_module(name)
    except ImportError:
        module = None
    _FOUND[name] = module is not None
    return module


def in_use() -> list[str]:
    """Extensions that this process asked for and found."""
    return sorted(name for name, found in _FOUND.items() if found)


def missing() -> list[str]:
    """Extensions that this process asked for and did not find: it runs on plain Python there."""
    return sorted(name for name, found in _FOUND.items() if not found)
