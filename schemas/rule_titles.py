"""Titles of the warning rules, as people read them: the same on pages, in a case's history, in reports and commands."""

from __future__ import annotations

from typing import Final

_TITLES: Final = {
    "inactivity": "No activity",
    "incidents": "Behaviour",
    "failing_core": "Failing a core course",
    "less_time": "Less time on activities",
}
"""Those that are not their code in words."""


def rule_title(code: str) -> str:
    """A warning rule's title, by its code: the column ``rule``."""
    return _TITLES.get(code, code.replace("_", " ").capitalize())
