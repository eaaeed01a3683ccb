"""How deep a body may be nested and how long its strings may be: limits of this store, not of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingest.xapi.faults import Faults, Rule

DEPTH = Rule("limit.depth", "1.0.3 Communication 3.2", "Send JSON that is nested less deeply.")
STRING = Rule("limit.string", "1.0.3 Communication 3.2", "Send shorter texts; long ones are attachments.")

COMPILED_DEPTH: Final = 64
"""What the compiled reading takes at most (native/_speed.c): it keeps a limit that is at least this."""

_PATH_STEPS: Final = 12


def may_be_too_long(body: bytes, longest: int) -> bool:
    """Whether a string of a JSON text may have more than ``longest`` characters; a sure no costs little."""
    if len(body) <= longest:
        return False
    # Escaped quotation marks end no string; what stands between two others, every second piece, is one. Of a string
    # with many escapes more bytes are counted than it has characters: ``oversize`` looks at it again.
    pieces = body.replace(b"\\\\", b"__").replace(b'\\"', b"__").split(b'"')
    return max(map(len, pieces[1::2]), default=0) > longest


def oversize(value: Any, body: bytes, faults: Faults, *, deepest: int, longest: int) -> None:
    """Note what is nested deeper than ``deepest`` objects and arrays, or is longer than ``longest`` characters.

    ``value``: what ``body`` says. Does not recurse, so it may be asked of any value.
    """
    if body.count(b"{") + body.count(b"[") > deepest and _depth_exceeds(value, deepest):
        faults.add(DEPTH, _path_of(value, deepest), f"is nested more than {deepest} deep")
    if may_be_too_long(body, longest):
        for path in _long_strings(value, longest):
            faults.add(STRING, path, f"is longer than {longest} characters")


def _depth_exceeds(value: Any, deepest: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(deepest):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _path_of(value: Any, deepest: int) -> str:
    """Where the nesting goes too deep: the path of its outer part."""
    for steps, one in _walk(value):
        if len(steps) > deepest and isinstance(one, dict | list):
            return _told(steps)
    return "$"


def _long_strings(value: Any, longest: int) -> Iterator[str]:
    """Paths of strings that are too long; that of the object where it is a key."""
    for steps, one in _walk(value):
        long = (
            len(one) > longest
            if isinstance(one, str)
            else isinstance(one, dict) and any(len(key) > longest for key in one)
        )
        if long:
            yield _told(steps)


def _walk(value: Any) -> Iterator[tuple[list[str], Any]]:
    """Each value inside, with the steps to it (the list is used again), in order; holds no more than one way down."""
    steps: list[str] = []
    ways: list[Iterator[tuple[str, Any]]] = [iter([("$", value)])]
    while ways:
        found = next(ways[-1], None)
        if found is None:
            ways.pop()
            if steps:
                steps.pop()
            continue
        step, one = found
        steps.append(step)
        yield steps, one
        if isinstance(one, dict | list):
            ways.append(_inner(one))
        else:
            steps.pop()


def _inner(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((f".{key[:40]}", inner) for key, inner in value.items())
    return ((f"[{index}]", inner) for index, inner in enumerate(value))


def _told(steps: list[str]) -> str:
    return "".join(steps[:_PATH_STEPS])
