"""What is known of an activity or of a person, from all that was sent (Communication 2.4 and 2.5). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_MERGED: Final = ("name", "description", "extensions")
_LISTED: Final = ("name", "mbox", "mbox_sha1sum", "openid", "account")


def activity(activity_id: str, definitions: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """An activity with all that its definitions tell, earliest first: languages and extensions are collected, of
    everything else the latest counts."""
    whole: dict[str, Any] = {}
    for one in definitions:
        for name, value in one.items():
            whole[name] = {**whole.get(name, {}), **value} if name in _MERGED else value
    found: dict[str, Any] = {"objectType": "Activity", "id": activity_id}
    if whole:
        found["definition"] = whole
    return found


def person(agents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A Person: each property of these agents as an array of its different values."""
    found: dict[str, Any] = {"objectType": "Person"}
    for agent in agents:
        for name in _LISTED:
            if name in agent and agent[name] not in found.setdefault(name, []):
                found[name].append(agent[name])
    return found
