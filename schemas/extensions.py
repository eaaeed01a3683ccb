"""Extensions and verbs of the platform's own: what imports of a student information system write into statements.

The names end in .invalid, which is never anybody's (RFC 2606): they name, and lead nowhere.
"""

from __future__ import annotations

from typing import Final

OWN: Final = "https://roundtrip.invalid/xapi"
"""Where IRIs of the platform's own begin."""

BEHAVIOR: Final = f"{OWN}/extensions/behavior"
"""Of a report on behaviour, in context.extensions: ``suspension`` or ``incident``."""
REASON: Final = f"{OWN}/extensions/reason"
"""Why a student was absent, or what was reported: the code or the words of the file, in context.extensions."""

SUSPENSION: Final = "suspension"
INCIDENT: Final = "incident"
