"""The colours that carry meaning, for both grounds: safe for colour-blind readers, 4.5:1 and better on the ground.

style.css has the same four as light-dark() pairs; a test holds them equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Palette:
    """One ground's colours, hex."""

    ink: str
    soft: str
    line: str
    accent: str
    warn: str
    good: str
    none: str


LIGHT: Final = Palette("#1d2226", "#5b6269", "#dcdcd6", "#1f5f8b", "#a8480a", "#0b6e54", "#6b7178")
DARK: Final = Palette("#e8e9e6", "#a3abb2", "#343a40", "#7fb6dc", "#f0a35e", "#5cc7a6", "#98a0a7")
