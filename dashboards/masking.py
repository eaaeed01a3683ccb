"""Who somebody is, hidden while a statement is looked at and repaired: pure, over JSON values.

Each hidden text gets a token, the same text the same one. A token may be moved, or stand within more text: what comes
back has the text in its place again. So ``⟨1⟩`` becomes ``mailto:⟨1⟩`` without anyone reading an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_HIDDEN: Final = frozenset({"mbox", "mbox_sha1sum", "openid", "name"})
"""Properties of agents and accounts; a name of anything else is an object of languages, not a text."""

_TOKEN = re.compile(r"⟨\d+⟩")


def masked(value: Any) -> tuple[Any, dict[str, str]]:
    """A copy with tokens for what tells who somebody is, and the text of each token."""
    known: dict[str, str] = {}

    def token(text: str) -> str:
        return known.setdefault(text, f"⟨{len(known) + 1}⟩")

    def walk(one: Any, name: str) -> Any:
        if isinstance(one, dict):
            return {token(key) if "@" in key else key: walk(inner, key) for key, inner in one.items()}
        if isinstance(one, list):
            return [walk(inner, name) for inner in one]
        if isinstance(one, str) and one and (name in _HIDDEN or "@" in one):
            return token(one)
        return one

    shown = walk(value, "")
    return shown, {one: text for text, one in known.items()}


def unmasked(value: Any, texts: Mapping[str, str]) -> Any:
    """A copy with the texts in place of their tokens; a token that stands for nothing stays."""
    if isinstance(value, dict):
        return {_filled(key, texts): unmasked(inner, texts) for key, inner in value.items()}
    if isinstance(value, list):
        return [unmasked(inner, texts) for inner in value]
    return _filled(value, texts) if isinstance(value, str) else value


def has_token(text: str) -> bool:
    """Whether a text has a token in it: nothing that is kept as a rule may."""
    return _TOKEN.search(text) is not None


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return _TOKEN.sub(lambda found: texts.get(found[0], found[0]), text)
