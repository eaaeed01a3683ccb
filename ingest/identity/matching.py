"""By what an agent or group is recognised (Data 2.4.2.3)."""

from __future__ import annotations

import hashlib
from typing import Any, Final

ANONYMOUS: Final = "anonymous_group"


def identifier(agent: dict[str, Any], exact: bytes) -> tuple[str, str]:
    """Kind and value of the identifier; an anonymous group is known by its content alone (``exact`` JSON)."""
    if "mbox" in agent:
        return "mbox", agent["mbox"]
    if "account" in agent:
        return "account", f"{agent['account']['homePage']} {agent['account']['name']}"
    if "mbox_sha1sum" in agent:
        return "mbox_sha1sum", agent["mbox_sha1sum"].lower()
    if "openid" in agent:
        return "openid", agent["openid"]
    return ANONYMOUS, hashlib.blake2b(exact, digest_size=16).hexdigest()


def digest(exact: bytes) -> str:
    """BLAKE2b-128 of an agent's exact JSON, hex: tells the variants of one identity apart."""
    return hashlib.blake2b(exact, digest_size=16).hexdigest()
