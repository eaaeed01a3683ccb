"""What the door refused of an import, each with its reasons, as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from ingest.importers.posting import Refused

_EXCERPT: Final = 4_000


class Refusals:
    """A file that is made when something is refused; ``None``: reasons are counted, statements not kept."""

    def __init__(self, path: Path | None, size: int) -> None:
        """``size``: bytes of an earlier run that are known; what was written after them is not, and taken off."""
        self.path = path
        self.size = size
        self.rules: dict[str, int] = {}
        if path is not None and path.exists():
            with path.open("r+b") as file:
                file.truncate(size)
        elif path is not None:
            self.size = 0

    def add(self, raw: bytes, place: str, refused: Refused) -> None:
        """Keep a statement; it is in the file when this returns."""
        rules = {str(one.get("rule", "")) for one in refused.faults} or {f"http.{refused.status}"}
        for rule in rules:
            self.rules[rule] = self.rules.get(rule, 0) + 1
        if self.path is None:
            return
        line = {
            "place": place,
            "status": refused.status,
            "error": refused.error,
            "faults": refused.faults,
            "statement": _statement(raw),
        }
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            self.size = file.tell()


def _statement(raw: bytes) -> Any:
    """As JSON where it is some, to be mended and imported; else as text."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
    return msgspec.Raw(raw)
